// Loads an image as a sidecar's agent does: with Istio's own fetcher of Wasm images. Its arguments are the image
// and the file that the module goes to.
package main

import (
	"context"
	"fmt"
	"os"

	"istio.io/istio/pkg/wasm"
)

const version = "1.31.0" // of Istio

func main() {
	if len(os.Args) < 2 || os.Args[1] == "--version" {
		fmt.Println("istioload", version)
		return
	}
	if len(os.Args) != 3 {
		fmt.Fprintln(os.Stderr, "error: usage: istioload IMAGE FILE")
		os.Exit(2)
	}
	if err := load(os.Args[1], os.Args[2]); err != nil {
		fmt.Fprintln(os.Stderr, "error:", err)
		os.Exit(1)
	}
}

func load(image, file string) error {
	fetcher := wasm.NewImageFetcher(context.Background(), wasm.ImageFetcherOption{})
	fetch, _, err := fetcher.PrepareFetch(image)
	if err != nil {
		return err
	}
	module, err := fetch()
	if err != nil {
		return err
	}
	return os.WriteFile(file, module, 0o600)
}
