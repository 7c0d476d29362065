"""A client of the Kubernetes API for plain objects of any kind: apply, get, list, delete, status, tokens.

Objects are the dictionaries that a YAML file holds: nothing is dropped or filled in on the way, so that what the API
server thinks of a manifest is what the scenario sees. Plural names come from discovery.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import quote

import httpx2

from harness.mesh import Broken, ObjectRef, Refused

MANAGER: Final = "harness"

_GONE_SECONDS: Final = 60.0
_POLL_SECONDS: Final = 0.02
_SETTLE_SECONDS: Final = 15.0
_NOT_YET: Final = frozenset(
    {429, 503}
)  # a young API server installs paths and storages while it already answers
_AWAY: Final = _NOT_YET | {500, 504}
"""What it answers, too, while its etcd is away."""
_TROUBLE_SECONDS: Final = 60.0
_AS_MANAGER: Final = {"fieldManager": MANAGER}
_APPLY: Final = {"content-type": "application/apply-patch+yaml"}
_MERGE: Final = {"content-type": "application/merge-patch+json"}
_TOKEN_SECONDS: Final = 30 * 24 * 3600  # as long as the certificates: a mesh and its keys end before

Object = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Answer:
    """An HTTP answer of the API server, or of what stands behind it; names of headers are in lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes


def ref(manifest: Object) -> ObjectRef:
    """The name of an object that a manifest describes; the namespace is ``default`` where none is written."""
    metadata = manifest["metadata"]
    namespace = metadata.get("namespace") or "default"
    return ObjectRef(manifest["apiVersion"], manifest["kind"], namespace, metadata["name"])


