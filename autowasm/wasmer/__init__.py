"""wasmer: serves modules by digest to sidecars. It never talks to a registry and never reads a Secret."""
