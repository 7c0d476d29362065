"""Where modules come from: OCI registries (distribution spec) and object URLs."""
