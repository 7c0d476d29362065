"""``wasmc``: push a module to a registry, pull it back, check it before either."""
