"""AutoWasm: Proxy-Wasm modules from OCI registries into running Istio sidecars."""
