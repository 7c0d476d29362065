// Adds the response header that its configuration names, "name=value"; refuses a configuration without "=".
#include "proxy_wasm.h"

static char kept[1024];
static text name, value;

u32 EXPORT(proxy_on_configure)(u32 context, u32 size) {
  (void)context;
  text all = buffer(PLUGIN_CONFIGURATION, size);
  for (u32 i = 1; i < all.size && all.size <= sizeof kept; i++) {
    if (all.data[i] != '=') continue;
    copy(kept, all.data, all.size); // the host's copy is gone after this callback
    name = (text){kept, i};
    value = (text){kept + i + 1, all.size - i - 1};
    say(INFO, joined(TEXT("configured to add "), name));
    return 1;
  }
  say(ERROR, TEXT("a configuration like name=value is needed"));
  return 0;
}

u32 EXPORT(proxy_on_response_headers)(u32 context, u32 count, u32 end) {
  (void)context, (void)count, (void)end;
  add_header(RESPONSE_HEADERS, name, value);
  return CONTINUE;
}
