"""What wasmer answers from its own store."""

import pytest

from autowasm import serving
from autowasm.digest import Digest

MODULE = b"\0asm\x01\0\0\0" + b"module"


def test_module(wasmer, store, http):
    """A module in the store is answered whole, with its length and its digest as the tag."""
    digest = store.put(MODULE)
    answer = http.get(wasmer() + serving.module_path(digest))
    assert (answer.status_code, answer.content) == (200, MODULE)
    assert answer.headers["content-length"] == str(len(MODULE))
    assert answer.headers["etag"] == f'"{digest.hex}"'
    assert answer.headers["content-type"] == "application/wasm"
    assert "transfer-encoding" not in answer.headers


def test_large_module(wasmer, store, http):
    """A module of many chunks arrives whole."""
    data = bytes(range(256)) * 12_289
    assert http.get(wasmer() + serving.module_path(store.put(data))).content == data


def test_head(wasmer, store, http):
    """HEAD answers as GET does, without the module."""
    digest = store.put(MODULE)
    url = wasmer() + serving.module_path(digest)
    got, head = http.get(url), http.head(url)
    assert (head.status_code, head.content) == (200, b"")
    assert {**head.headers, "date": ""} == {**got.headers, "date": ""}


@pytest.mark.parametrize("name", ["x", "A" * 64, "a" * 63, "a" * 65, f"sha256:{'a' * 64}"])
def test_malformed_digest(wasmer, http, name):
    """What is no digest is a bad request, whatever it looks like."""
    assert http.get(f"{wasmer()}/wasm/{name}").status_code == 400


@pytest.mark.parametrize(
    "path", ["/wasm/", "/", "/wasm/../../etc/passwd", "/wasm/%2e%2e%2fsha256", "/blobs/" + "a" * 64]
)
def test_other_paths(wasmer, http, path):
    """There is nothing else to be had."""
    assert http.get(wasmer() + path).status_code == 404


def test_writing_is_not_allowed(wasmer, store, http):
    """Nobody puts a module through this door."""
    url = wasmer() + serving.module_path(Digest.of(MODULE))
    assert http.put(url, content=MODULE).status_code == 405
    assert store.digests() == frozenset()


@pytest.mark.parametrize("path", ["/healthz", "/readyz"])
def test_probes(wasmer, http, path):
    """A wasmer that serves says that it is well."""
    assert http.get(wasmer() + path).text == "ok\n"


def test_metrics(wasmer, store, http):
    """Answers by status, bytes sent and modules held are counted."""
    url = wasmer()
    http.get(url + serving.module_path(store.put(MODULE)))
    http.head(url + serving.module_path(Digest.of(MODULE)))
    http.get(url + "/wasm/x")
    lines = http.get(url + "/metrics").text.splitlines()
    assert 'wasmer_requests_total{status="200"} 2.0' in lines
    assert 'wasmer_requests_total{status="400"} 1.0' in lines
    assert f"wasmer_sent_bytes_total {float(len(MODULE))}" in lines
    assert "wasmer_modules 1.0" in lines


def test_known_module(wasmer, store, http):
    """Who has the module already is told so, without it."""
    digest = store.put(MODULE)
    answer = http.get(
        wasmer() + serving.module_path(digest), headers={"if-none-match": f'"x", "{digest.hex}"'}
    )
    assert (answer.status_code, answer.content) == (304, b"")
    assert answer.headers["etag"] == f'"{digest.hex}"'


def test_part(wasmer, store, http):
    """A part of a module is answered as such, and where there is no such part the size."""
    url = wasmer() + serving.module_path(store.put(MODULE))
    part = http.get(url, headers={"range": "bytes=4-7"})
    assert (part.status_code, part.content) == (206, MODULE[4:8])
    assert part.headers["content-range"] == f"bytes 4-7/{len(MODULE)}"
    none = http.get(url, headers={"range": "bytes=400-"})
    assert (none.status_code, none.headers["content-range"]) == (416, f"bytes */{len(MODULE)}")


def test_rate(wasmer, store, http):
    """An address that asks too often is told when to come again; probes are not counted."""
    url = wasmer(rate=0.001, burst=5)
    path = url + serving.module_path(store.put(MODULE))
    statuses = [http.head(path).status_code for _ in range(5)]
    assert statuses == [200] * len(statuses)
    refused = http.head(path)
    assert (refused.status_code, refused.headers["retry-after"]) == (429, "1")
    assert http.get(url + "/readyz").status_code == 200
    assert 'wasmer_refused_total{reason="rate"} 1.0' in http.get(url + "/metrics").text


def test_damage_on_disk_is_seen(wasmer, store, http, root):
    """A module whose file is changed after it was served is not served any more."""
    digest = store.put(MODULE)
    url = wasmer() + serving.module_path(digest)
    assert http.get(url).content == MODULE
    path = root / "sha256" / digest.hex
    path.chmod(0o644)
    path.write_bytes(b"damaged")
    assert http.get(url).status_code == 503
