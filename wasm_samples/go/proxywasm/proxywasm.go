// Package proxywasm has the part of Proxy-Wasm ABI 0.2.1 that these filters use. The Go compiler imports and exports
// functions of Wasm itself (//go:wasmimport, //go:wasmexport), so that no SDK is needed for it.
package proxywasm

import (
	"encoding/binary"
	"unsafe"
)

// What the ABI numbers.
const (
	OK, CASMismatch                                           = 0, 8
	Continue, Pause                                           = 0, 1
	Info, Warn, Error                                         = 2, 3, 4
	RequestHeaders, ResponseHeaders, CallHeaders              = 0, 2, 6
	RequestBody, ResponseBody, CallBody, Configuration        = 0, 1, 4, 7
	Counter, Gauge, Histogram                                 = 0, 1, 2
	noGRPCStatus                                       uint32 = 0xffffffff
)

//go:wasmexport proxy_abi_version_0_2_1
func abiVersion() {}

// What the host was given memory for, until enough has come after it.
var (
	handed [64][]byte
	next   int
)

//go:wasmexport proxy_on_memory_allocate
func allocate(size uint32) unsafe.Pointer {
	next = (next + 1) % len(handed)
	handed[next] = make([]byte, max(size, 1))
	return unsafe.Pointer(&handed[next][0])
}

//go:wasmimport env proxy_log
func hostLog(level uint32, text unsafe.Pointer, size uint32) uint32

//go:wasmimport env proxy_get_buffer_bytes
func hostGetBuffer(buffer, start, length uint32, data, size unsafe.Pointer) uint32

//go:wasmimport env proxy_get_header_map_value
func hostGetHeader(m uint32, name unsafe.Pointer, size uint32, data, dataSize unsafe.Pointer) uint32

//go:wasmimport env proxy_add_header_map_value
func hostAddHeader(m uint32, name unsafe.Pointer, size uint32, value unsafe.Pointer, valueSize uint32) uint32

//go:wasmimport env proxy_send_local_response
func hostAnswer(status uint32, details unsafe.Pointer, detailsSize uint32, body unsafe.Pointer, bodySize uint32,
	headers unsafe.Pointer, headersSize uint32, grpc uint32) uint32

//go:wasmimport env proxy_http_call
func hostCall(cluster unsafe.Pointer, clusterSize uint32, headers unsafe.Pointer, headersSize uint32,
	body unsafe.Pointer, bodySize uint32, trailers unsafe.Pointer, trailersSize uint32, timeout uint32,
	call unsafe.Pointer) uint32

//go:wasmimport env proxy_set_effective_context
func hostSetContext(context uint32) uint32

//go:wasmimport env proxy_continue_stream
func hostContinue(stream uint32) uint32

//go:wasmimport env proxy_get_shared_data
func hostGetShared(key unsafe.Pointer, size uint32, data, dataSize, cas unsafe.Pointer) uint32

//go:wasmimport env proxy_set_shared_data
func hostSetShared(key unsafe.Pointer, size uint32, value unsafe.Pointer, valueSize uint32, cas uint32) uint32

//go:wasmimport env proxy_define_metric
func hostDefineMetric(kind uint32, name unsafe.Pointer, size uint32, metric unsafe.Pointer) uint32

//go:wasmimport env proxy_increment_metric
func hostIncrementMetric(metric uint32, by int64) uint32

//go:wasmimport env proxy_record_metric
func hostRecordMetric(metric uint32, value uint64) uint32

func raw(text string) (unsafe.Pointer, uint32) {
	return unsafe.Pointer(unsafe.StringData(text)), uint32(len(text))
}

// A result is where the host says what it wrote into memory that it asked for.
type result struct {
	data unsafe.Pointer
	size uint32
}

func (r *result) text() string {
	if r.size == 0 {
		return ""
	}
	return string(unsafe.Slice((*byte)(r.data), r.size))
}

// Log writes a line to the proxy's log.
func Log(level uint32, line string) {
	text, size := raw(line)
	hostLog(level, text, size)
}

// Buffer returns a buffer from its start.
func Buffer(buffer, size uint32) string {
	var found result
	if hostGetBuffer(buffer, 0, size, unsafe.Pointer(&found.data), unsafe.Pointer(&found.size)) != OK {
		return ""
	}
	return found.text()
}

// Header returns a header's value, empty where there is none.
func Header(m uint32, name string) string {
	var found result
	text, size := raw(name)
	if hostGetHeader(m, text, size, unsafe.Pointer(&found.data), unsafe.Pointer(&found.size)) != OK {
		return ""
	}
	return found.text()
}

// AddHeader adds a header.
func AddHeader(m uint32, name, value string) {
	n, nameSize := raw(name)
	v, valueSize := raw(value)
	hostAddHeader(m, n, nameSize, v, valueSize)
}

// Answer answers the request in place of the application.
func Answer(status uint32, body string) {
	text, size := raw(body)
	hostAnswer(status, nil, 0, text, size, nil, 0, noGRPCStatus)
}

// Call asks a cluster; the number is that of the call when its answer comes.
func Call(cluster string, headers [][2]string, timeout uint32) (uint32, bool) {
	var call uint32
	name, nameSize := raw(cluster)
	pairs, pairsSize := raw(serialised(headers))
	status := hostCall(name, nameSize, pairs, pairsSize, nil, 0, nil, 0, timeout, unsafe.Pointer(&call))
	return call, status == OK
}

func serialised(pairs [][2]string) string {
	out := binary.LittleEndian.AppendUint32(nil, uint32(len(pairs)))
	for _, pair := range pairs {
		for _, text := range pair {
			out = binary.LittleEndian.AppendUint32(out, uint32(len(text)))
		}
	}
	for _, pair := range pairs {
		for _, text := range pair {
			out = append(append(out, text...), 0)
		}
	}
	return string(out)
}

// Resume lets the request of a stream go on that a callback held back.
func Resume() { hostContinue(0) }

// ActFor makes the calls that follow work on a stream.
func ActFor(context uint32) { hostSetContext(context) }

// Shared returns a value that all threads share, and its version.
func Shared(key string) (string, uint32) {
	var found result
	var version uint32
	text, size := raw(key)
	out := []unsafe.Pointer{unsafe.Pointer(&found.data), unsafe.Pointer(&found.size), unsafe.Pointer(&version)}
	if hostGetShared(text, size, out[0], out[1], out[2]) != OK {
		return "", 0
	}
	return found.text(), version
}

// Share sets a shared value, unless its version is another by now.
func Share(key, value string, version uint32) bool {
	k, keySize := raw(key)
	v, valueSize := raw(value)
	return hostSetShared(k, keySize, v, valueSize, version) != CASMismatch
}

// Metric defines a metric.
func Metric(kind uint32, name string) uint32 {
	var metric uint32
	text, size := raw(name)
	if hostDefineMetric(kind, text, size, unsafe.Pointer(&metric)) != OK {
		Log(Error, "no metric "+name)
	}
	return metric
}

// Increment adds to a counter or a gauge.
func Increment(metric uint32, by int64) { hostIncrementMetric(metric, by) }

// Record sets a gauge, or adds a value to a histogram.
func Record(metric uint32, value uint64) { hostRecordMetric(metric, value) }
