"""Real upstreams for calls: a cluster that passes requests on to an HTTP server."""

from __future__ import annotations

import http.client
import urllib.parse

from harness.sim.upstream import Answer, Arrived, Reply

_TIMEOUT = 10.0
_FRAMING = (b"transfer-encoding", b"connection", b"keep-alive")


class BadAddress(ValueError):
    """Not the address of an HTTP server."""


def at(url: str) -> Answer:
    """A cluster at ``http://host:port``. A server that does not answer is a 503, as in a proxy.

    Raises:
        BadAddress: the address is another one.
    """
    parts = urllib.parse.urlsplit(url)
    host, port = parts.hostname, parts.port
    if parts.scheme != "http" or host is None:
        raise BadAddress(f"cluster address {url!r}: must be like http://host:port")

    def answer(request: Arrived) -> Reply:
        connection = http.client.HTTPConnection(host, port or 80, timeout=_TIMEOUT)
        try:
            connection.putrequest(request.method, request.path, skip_host=True, skip_accept_encoding=True)
            for name, value in request.headers:
                if name not in _FRAMING:
                    connection.putheader(name.decode("latin-1"), value.decode("latin-1"))
            connection.endheaders(request.body or None)
            response = connection.getresponse()
            found = [(n.encode("latin-1"), v.encode("latin-1")) for n, v in response.getheaders()]
            body = response.read()
        except (OSError, http.client.HTTPException) as error:
            return Reply(503, (), (f"upstream connect error: {error}".encode(),))
        finally:
            connection.close()
        kept = tuple(pair for pair in found if pair[0].lower() not in _FRAMING)
        return Reply(response.status, kept, (body,) if body else ())

    return answer
