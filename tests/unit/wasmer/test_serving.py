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
