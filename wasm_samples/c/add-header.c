// Adds "x-c-filter: request" to every request, and "x-c-filter: response" to every response.
#include "proxy_wasm.h"

u32 EXPORT(proxy_on_request_headers)(u32 context, u32 count, u32 end) {
  (void)context, (void)count, (void)end;
  add_header(REQUEST_HEADERS, TEXT("x-c-filter"), TEXT("request"));
  return CONTINUE;
}

u32 EXPORT(proxy_on_response_headers)(u32 context, u32 count, u32 end) {
  (void)context, (void)count, (void)end;
  add_header(RESPONSE_HEADERS, TEXT("x-c-filter"), TEXT("response"));
  return CONTINUE;
}
