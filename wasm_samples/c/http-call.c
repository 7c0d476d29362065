// Asks the cluster "auth" about every request and lets it pass on 200, with the answer's body as "x-user"; else 403.
#include "proxy_wasm.h"

static u32 waiting[256]; // call -> the stream that waits for it
static u32 *waiter(u32 call) { return &waiting[call % 256]; }

u32 EXPORT(proxy_on_request_headers)(u32 context, u32 count, u32 end) {
  (void)count, (void)end;
  const pair ask[] = {
      {TEXT(":method"), TEXT("GET")},
      {TEXT(":path"), TEXT("/check")},
      {TEXT(":authority"), TEXT("auth.example.com")},
      {TEXT("authorization"), header(REQUEST_HEADERS, TEXT("authorization"))},
  };
  text headers = serialised(ask, 4), cluster = TEXT("auth");
  u32 call;
  if (proxy_http_call(cluster.data, cluster.size, (u8 *)headers.data, headers.size, 0, 0, 0, 0, 1000, &call) != OK) {
    say(ERROR, TEXT("the call could not be made"));
    answer(500, TEXT("no check\n"), 0, 0);
    return PAUSE;
  }
  *waiter(call) = context;
  return PAUSE;
}

void EXPORT(proxy_on_http_call_response)(u32 context, u32 call, u32 headers, u32 size, u32 trailers) {
  (void)context, (void)headers, (void)trailers;
  proxy_set_effective_context(*waiter(call));
  text status = header(CALL_RESPONSE_HEADERS, TEXT(":status"));
  say(INFO, joined(TEXT("checked: "), status));
  if (!same(status, TEXT("200"))) {
    answer(403, TEXT("not you\n"), 0, 0);
    return;
  }
  add_header(REQUEST_HEADERS, TEXT("x-user"), buffer(CALL_RESPONSE_BODY, size));
  proxy_continue_stream(REQUEST_STREAM);
}
