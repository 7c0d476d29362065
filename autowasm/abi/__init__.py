"""What a Proxy-Wasm host demands of a module: the bytes, the ABI, and what the module does when it starts."""
