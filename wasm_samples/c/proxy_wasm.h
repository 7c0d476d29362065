// The part of Proxy-Wasm ABI 0.2.1 that these filters use, in the words of its specification, and a little to work
// with: an allocator, text, logging. A filter includes this and exports its callbacks.
#ifndef PROXY_WASM_H
#define PROXY_WASM_H

typedef unsigned char u8;
typedef unsigned int u32;
typedef unsigned long long u64;

#define HOST(name) __attribute__((import_module("env"), import_name(#name))) u32 name
#define EXPORT(name) __attribute__((export_name(#name), used)) name

enum { OK = 0, NOT_FOUND = 1, CAS_MISMATCH = 8 };
enum { CONTINUE = 0, PAUSE = 1 };
enum { DEBUG = 1, INFO = 2, WARN = 3, ERROR = 4 };
enum { REQUEST_HEADERS = 0, RESPONSE_HEADERS = 2, CALL_RESPONSE_HEADERS = 6 };
enum { REQUEST_BODY = 0, RESPONSE_BODY = 1, CALL_RESPONSE_BODY = 4, PLUGIN_CONFIGURATION = 7 };
enum { COUNTER = 0, GAUGE = 1, HISTOGRAM = 2 };
enum { REQUEST_STREAM = 0, RESPONSE_STREAM = 1 };
enum { NO_GRPC_STATUS = 0xffffffff };

HOST(proxy_log)(u32 level, const char *text, u32 size);
HOST(proxy_get_buffer_bytes)(u32 buffer, u32 start, u32 max, char **data, u32 *size);
HOST(proxy_set_buffer_bytes)(u32 buffer, u32 start, u32 max, const char *data, u32 size);
HOST(proxy_get_header_map_value)(u32 map, const char *name, u32 size, char **value, u32 *value_size);
HOST(proxy_add_header_map_value)(u32 map, const char *name, u32 size, const char *value, u32 value_size);
HOST(proxy_replace_header_map_value)(u32 map, const char *name, u32 size, const char *value, u32 value_size);
HOST(proxy_remove_header_map_value)(u32 map, const char *name, u32 size);
HOST(proxy_send_local_response)(u32 status, const char *details, u32 details_size, const char *body, u32 body_size,
                                const u8 *headers, u32 headers_size, u32 grpc_status);
HOST(proxy_http_call)(const char *cluster, u32 cluster_size, const u8 *headers, u32 headers_size, const char *body,
                      u32 body_size, const u8 *trailers, u32 trailers_size, u32 timeout_ms, u32 *call);
HOST(proxy_set_effective_context)(u32 context);
HOST(proxy_continue_stream)(u32 stream);
HOST(proxy_set_tick_period_milliseconds)(u32 period);
HOST(proxy_get_shared_data)(const char *key, u32 size, char **value, u32 *value_size, u32 *cas);
HOST(proxy_set_shared_data)(const char *key, u32 size, const char *value, u32 value_size, u32 cas);
HOST(proxy_define_metric)(u32 type, const char *name, u32 size, u32 *metric);
HOST(proxy_increment_metric)(u32 metric, u64 by);
HOST(proxy_record_metric)(u32 metric, u64 value);
HOST(proxy_get_metric)(u32 metric, u64 *value);

void EXPORT(proxy_abi_version_0_2_1)(void) {}

// Memory is handed out and never taken back, from one region that begins again when it is full: nothing that the host
// hands over is needed for longer than a request.
static char heap[1 << 20] __attribute__((aligned(16)));
static u32 used;

void *EXPORT(proxy_on_memory_allocate)(u32 size) {
  u32 wanted = (size + 15) & ~15u;
  if (wanted > sizeof heap) return 0;
  if (used + wanted > sizeof heap) used = 0;
  used += wanted;
  return heap + used - wanted;
}

typedef struct {
  char *data;
  u32 size;
} text;

#define TEXT(literal) ((text){(char *)(literal), sizeof(literal) - 1})

static inline int same(text a, text b) {
  if (a.size != b.size) return 0;
  for (u32 i = 0; i < a.size; i++)
    if (a.data[i] != b.data[i]) return 0;
  return 1;
}

static inline void copy(char *to, const char *from, u32 size) {
  for (u32 i = 0; i < size; i++) ((volatile char *)to)[i] = from[i];
}

static inline text joined(text a, text b) {
  text both = {proxy_on_memory_allocate(a.size + b.size), a.size + b.size};
  copy(both.data, a.data, a.size);
  copy(both.data + a.size, b.data, b.size);
  return both;
}

static inline text decimal(u64 number) {
  text digits = {(char *)proxy_on_memory_allocate(20) + 20, 0};
  do {
    *--digits.data = '0' + number % 10;
    digits.size++;
  } while (number /= 10);
  return digits;
}

static inline u64 parsed(text digits) {
  u64 number = 0;
  for (u32 i = 0; i < digits.size && digits.data[i] >= '0' && digits.data[i] <= '9'; i++)
    number = number * 10 + (u64)(digits.data[i] - '0');
  return number;
}

static inline void say(u32 level, text line) { proxy_log(level, line.data, line.size); }

static inline text buffer(u32 kind, u32 size) {
  text found = {0, 0};
  if (proxy_get_buffer_bytes(kind, 0, size, &found.data, &found.size) != OK) found.size = 0;
  return found;
}

static inline text header(u32 map, text name) {
  text found = {0, 0};
  if (proxy_get_header_map_value(map, name.data, name.size, &found.data, &found.size) != OK) found.size = 0;
  return found;
}

static inline void add_header(u32 map, text name, text value) {
  proxy_add_header_map_value(map, name.data, name.size, value.data, value.size);
}

static inline void remove_header(u32 map, text name) { proxy_remove_header_map_value(map, name.data, name.size); }

typedef struct {
  text name, value;
} pair;

// Pairs as the ABI has them: their number, the sizes of all texts, then the texts with a zero behind each.
static inline text serialised(const pair *pairs, u32 count) {
  u32 size = 4 + 8 * count;
  for (u32 i = 0; i < count; i++) size += pairs[i].name.size + pairs[i].value.size + 2;
  text out = {proxy_on_memory_allocate(size), size};
  u32 *sizes = (u32 *)out.data;
  char *at = out.data + 4 + 8 * count;
  *sizes++ = count;
  for (u32 i = 0; i < count; i++) {
    const text both[] = {pairs[i].name, pairs[i].value};
    for (u32 k = 0; k < 2; k++) {
      *sizes++ = both[k].size;
      copy(at, both[k].data, both[k].size);
      at[both[k].size] = 0;
      at += both[k].size + 1;
    }
  }
  return out;
}

static inline void answer(u32 status, text body, const pair *headers, u32 count) {
  text more = count ? serialised(headers, count) : (text){0, 0};
  proxy_send_local_response(status, 0, 0, body.data, body.size, (u8 *)more.data, more.size, NO_GRPC_STATUS);
}

#endif
