"""The OCI formats as pure functions: references, manifests, layouts, unpacking, challenges, error bodies."""
