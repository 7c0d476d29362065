// Counts requests, keeps the last status as a gauge and the sizes of response chunks in a histogram.
#include "proxy_wasm.h"

static u32 requests, last_status, chunk_sizes;

static u32 defined(u32 type, text name) {
  u32 metric = 0;
  if (proxy_define_metric(type, name.data, name.size, &metric) != OK) say(ERROR, name);
  return metric;
}

u32 EXPORT(proxy_on_configure)(u32 context, u32 size) {
  (void)context, (void)size;
  requests = defined(COUNTER, TEXT("sample_requests"));
  last_status = defined(GAUGE, TEXT("sample_last_status"));
  chunk_sizes = defined(HISTOGRAM, TEXT("sample_chunk_sizes"));
  return 1;
}

u32 EXPORT(proxy_on_request_headers)(u32 context, u32 count, u32 end) {
  (void)context, (void)count, (void)end;
  proxy_increment_metric(requests, 1);
  u64 so_far = 0;
  proxy_get_metric(requests, &so_far);
  say(INFO, joined(TEXT("requests so far: "), decimal(so_far)));
  return CONTINUE;
}

u32 EXPORT(proxy_on_response_headers)(u32 context, u32 count, u32 end) {
  (void)context, (void)count, (void)end;
  proxy_record_metric(last_status, parsed(header(RESPONSE_HEADERS, TEXT(":status"))));
  return CONTINUE;
}

u32 EXPORT(proxy_on_response_body)(u32 context, u32 size, u32 end) {
  (void)context, (void)end;
  proxy_record_metric(chunk_sizes, size);
  return CONTINUE;
}
