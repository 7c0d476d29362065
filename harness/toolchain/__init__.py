"""The programs of a mesh: which ones, where they come from, built once. Starts `go`, nothing of a mesh."""
