// Adds the response headers that its configuration names, a JSON object of strings; refuses any other configuration.
package main

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"

	pw "filters/proxywasm"
)

var headers map[string]string

func main() {}

//go:wasmexport proxy_on_configure
func onConfigure(context, size uint32) uint32 {
	if err := json.Unmarshal([]byte(pw.Buffer(pw.Configuration, size)), &headers); err != nil {
		pw.Log(pw.Error, "a configuration that is a JSON object of strings is needed")
		return 0
	}
	pw.Log(pw.Info, fmt.Sprintf("%d headers to add", len(headers)))
	return 1
}

//go:wasmexport proxy_on_response_headers
func onResponseHeaders(context, count, end uint32) uint32 {
	for _, name := range slices.Sorted(maps.Keys(headers)) {
		pw.AddHeader(pw.ResponseHeaders, name, headers[name])
	}
	return pw.Continue
}
