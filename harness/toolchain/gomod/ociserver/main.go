// A registry in memory, by the ociserver of cuelabs.dev/go/oci: an implementation of its own of the OCI
// distribution specification. It listens on its first argument; a second one, "terse", has it leave out what
// large registries leave out: the digest of a tag's manifest, links between pages, uploads in one POST.
package main

import (
	"fmt"
	"net/http"
	"os"

	"cuelabs.dev/go/oci/ociregistry/ocimem"
	"cuelabs.dev/go/oci/ociregistry/ociserver"
)

const version = "0.0.0-20251212221603-3adeb8663819"

func main() {
	if len(os.Args) < 2 || os.Args[1] == "--version" {
		fmt.Println("ociserver", version)
		return
	}
	options := &ociserver.Options{}
	if len(os.Args) > 2 && os.Args[2] == "terse" {
		options.OmitDigestFromTagGetResponse = true
		options.OmitLinkHeaderFromResponses = true
		options.DisableSinglePostUpload = true
	}
	registry := ociserver.New(ocimem.New(), options)
	logged := http.HandlerFunc(func(answer http.ResponseWriter, request *http.Request) {
		registry.ServeHTTP(answer, request)
		fmt.Printf("\"%s %s\"\n", request.Method, request.URL)
	})
	if err := http.ListenAndServe(os.Args[1], logged); err != nil {
		fmt.Fprintln(os.Stderr, "error:", err)
		os.Exit(1)
	}
}
