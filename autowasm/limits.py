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

DIAL_SECONDS: Final = 5.0
"""Time for one address of a host that has several; the last of them has the whole time-out."""

ANSWER_SECONDS: Final = 120.0
"""Until the header of an answer must have come, however small the pieces in which it comes: twice the time-out of a
read. The body of a request adds its own time, at the least pace."""

SLOWEST_BYTES_PER_SECOND: Final = 16 * 1024
SLOW_GRACE_SECONDS: Final = 30.0
"""The least pace of a body, counted once it has been waited for so long: 128 kbit/s, below it no module arrives before
somebody gives up, and a server that drips holds no worker for longer than the grace."""

SLOW_AFTER_SECONDS: Final = 60.0
"""When to come back to a server that is too slow: more than a caller in front of it waits for."""

CRUMBS: Final = 20_000
CRUMB_BYTES: Final = 64
"""Pieces of a body after which they must have so many bytes on average: a chunk of one byte takes ten microseconds to
read, a module in such chunks most of an hour. What a network cuts has a thousand bytes and more."""

HEADER_BYTES: Final = 100 * 1024
"""Largest header of an answer; the HTTP library's own cap (httpcore, MAX_INCOMPLETE_EVENT_SIZE), which a test holds
it to."""

UNPACKED_BYTES: Final = 2 * MODULE_BYTES
"""What one layer may unpack to in all, read or skipped: beyond it is a bomb or not a module's image."""

UNPACK_RATIO: Final = 200
UNPACK_RATIO_FROM_BYTES: Final = 32 * MIB
"""How many times its compressed size a layer may unpack to, counted from a size on that no sidecar fetches without
being told to: modules reach four to ten, bombs a thousand (gzip) and more (zstd)."""

STREAM_MEMBERS: Final = 50_000
"""Members of one gzip stream, or frames of one zstd stream: each costs some microseconds however little it holds.
eStargz has one for each file, and for each 4 MiB of a large one."""

UNPACK_STEP_BYTES: Final = 64 * 1024
"""Compressed bytes that a decompressor is given at once: at the end of a member it copies what is left of them."""

ZSTD_WINDOW_LOG: Final = 23
"""Largest window of a zstd frame, as a power of two of bytes: the 8 MiB that every decoder should have (RFC 8878,
section 3.1.1.1.2). The stream says how much it wants, and gets it at once."""

TAR_ENTRIES: Final = 10_000
"""Entries looked at in one layer: a module's image has a handful, and each costs work."""

TAR_EXTENSION_BYTES: Final = 64 * 1024
"""Largest pax or GNU extension of one tar entry: it holds a path, and paths end at 4 KiB on Linux."""

MANIFEST_ENTRIES: Final = 1_000
"""Layers of a manifest, or manifests of an index: more is an attack, the largest images have some hundred."""

JSON_MEMBERS: Final = 100_000
"""Members of all objects and arrays of a manifest: each takes some hundred bytes of memory however few it has in the
text, and a thousand layers with everything that is said of them have some ten thousand."""

INDEX_TRIES: Final = 8
"""Manifests that are fetched in search of a module, of an index and of those that it lists: each costs a request."""

INDEX_DEPTH: Final = 3
"""How deep indexes may nest: images of tools have one level, collections of them two."""

TOKEN_BYTES: Final = 1024 * 1024
"""Largest answer of a token server: tokens are some KiB."""

TOKEN_LIFE_SECONDS: Final = 60.0
"""Life of a token whose server does not say (distribution spec, token.md, "Token Response Fields")."""

TOKEN_MARGIN: Final = 0.1
"""Part of a token's life in which it is not used any more: a large upload shall not see its end."""

ANSWERS_KEPT: Final = 256
"""Authorizations that a client remembers, one a repository and caller; the oldest goes first."""

VALIDATOR_CHARS: Final = 1024
"""Longest ETag or Last-Modified that is kept and sent back: servers use some dozen, a longer one costs a fetch."""

REFERENCE_CHARS: Final = 1024
"""Longest reference, before any pattern sees it: a host name, a repository, a tag and a digest at their longest."""

READ_BYTES: Final = MIB
"""One step of reading, hashing and unpacking: what a pull takes beside the module is a few of these."""

RESUME_BYTES: Final = 64 * 1024
"""What a try that was cut must have brought for the next one to begin at once, not counted: so a module comes in some
thousand tries at worst, whoever cuts them."""

WHOLE_BYTES: Final = 4 * MIB
"""Largest blob that is sent in one request and held in memory: sending it again costs less than asking how much of it
came."""

SEND_BYTES: Final = 256 * 1024
"""One step of sending: the write time-out counts for each."""

ERROR_BODY_BYTES: Final = 8 * 1024
"""What is read of a failing answer's body: error bodies are smaller, pages of proxies need not be read."""

CHALLENGE_CHARS: Final = 8 * 1024
"""Longest WWW-Authenticate field read: what servers commonly accept of one header line."""

REDIRECTS: Final = 5
"""Redirects that one download follows: registries need one, to their blob storage."""

