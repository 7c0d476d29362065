"""Accidents and edits by chance on a mesh that can be harmed, under steady traffic, and what must be left of it."""
