// Lets a request with "authorization: good" pass, without that header; answers others itself: 401 without one, else 403.
#include "proxy_wasm.h"

u32 EXPORT(proxy_on_request_headers)(u32 context, u32 count, u32 end) {
  (void)context, (void)count, (void)end;
  text given = header(REQUEST_HEADERS, TEXT("authorization"));
  if (same(given, TEXT("good"))) {
    remove_header(REQUEST_HEADERS, TEXT("authorization"));
    add_header(REQUEST_HEADERS, TEXT("x-user"), TEXT("someone"));
    return CONTINUE;
  }
  const pair challenge[] = {{TEXT("www-authenticate"), TEXT("Basic realm=\"shop\"")}};
  if (given.size) {
    say(WARN, joined(TEXT("refused: "), given));
    answer(403, TEXT("forbidden\n"), 0, 0);
  } else {
    answer(401, TEXT("who are you?\n"), challenge, 1);
  }
  return PAUSE;
}
