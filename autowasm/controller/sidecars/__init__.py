"""Whom each AutoWasm reaches, and how far its module has come there: pods, who fetched what, what sidecars run."""
