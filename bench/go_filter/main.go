// A filter of the size that Go filters have: it reads a JSON configuration, matches paths by regular
// expression, and adds headers. It is bound to the ABI by hand, so that it needs no module but Go's own.
package main

import (
	"encoding/json"
	"fmt"
	"net/url"
	"regexp"
	"strings"
	"unsafe"
)

type rule struct {
	Path   string            `json:"path"`
	Header map[string]string `json:"header"`
}

var (
	rules   []rule
	pinned  = map[*byte][]byte{}
	matcher = regexp.MustCompile(`^/([a-z]+)/(\d+)$`)
)

//go:wasmimport env proxy_log
func proxyLog(level uint32, data *byte, size uint32) uint32

//go:wasmimport env proxy_add_header_map_value
func addHeader(kind uint32, key *byte, keySize uint32, value *byte, valueSize uint32) uint32

//go:wasmimport env proxy_get_buffer_bytes
func getBuffer(kind, start, size uint32, at, length *uint32) uint32

//go:wasmimport env proxy_get_header_map_value
func getHeader(kind uint32, key *byte, keySize uint32, at, length *uint32) uint32

//go:wasmexport proxy_abi_version_0_2_0
func abi() {}

//go:wasmexport proxy_on_memory_allocate
func allocate(size uint32) *byte {
	data := make([]byte, size)
	pinned[unsafe.SliceData(data)] = data
	return unsafe.SliceData(data)
}

//go:wasmexport proxy_on_context_create
func create(context, parent uint32) {}

//go:wasmexport proxy_on_vm_start
func start(context, size uint32) uint32 { return 1 }

//go:wasmexport proxy_on_configure
func configure(context, size uint32) uint32 {
	if size == 0 {
		return 1
	}
	var at uint32
	var length uint32
	if getBuffer(7, 0, size, &at, &length) != 0 {
		return 0
	}
	if err := json.Unmarshal(take(at, length), &rules); err != nil {
		say(fmt.Sprintf("configuration: %v", err))
		return 0
	}
	return 1
}

//go:wasmexport proxy_on_request_headers
func request(context, count, end uint32) uint32 {
	path, err := url.Parse(header(":path"))
	if err != nil {
		return 0
	}
	if found := matcher.FindStringSubmatch(path.Path); found != nil {
		add("x-kind", found[1])
	}
	for _, rule := range rules {
		if strings.HasPrefix(path.Path, rule.Path) {
			for key, value := range rule.Header {
				add(key, value)
			}
		}
	}
	add("x-shown", fmt.Sprintf("%q", path))
	return 0
}

func header(key string) string {
	var at uint32
	var length uint32
	if getHeader(0, unsafe.StringData(key), uint32(len(key)), &at, &length) != 0 {
		return ""
	}
	return string(take(at, length))
}

func add(key, value string) {
	addHeader(0, unsafe.StringData(key), uint32(len(key)), unsafe.StringData(value), uint32(len(value)))
}

func say(text string) { proxyLog(2, unsafe.StringData(text), uint32(len(text))) }

// take returns what the host wrote into memory that allocate gave it.
func take(at, length uint32) []byte {
	data := (*byte)(unsafe.Pointer(uintptr(at)))
	defer delete(pinned, data)
	return pinned[data][:length]
}

func main() {}
