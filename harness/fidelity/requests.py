"""The requests that every module is shown, and the upstreams that answer: what HTTP/1.1 allows and people send."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

APP: Final = "app"
_SEVERAL: Final = ["alpha ", "beta ", "gamma"]


def _rule(path: str, status: int = 200, **rest: Any) -> dict[str, Any]:
    return {
        "match": {"path_prefix": path, "headers": {}},
        "status": status,
        "headers": rest.pop("headers", []),
        "body": rest.pop("body", []),
        "trailers": rest.pop("trailers", []),
        "delay_ms": rest.pop("delay_ms", 0),
    }


CLUSTERS: Final[Mapping[str, list[dict[str, Any]]]] = {
    APP: [
        _rule("/empty", 204),
        _rule("/missing", 404, headers=[["content-type", "text/html"]], body=["<h1>no</h1>"]),
        _rule("/error", 500, body=["it ", "broke"]),
        _rule(
            "/cookies", headers=[["Set-Cookie", "a=1"], ["Set-Cookie", "b=2"], ["X-ODD-Case", "Kept Value"]]
        ),
        _rule("/sized", headers=[["Content-Length", "10"]], body=["01234", "56789"]),
        _rule("/trailers", body=["one", "two"], trailers=[["X-Checksum", "abc"], ["x-empty", ""]]),
        _rule("/moved", 302, headers=[["Location", "/other"]]),
        _rule(
            "/",
            headers=[["Content-Type", "text/plain"], ["Server", "app/1"]],
            body=["hello ", "from ", "app"],
        ),
    ],
    "auth": [
        {
            **_rule("/"),
            "match": {"path_prefix": "/", "headers": {"authorization": "good"}},
            "body": ["user-7"],
        },
        _rule("/", 401, body=["who?"]),
    ],
}


def slowly(cluster: str, delay_ms: int) -> dict[str, list[dict[str, Any]]]:
    """The clusters, with one that takes its time."""
    return {
        name: [{**rule, "delay_ms": delay_ms} for rule in rules] if name == cluster else rules
        for name, rules in CLUSTERS.items()
    }


def _request(name: str, method: str, path: str, **rest: Any) -> dict[str, Any]:
    return {
        "name": name,
        "method": method,
        "path": path,
        "headers": rest.pop("headers", []),
        "body": rest.pop("body", None),
        "trailers": rest.pop("trailers", None),
        "sleep_ms_before": rest.pop("sleep_ms_before", 0),
    }


_ODD: Final = [
    ["Host", "shop.example.com:8080"],
    ["X-Mixed-CASE", "One"],
    ["x-mixed-case", "two"],
    ["X-Empty", ""],
    ["Cookie", "a=1; b=2"],
    ["Cookie", "c=3"],
    ["Accept", "text/html, */*;q=0.1"],
    ["User-Agent", "probe/1.0"],
    ["Authorization", "good"],
]
ALL: Final[tuple[dict[str, Any], ...]] = (
    _request("get", "GET", "/"),
    _request("odd-headers", "GET", "/cookies?q=1&q=2", headers=_ODD),
    _request("head", "HEAD", "/sized"),
    _request("post-one-chunk", "POST", "/", headers=[["Content-Type", "text/plain"]], body=["only"]),
    _request("post-chunks", "POST", "/error", body=_SEVERAL),
    _request("put-sized", "PUT", "/sized", headers=[["Content-Length", "16"]], body=_SEVERAL),
    _request("post-trailers", "POST", "/trailers", body=_SEVERAL, trailers=[["X-Sum", "1"], ["X-Sum", "2"]]),
    _request("delete", "DELETE", "/empty", headers=[["Authorization", "bad"]]),
    _request("options", "OPTIONS", "/moved", headers=[["X-Request-Id", "given-by-the-client"]]),
    _request("patch-binary", "PATCH", "/missing", body=[{"base64": "AP+AfwA="}, "tail"]),
    _request("post-empty", "POST", "/", body=[]),
    _request("get-again", "GET", "/", headers=[["x-again", "yes"]]),
)
