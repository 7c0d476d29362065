"""The ledger of fetches: numbered, kept, bounded, and told to every controller until it has all of it."""

import asyncio
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from autowasm import errors, limits
from autowasm.digest import Digest
from autowasm.net import session
from autowasm.wasmer import fill, tell
from autowasm.wasmer.ledger import Ledger

ONE, TWO = Digest.of(b"1"), Digest.of(b"2")


def _numbers(records):
    return [record["n"] for record in records]


def test_survives_restarts(tmp_path):
    """What was flushed is there after a restart, under the same name, and numbers go on."""
    ledger = Ledger(tmp_path)
    assert ledger.add("10.0.0.7", ONE, 1_800_000_000.25)
    assert ledger.add("10.0.0.8", ONE, 1_800_000_000.25)
    ledger.flush()
    again = Ledger(tmp_path)
    assert again.wasmer == ledger.wasmer
    assert again.after(0, 9) == (0, ledger.after(0, 9)[1])
    assert again.after(0, 1) == (
        0,
        [{"n": 1, "address": "10.0.0.7", "digest": ONE.hex, "time": "2027-01-15T08:00:00.250Z"}],
    )
    again.add("10.0.0.7", TWO, 1.0)
    assert again.last == 3


def test_filters_of_one_sidecar(tmp_path):
    """A sidecar that fetches a module for each of its filters fetches it once; another second is another fetch."""
    ledger = Ledger(tmp_path)
    told = [ledger.add("10.0.0.7", ONE, time) for time in (5.0, 5.1, 5.9, 6.1)]
    assert told == [True, False, False, True]
    assert ledger.add("10.0.0.7", TWO, 6.1)


@given(st.integers(0, 400))
def test_cut_at_any_byte(tmp_path_factory, cut):
    """Wherever a crash cut the file, the whole lines before are read, and the next record is written behind them."""
    root = tmp_path_factory.mktemp("wasmer")
    ledger = Ledger(root)
    for number in range(3):
        ledger.add("10.0.0.7", ONE, float(10 * number))
    ledger.flush()
    file = root / "fetches" / "records"
    data = file.read_bytes()[:cut]
    file.write_bytes(data)
    again = Ledger(root)
    assert _numbers(again.after(0, 9)[1]) == list(range(1, data.count(b"\n") + 1))
    again.add("10.0.0.9", ONE, 99.0)
    again.flush()
    assert _numbers(Ledger(root).after(0, 9)[1]) == list(range(1, again.last + 1))


def test_bounded(tmp_path):
    """Only so many records are kept, in memory and on disk; who asks for older ones gets what is left."""
    ledger = Ledger(tmp_path)
    most = limits.LEDGER_RECORDS
    for number in range(3 * most):
        ledger.add("10.0.0.7", ONE, 10.0 * number)
        if number % most == 0:
            ledger.flush()
    ledger.flush()
    ledger.add("10.0.0.8", ONE, 0.0)
    ledger.flush()
    lines = (tmp_path / "fetches" / "records").read_text().splitlines()
    assert len(lines) <= 2 * most + 1
    behind, records = ledger.after(0, 2)
    assert behind > 0
    assert _numbers(records) == [behind + 1, behind + 2]
    assert json.loads(lines[-1])["n"] == ledger.last == 3 * most + 1


def test_numbers_that_a_controller_knows(tmp_path):
    """Where a controller knows more than this ledger, numbers go on behind it, and what it had is told to others."""
    ledger = Ledger(tmp_path)
    ledger.add("10.0.0.7", ONE, 1.0)
    ledger.skip_to(10)
    ledger.add("10.0.0.7", ONE, 9.0)
    assert _numbers(ledger.after(0, 9)[1]) == [1]
    behind, records = ledger.after(1, 9)
    assert (behind, _numbers(records)) == (10, [11])
    assert ledger.after(11, 9) == (11, [])


def test_unusable_folder(tmp_path):
    """A folder that can't be made is an error that names it."""
    (tmp_path / "fetches").write_text("")
    with pytest.raises(errors.Final, match="fetches: must be writable"):
        Ledger(tmp_path)


@pytest.fixture
def told(token_file):
    """Tells the ledger to controllers once: ``told(ledger, urls, times=1)``, whether all listened each time."""

    def run(ledger, urls, times=1):
        async def main():
            async with session.client(timeout=5, proxies=False) as http:
                teller = tell.Teller(ledger, http, fill.Sources((), tuple(urls), token_file))
                return [await teller.tell() for _ in range(times)]

        return asyncio.run(main())

    return run


def test_told_once(told, tmp_path, controller):
    """A controller is told of each fetch once, in batches, and then that nothing happened."""
    ledger = Ledger(tmp_path)
    count = 2 * limits.LEDGER_BATCH + 1
    for number in range(count):
        ledger.add("10.0.0.7", ONE, 10.0 * number)
    assert told(ledger, [controller.url], times=2) == [True, True]
    assert _numbers(controller.records) == list(range(1, count + 1))
    assert controller.tellings[-1] == {"wasmer": ledger.wasmer, "after": count, "fetches": []}
    assert _numbers(Ledger(tmp_path).after(0, count)[1]) == list(
        range(1, count + 1)
    )  # on disk before it was told


def test_new_controller_is_told_all(told, tmp_path, controller):
    """A controller that lost what it had is told from the beginning."""
    ledger = Ledger(tmp_path)
    ledger.add("10.0.0.7", ONE, 1.0)
    told(ledger, [controller.url])
    controller.records.clear()
    ledger.add("10.0.0.7", TWO, 2.0)
    told(ledger, [controller.url])
    assert _numbers(controller.records) == [1, 2]


@pytest.mark.parametrize("fault", ["status", "token", "dead"])
def test_deaf_controller(told, tmp_path, controller, dead_url, fault):
    """A controller that does not listen keeps another from nothing, and is told all later."""
    ledger = Ledger(tmp_path)
    ledger.add("10.0.0.7", ONE, 1.0)
    if fault == "dead":
        assert told(ledger, [dead_url, controller.url]) == [False]
        assert _numbers(controller.records) == [1]
        return
    controller.status, controller.token = (500, "right") if fault == "status" else (0, "other")
    assert told(ledger, [controller.url]) == [False]
    controller.status, controller.token = 0, "right"
    assert told(ledger, [controller.url]) == [True]
    assert _numbers(controller.records) == [1]


def test_records_that_are_gone(told, tmp_path, controller):
    """Where records between are gone, a controller that asks for them is told so, and takes the rest at once."""
    ledger = Ledger(tmp_path)
    ledger.skip_to(10)
    ledger.add("10.0.0.7", ONE, 1.0)
    assert told(ledger, [controller.url]) == [True]
    assert _numbers(controller.records) == [11]


def test_fetches_are_told(wasmer, store, http, controller):
    """A whole fetch by a sidecar is told with its address soon; a HEAD, a part and a peer's question are not."""
    path = "/wasm/" + store.put(b"\0asm").hex
    url = wasmer(controllers=[controller.url]) + path
    http.head(url)
    http.get(url, headers={"range": "bytes=0-1"})
    http.get(url, headers={"x-autowasm-hop": "1"})
    assert http.get(url).content == b"\0asm"
    assert controller.told.wait(10)
    (record,) = controller.records
    assert (record["address"], record["digest"]) == ("127.0.0.1", path.rpartition("/")[2])
