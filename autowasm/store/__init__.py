"""Where modules are kept on disk."""
