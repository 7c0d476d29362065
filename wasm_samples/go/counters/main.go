// Numbers the requests of all threads in shared data, and keeps a counter and a histogram of them.
package main

import (
	"strconv"

	pw "filters/proxywasm"
)

var requests, lengths uint32

func main() {}

//go:wasmexport proxy_on_configure
func onConfigure(context, size uint32) uint32 {
	requests = pw.Metric(pw.Counter, "go_requests")
	lengths = pw.Metric(pw.Histogram, "go_path_lengths")
	return 1
}

//go:wasmexport proxy_on_request_headers
func onRequestHeaders(context, count, end uint32) uint32 {
	pw.Increment(requests, 1)
	pw.Record(lengths, uint64(len(pw.Header(pw.RequestHeaders, ":path"))))
	for {
		old, version := pw.Shared("requests")
		number, _ := strconv.Atoi(old)
		if pw.Share("requests", strconv.Itoa(number+1), version) {
			pw.AddHeader(pw.RequestHeaders, "x-request-number", strconv.Itoa(number+1))
			return pw.Continue
		}
	}
}
