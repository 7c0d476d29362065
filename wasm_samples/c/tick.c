// Works off the traffic: on its second tick, 20 ms apart, it writes to shared data and ticks no more; requests show that.
#include "proxy_wasm.h"

static u32 ticks;

u32 EXPORT(proxy_on_configure)(u32 context, u32 size) {
  (void)context, (void)size;
  proxy_set_tick_period_milliseconds(20);
  return 1;
}

void EXPORT(proxy_on_tick)(u32 context) {
  (void)context;
  if (++ticks < 2) return;
  proxy_set_tick_period_milliseconds(0);
  proxy_set_shared_data("state", 5, "ready", 5, 0);
}

u32 EXPORT(proxy_on_request_headers)(u32 context, u32 count, u32 end) {
  (void)context, (void)count, (void)end;
  text state = {0, 0};
  u32 cas;
  if (proxy_get_shared_data("state", 5, &state.data, &state.size, &cas) != OK) state = TEXT("cold");
  add_header(REQUEST_HEADERS, TEXT("x-state"), state);
  return CONTINUE;
}
