"""The functions that a module may call, by what they are about. ``table`` has all of them by name."""
