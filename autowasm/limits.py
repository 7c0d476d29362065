"""Every cap of the system: one home, a unit, a reason."""

from __future__ import annotations

from typing import Final

MIB: Final = 1024 * 1024

MODULE_BYTES: Final = 256 * MIB
"""Largest module that is pulled at all: the cap of Istio's agent (ISTIO_WASM_MAX_BINARY_SIZE_BYTES)."""

ENVOY_BUFFER_BYTES: Final = 32 * MIB
"""What Envoy's remote fetch buffers unless ``http.async_response_buffer_limit`` is raised (async_client_impl.h)."""

MANIFEST_BYTES: Final = 4 * MIB
"""Largest manifest read: the distribution spec tells registries to accept at least this much."""

ERROR_BODY_CHARS: Final = 256
"""How much of an unexpected answer is quoted in a message: enough to recognise it, not to flood a condition."""

FETCH_TRIES: Final = 10
"""``numRetries`` of the sidecar's fetch. Envoy's default of 1 leaves a filter failed until the next push."""

FETCH_BACKOFF_BASE_SECONDS: Final = 1
FETCH_BACKOFF_MAX_SECONDS: Final = 30
"""Bounds of the fetch's jittered back-off; with ten tries a wasmer may be away for some two minutes."""

FETCH_TIMEOUT_SECONDS: Final = 15
"""Time-out of one fetch by a sidecar, as Istio's agent has it (WASM_HTTP_REQUEST_TIMEOUT). The tries, each at its
limit, and the waits between them end within six minutes: what a hung wasmer can hold a booting pod at worst."""

PULL_TIMEOUT_SECONDS: Final = 60
"""Time-out of one request of a pull from a registry or an object URL (connect and each read)."""

DRYRUN_FUEL: Final = 5_000_000_000
"""Instructions that start-up callbacks may use before deployment: some seconds of work, and an end to a loop."""

DRYRUN_MEMORY_BYTES: Final = 1024 * MIB
"""Linear memory of a module under test: the host's own limit (proxy-wasm-cpp-host, limits.h)."""

DRYRUN_STACK_BYTES: Final = MIB
"""Native stack of a module under test."""
