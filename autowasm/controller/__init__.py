"""The controller: it alone pulls modules, reads Secrets and writes EnvoyFilters and statuses."""