class Api:
    """An API server, as one user (``harness.services.login``). Methods may be called from any thread.

    Raises (all methods): Refused with the server's own words, Broken where it does not answer. While ``troubled`` says
    that it is known to be away, it is asked again instead.
    """

    def __init__(self, http: httpx2.Client) -> None:
        self._http = http
        self.troubled: Callable[[], bool] = lambda: False
        self._kinds: dict[tuple[str, str], tuple[str, bool]] = {}

    def close(self) -> None:
        """Close its connections."""
        self._http.close()

    def answers(self) -> bool:
        """Whether lists of objects work: the whole chain down to etcd is up."""
        try:
            return self._http.get("/api/v1/namespaces", params={"limit": "1"}).status_code == 200
        except httpx2.HTTPError:
            return False

    def apply(self, manifest: Object) -> Object:
        """Create or change an object by server-side apply; returns it as stored."""
        query = {**_AS_MANAGER, "force": "true"}
        return self._json("PATCH", self.path(ref(manifest)), params=query, headers=_APPLY, json=manifest)

    def patch_status(self, target: ObjectRef, status: Object) -> Object:
        """Merge into an object's status."""
        path = self.path(target) + "/status"
        return self._json("PATCH", path, params=_AS_MANAGER, headers=_MERGE, json={"status": status})

    def get(self, target: ObjectRef) -> Object | None:
        """Read an object; None where there is none."""
        response = self._send("GET", self.path(target))
        return None if response.status_code == 404 else _checked(response)

    def list(self, api_version: str, kind: str, labels: str = "", namespace: str = "") -> list[Object]:
        """All objects of a kind, by an optional label selector, in one namespace or in all."""
        plural, _namespaced = self._resource(api_version, kind)
        query = {"labelSelector": labels} if labels else {}
        within = f"/namespaces/{quote(namespace)}" if namespace else ""
        answer = self._json("GET", f"{_root(api_version)}{within}/{plural}", params=query)
        items: list[Object] = answer["items"]
        return items

    def serves(self, api_version: str, kind: str) -> bool:
        """Whether objects of a kind can be listed: a new or a just started CRD may answer 404 for a moment."""
        try:
            self.list(api_version, kind)
        except Refused:
            return False
        return True

    def knows(self, api_version: str, kind: str) -> bool:
        """Whether the API server has a kind at all."""
        try:
            self._resource(api_version, kind)
        except Refused:
            return False
        return True

    def may(self, review: Object) -> bool:
        """Whether this user may do what a SelfSubjectAccessReview asks for."""
        path = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"
        return bool(self._json("POST", path, json=review)["status"].get("allowed"))

    def delete(self, target: ObjectRef, timeout: float = _GONE_SECONDS) -> bool:
        """Delete an object and wait until it is gone; False where there was none."""
        path = self.path(target)
        response = self._send("DELETE", path)
        if response.status_code == 404:
            return False
        _checked(response)
        deadline = time.monotonic() + timeout
        while (found := self._send("GET", path)).status_code != 404:
            if time.monotonic() > deadline:
                finalizers = _checked(found)["metadata"].get("finalizers")
                raise Refused(
                    f"{target}: must be gone {timeout:g} s after its deletion, is there: {finalizers=}"
                )
            time.sleep(_POLL_SECONDS)
        return True

    def end_pod(self, target: ObjectRef, grace: int | None = None) -> None:
        """Begin to end a Pod, or (``grace`` 0) have it gone at once, as its kubelet says when it has ended."""
        query = {} if grace is None else {"gracePeriodSeconds": str(grace)}
        response = self._send("DELETE", self.path(target), params=query)
        if response.status_code != 404:
            _checked(response)

    def token(self, namespace: str, account: str, audience: str | None = None) -> str:
        """A token of a ServiceAccount (TokenRequest), for the API server or for another audience."""
        path = f"/api/v1/namespaces/{namespace}/serviceaccounts/{account}/token"
        spec = {"audiences": [audience] if audience else [], "expirationSeconds": _TOKEN_SECONDS}
        request = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": spec}
        token: str = self._json("POST", path, json=request)["status"]["token"]
        return token

    def patch(self, target: ObjectRef, change: Object) -> Object:
        """Merge into an object that is there (JSON Merge Patch); returns it as stored."""
        return self._json("PATCH", self.path(target), params=_AS_MANAGER, headers=_MERGE, json=change)

    def ask(self, method: str, path: str, body: Object | None = None, timeout: float = 30.0) -> Answer:
        """What the server answers at any path: logs, its own health, what it lets through to a Service.

        ``timeout`` is in seconds. Only Broken is raised: whatever the answer is, it is returned.
        """
        response = self._send(method, path, json=body, timeout=timeout)
        return Answer(response.status_code, dict(response.headers), response.content)

    def path(self, target: ObjectRef) -> str:
        """The path of an object."""
        plural, namespaced = self._resource(target.api_version, target.kind)
        middle = f"/namespaces/{quote(target.namespace)}" if namespaced else ""
        return f"{_root(target.api_version)}{middle}/{plural}/{quote(target.name)}"

    def _resource(self, api_version: str, kind: str) -> tuple[str, bool]:
        key = (api_version, kind)
        if key not in self._kinds:
            response = self._send("GET", _root(api_version))
            known = _checked(response)["resources"] if response.status_code != 404 else []
            for one in known:
                if "/" not in one["name"]:  # a subresource
                    self._kinds[(api_version, one["kind"])] = (one["name"], one["namespaced"])
        if key not in self._kinds:
            raise Refused(f"{api_version} {kind}: must be a kind that the API server knows, it does not")
        return self._kinds[key]

    def _json(self, method: str, path: str, **more: Any) -> dict[str, Any]:
        return _checked(self._send(method, path, **more))

    def _send(self, method: str, path: str, **more: Any) -> httpx2.Response:
        """Send what ``more`` says (arguments of httpx2.Client.request) until the server has settled."""
        began = time.monotonic()
        while True:
            troubled = self.troubled()
            late = time.monotonic() > began + (_TROUBLE_SECONDS if troubled else _SETTLE_SECONDS)
            try:
                response = self._http.request(method, path, **more)
            except httpx2.HTTPError as error:
                if not troubled or late:
                    told = f"{type(error).__name__}: {error}"
                    raise Broken(f"kube-apiserver: must answer {method} {path}, {told}") from error
            else:
                if response.status_code not in (_AWAY if troubled else _NOT_YET) or late:
                    return response
            time.sleep(_POLL_SECONDS)


def _root(api_version: str) -> str:
    return f"/apis/{api_version}" if "/" in api_version else f"/api/{api_version}"


def _checked(response: httpx2.Response) -> dict[str, Any]:
    try:
        body: dict[str, Any] = response.json()
    except ValueError:
        body = {}
    if response.is_success:
        return body
    raise Refused(str(body.get("message") or f"{response.status_code} {response.text[:256]}"))
