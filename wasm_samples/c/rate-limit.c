// Lets as many requests pass as its configuration says, counted in shared data by all threads; answers others 429.
#include "proxy_wasm.h"

static u64 limit;

u32 EXPORT(proxy_on_configure)(u32 context, u32 size) {
  (void)context;
  limit = parsed(buffer(PLUGIN_CONFIGURATION, size));
  return limit > 0;
}

static u64 counted(void) {
  for (;;) {
    text key = TEXT("requests"), old = {0, 0};
    u32 cas = 0;
    if (proxy_get_shared_data(key.data, key.size, &old.data, &old.size, &cas) != OK) old.size = 0;
    u64 count = parsed(old) + 1;
    text now = decimal(count);
    if (proxy_set_shared_data(key.data, key.size, now.data, now.size, cas) != CAS_MISMATCH) return count;
  }
}

u32 EXPORT(proxy_on_request_headers)(u32 context, u32 headers, u32 end) {
  (void)context, (void)headers, (void)end;
  u64 count = counted();
  if (count <= limit) {
    add_header(REQUEST_HEADERS, TEXT("x-request-number"), decimal(count));
    return CONTINUE;
  }
  const pair retry[] = {{TEXT("retry-after"), TEXT("60")}};
  say(WARN, joined(TEXT("too many requests: "), decimal(count)));
  answer(429, TEXT("slow down\n"), retry, 1);
  return PAUSE;
}
