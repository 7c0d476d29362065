"""No foreign exception passes the adapter, and each becomes the error that its answer asks for."""

from __future__ import annotations

import httpx2
import lightkube
import pytest
from lightkube.core import exceptions
from lightkube.models.meta_v1 import Status, StatusCause, StatusDetails

from autowasm import errors
from autowasm.kube import faults

REQUEST = httpx2.Request("GET", "https://api.example/x")


def answer(code: int, **headers: str) -> httpx2.HTTPStatusError:
    """An answer that is not the API server's own JSON."""
    response = httpx2.Response(code, headers=headers, text="words", request=REQUEST)
    return httpx2.HTTPStatusError("failed", request=REQUEST, response=response)


def api(code: int, *fields: str) -> lightkube.ApiError:
    """A Status of the API server, with the fields it complains about."""
    details = StatusDetails(causes=[StatusCause(field=name) for name in fields])
    return lightkube.ApiError(status=Status(code=code, message="words", details=details))


@pytest.mark.parametrize(
    ("raised", "kind", "reason"),
    [
        (httpx2.ConnectError("refused"), errors.Retry, "Unreachable"),
        (httpx2.ReadTimeout(""), errors.Retry, "Unreachable"),
        (httpx2.RemoteProtocolError("closed"), errors.Retry, "Unreachable"),
        (OSError("broken"), errors.Retry, "Unreachable"),
        (ValueError("no JSON"), errors.Retry, "Unreachable"),
        (KeyError("Content-Type"), errors.Retry, "Unreachable"),
        (exceptions.ConfigError("token file gone"), errors.Retry, "Unauthorized"),
        (api(401), errors.Retry, "Unauthorized"),
        (api(403), errors.Final, "Forbidden"),
        (api(404), errors.Final, "NotFound"),
        (api(409), errors.Retry, "Conflict"),
        (api(410), errors.Retry, "Gone"),
        (api(422, "metadata.uid"), errors.Retry, "Conflict"),
        (api(422), errors.Retry, "Conflict"),
        (api(422, "spec.filter"), errors.Final, "Rejected"),
        (api(400, "spec"), errors.Final, "Rejected"),
        (api(500), errors.Retry, "ApiServerFault"),
        (answer(429), errors.Retry, "TooManyRequests"),
        (answer(410), errors.Retry, "Gone"),
        (answer(503), errors.Retry, "ApiServerFault"),
        (answer(403), errors.Final, "Forbidden"),
    ],
    ids=repr,
)
def test_each_becomes_one_of_ours(raised, kind, reason):
    """The error has the side, the reason and the action, and the foreign one as its cause."""
    with pytest.raises(kind) as caught, faults.of("read of thing a/b"):
        raise raised
    assert type(caught.value) is kind
    assert (caught.value.side, caught.value.reason) == ("cluster", reason)
    assert str(caught.value).startswith("cluster: read of thing a/b: ")
    assert caught.value.__cause__ is raised


def test_a_wait_that_was_asked_for():
    """Retry-After of an answer is the least wait."""
    with pytest.raises(errors.Retry) as caught, faults.of("x"):
        raise answer(429, **{"Retry-After": "3"})
    assert caught.value.after == 3.0


def test_long_answers_are_cut():
    """A page of HTML does not flood a condition."""
    with pytest.raises(errors.Retry) as caught, faults.of("x"):
        raise lightkube.ApiError(status=Status(code=500, message="m" * 10_000))
    assert len(caught.value.message) < 400


def test_our_own_faults_pass():
    """What is a fault of the program is not dressed up as the cluster's."""
    with pytest.raises(ZeroDivisionError), faults.of("x"):
        raise ZeroDivisionError
