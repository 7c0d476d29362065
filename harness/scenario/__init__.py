"""The scenario format: YAML text in, frozen values or faults with their positions out. Pure."""
