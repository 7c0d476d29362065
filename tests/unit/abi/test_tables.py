"""The tables are what the data says, and everything in them is answered."""

from __future__ import annotations

from autowasm.abi import generate, hostcalls, tables, wasi


def test_tables_are_generated() -> None:
    """tables.py is what the generator makes of proxy_wasm_abi.json."""
    assert generate.main(["--check"]) == 0


def test_every_host_function_is_answered() -> None:
    """The dry run has an answer for every function that can be imported, and for no other."""
    answered = set(hostcalls.TABLE) | {
        f"{m}.{n}" for m in ("wasi_snapshot_preview1", "wasi_unstable") for n in wasi.TABLE
    }
    assert answered == set(tables.HOST_FUNCTIONS)


def test_restrictions_name_what_there_is() -> None:
    """What may be called at the start, by the allocator and by a start section can be imported at all."""
    for names in (tables.START_ALLOWED, tables.ALLOCATOR_ALLOWED, tables.CONTEXTLESS):
        assert names <= set(tables.HOST_FUNCTIONS)
