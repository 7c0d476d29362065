// Loads an image as a sidecar's agent does: with Istio's own fetcher of Wasm images. The module goes to standard
// output, the digest of the manifest to standard error.
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
	if err := load(os.Args[1]); err != nil {
		fmt.Fprintln(os.Stderr, "error:", err)
		os.Exit(1)
	}
}

func load(image string) error {
	fetcher := wasm.NewImageFetcher(context.Background(), wasm.ImageFetcherOption{})
	fetch, digest, err := fetcher.PrepareFetch(image)
	if err != nil {
		return err
	}
	module, err := fetch()
	if err != nil {
		return err
	}
	fmt.Fprintln(os.Stderr, "digest: sha256:"+digest)
	_, err = os.Stdout.Write(module)
	return err
}