REQUEST_TRIES: Final = 6
REQUEST_BACKOFF_BASE_SECONDS: Final = 0.2
REQUEST_BACKOFF_MAX_SECONDS: Final = 10.0
"""Tries of one request to a registry or an object URL and the bounds of their jittered waits: about three seconds
in all, enough for a registry that is started again. A Retry-After above the bound is left to the caller."""

DRYRUN_FUEL: Final = 5_000_000_000
"""Instructions that start-up callbacks may use before deployment: some seconds of work, and an end to a loop."""

DRYRUN_MEMORY_BYTES: Final = 1024 * MIB
"""Linear memory of a module under test: the host's own limit (proxy-wasm-cpp-host, limits.h)."""

DRYRUN_MODULE_BYTES: Final = 64 * MIB
"""Largest module that is compiled for a dry run: twice what a sidecar's fetch can hold; compiling takes memory and
time in proportion."""

DRYRUN_STACK_BYTES: Final = MIB
"""Native stack of a module under test."""

STORE_BYTES: Final = 1536 * MIB
"""What a store holds at most, its quarantine included: some hundred modules of the usual 4 to 15 MB. The chart's
volumes have 2 GiB; the rest is for what is being written and for the ledger of fetches."""

STORE_RECENT_SECONDS: Final = 600.0
"""A blob used so lately stays whatever it is for: longer than the tries of one sidecar's fetch go on."""

STORE_TRUST_SECONDS: Final = 10.0
"""How long a blob that was verified is handed out without reading it again while nobody wrote to its file: bits that
rot show in no attribute. Reading costs some milliseconds; a sidecar, which verifies too, tries for minutes."""

QUARANTINED_BLOBS: Final = 4
"""Damaged blobs that are kept to be looked into: the newest tell what happens, and a broken disk makes many."""

FETCH_RECORDS: Final = 50_000
"""Records of who fetched what that a controller keeps, the oldest goes first: five versions, ten thousand sidecars."""

FETCH_TELLERS: Final = 256
FETCH_TELLER_CHARS: Final = 128
"""Wasmers whose telling a controller knows, and their longest name: a mesh has a handful at a time, each with a name of
its own for as long as it keeps its folder."""

FETCHES_BODY_BYTES: Final = MIB
"""Largest body of fetches that a wasmer sends at once: some six thousand."""

CLOCKS_APART_SECONDS: Final = 2.0
"""How far the clocks of two nodes may be apart: by how much a fetch may seem to be older than the sidecar it is of."""

STATISTICS_BYTES: Final = MIB
"""Largest answer of a sidecar's statistics that is read: what is asked for has some kilobytes."""

ASKED_SECONDS: Final = 24 * 3600.0
"""How long a wasmer keeps in any case what a sidecar asked for: a workload that is scaled, or restarted at night, asks
again, and controllers may be away then."""

STOPGAP_BYTES: Final = 64 * MIB
"""Modules that a wasmer holds in memory while its disk is full: two of the largest that a sidecar fetches without
being told to."""

CONNECTIONS: Final = 4096
"""Connections of one wasmer: a thousand sidecars that fetch four filters at once; an idle one takes some KiB."""

CONNECTIONS_SPARE: Final = 64
"""Connections beyond that, for probes and scrapers: a kubelet that finds no room would restart a wasmer that is only
busy."""

CONNECTIONS_PER_ADDRESS: Final = 1024
"""Of one address: a sidecar opens one a fetch, and has a fetch a filter and listener; a node may hide many pods."""

KEEP_ALIVE_SECONDS: Final = 75.0
"""How long an idle connection stays: longer than the pauses of a sidecar's retries."""

REQUEST_HEAD_BYTES: Final = 16 * 1024
"""Largest head of a request: sidecars send some hundred bytes, with traces some KiB."""

REQUEST_FIELDS: Final = 100
"""Fields of one request: the cap of Apache httpd, far above what a proxy adds."""

REQUEST_HEAD_SECONDS: Final = 10.0
"""From a head's first byte to its last: it is one packet, or two."""

STREAM_RESETS: Final = 100
"""Streams of one HTTP/2 connection that its client may reset: who opens them for that alone has work done for nothing
(CVE-2023-44487)."""

REQUESTS_PER_SECOND: Final = 1000.0
REQUESTS_BURST: Final = 10_000.0
"""Requests for modules of one address: a controller that asks about all of a thousand filters several times, a node of
a hundred pods that start at once; a thousand a second take a tenth of a processor. Beyond it 429 and Retry-After, which
a sidecar heeds as any failure."""

ADDRESSES_KEPT: Final = 10_000
"""Addresses whose rate is remembered, some hundred bytes each: more than a cluster's pods on most days."""

FILLS: Final = 8
"""Modules that a wasmer fetches at the same time: as much as its network and disk do at once; the others wait."""

MISSES_PER_ADDRESS: Final = 128
"""Modules that one address may wait for that are not there: a sidecar's filters, what a controller rolls out at once.
Each costs a question to every controller."""

LEDGER_RECORDS: Final = 20_000
"""Fetches that a wasmer remembers, some 200 bytes each: two versions of ten thousand sidecars. Controllers keep more,
and are told of each within a second."""

LEDGER_BATCH: Final = 500
"""Fetches told in one message: some 100 KiB."""
