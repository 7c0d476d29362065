"""A Proxy-Wasm host of its own: what a sidecar does to a request, in microseconds and without a sidecar."""
