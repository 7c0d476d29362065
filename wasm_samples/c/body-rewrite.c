// Writes bodies anew: a request's in capitals, a response's with its length in front, each when it is whole. A body is
// whole at its end, or at its trailers where it has some: then no part of it is called the end.
#include "proxy_wasm.h"

enum { ALL = 1 << 19 };

static void capitals(void) {
  text body = buffer(REQUEST_BODY, ALL);
  for (u32 i = 0; i < body.size; i++)
    if (body.data[i] >= 'a' && body.data[i] <= 'z') body.data[i] -= 'a' - 'A';
  proxy_set_buffer_bytes(REQUEST_BODY, 0, body.size, body.data, body.size);
}

static void length_in_front(void) {
  text body = buffer(RESPONSE_BODY, ALL);
  text front = joined(decimal(body.size), TEXT(": "));
  proxy_set_buffer_bytes(RESPONSE_BODY, 0, 0, front.data, front.size);
}

u32 EXPORT(proxy_on_request_headers)(u32 context, u32 count, u32 end) {
  (void)context, (void)count, (void)end;
  remove_header(REQUEST_HEADERS, TEXT("content-length"));
  return CONTINUE;
}

u32 EXPORT(proxy_on_request_body)(u32 context, u32 size, u32 end) {
  (void)context, (void)size;
  if (!end) return PAUSE;
  capitals();
  return CONTINUE;
}

u32 EXPORT(proxy_on_request_trailers)(u32 context, u32 count) {
  (void)context, (void)count;
  capitals();
  return CONTINUE;
}

u32 EXPORT(proxy_on_response_headers)(u32 context, u32 count, u32 end) {
  (void)context, (void)count, (void)end;
  remove_header(RESPONSE_HEADERS, TEXT("content-length"));
  return CONTINUE;
}

u32 EXPORT(proxy_on_response_body)(u32 context, u32 size, u32 end) {
  (void)context, (void)size;
  if (!end) return PAUSE;
  length_in_front();
  return CONTINUE;
}

u32 EXPORT(proxy_on_response_trailers)(u32 context, u32 count) {
  (void)context, (void)count;
  length_in_front();
  return CONTINUE;
}
