"""The API and what it becomes: AutoWasm objects in, EnvoyFilters, conditions and manifests out. Pure."""
