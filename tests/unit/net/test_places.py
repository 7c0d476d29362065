"""What a base URL stands for."""

import asyncio

import pytest

from autowasm.net import places
from autowasm.net.places import Place

ADDRESSES = {"two.test": ["10.0.0.1", "10.0.0.2"], "six.test": ["fd00::1"], "none.test": []}


async def _resolve(name):
    return ADDRESSES[name]


@pytest.mark.parametrize(
    ("base", "expected"),
    [
        (
            "http://two.test:8082",
            [
                Place("http://10.0.0.1:8082", "two.test:8082", "two.test"),
                Place("http://10.0.0.2:8082", "two.test:8082", "two.test"),
            ],
        ),
        ("https://six.test", [Place("https://[fd00::1]", "six.test", "six.test")]),
        ("http://none.test:1", [Place("http://none.test:1", "none.test:1", "none.test")]),
    ],
)
def test_places(base, expected):
    """Each address is a place that knows the name; a name without any is a place itself."""
    assert asyncio.run(places.of([base], _resolve)) == expected


@pytest.mark.parametrize("address", ["127.0.0.1", "::1"])
def test_an_address_is_itself(address):
    """An address that is given in place of a name needs no resolver's opinion."""
    assert asyncio.run(places.resolve(address)) == [address]


@pytest.mark.parametrize("name", ["a" * 300, "a..b"])
def test_what_is_no_name(name):
    """What no resolver could know has no address; that is no error."""
    assert asyncio.run(places.resolve(name)) == []
