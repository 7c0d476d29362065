"""The cluster: connection, list+watch, server-side apply, Secrets, TokenReview; its errors say "cluster"."""
