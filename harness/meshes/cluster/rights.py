"""What the suite does on a cluster, as rules of RBAC: the one list that is printed, and that is asked for before a run.

``here`` is the namespace of the applications, ``system`` that of Istio and AutoWasm, ``everywhere`` the cluster.
Server-side apply needs ``patch``, and ``create`` for what is not there yet. What is only for the explanation of
failures is marked: a run does without it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

from harness.meshes.cluster import objects
from harness.services import agent

Object = Mapping[str, Any]
Scope = Literal["here", "system", "everywhere"]

ACCOUNT: Final = "autowasm-harness"
_MAKE: Final = ("create", "delete", "get", "patch")
_RBAC: Final = "rbac.authorization.k8s.io"


@dataclass(frozen=True, slots=True)
class Rule:
    """Verbs on one kind of resource, of certain ``names`` where there are any."""

    scope: Scope
    group: str
    resource: str
    verbs: Sequence[str]
    names: Sequence[str] = ()
    explains: bool = False

    def as_rbac(self) -> dict[str, Any]:
        """The rule as Roles have it."""
        names = {"resourceNames": list(self.names)} if self.names else {}
        return {
            "apiGroups": [self.group],
            "resources": [self.resource],
            "verbs": list(self.verbs),
            **names,
        }

    def __str__(self) -> str:
        of = f" {', '.join(self.names)}" if self.names else ""
        group = f".{self.group}" if self.group else ""
        return f"{', '.join(self.verbs)} {self.resource}{group}{of}"


_AGENTS: Final = tuple(f"http:{name}:{agent.PORT}" for name in objects.AGENTS)
RULES: Final = (
    # The applications, and what sidecars must know of them.
    Rule("here", "", "serviceaccounts", _MAKE),
    Rule("here", "", "services", _MAKE),
    Rule("here", "apps", "deployments", _MAKE),
    Rule("here", "networking.istio.io", "destinationrules", _MAKE),
    Rule("here", "networking.istio.io", "virtualservices", _MAKE),
    Rule("here", "security.istio.io", "peerauthentications", _MAKE),
    Rule("here", "", "pods", ("get", "list")),
    # Orders to the agents.
    Rule("here", "", "services/proxy", ("create", "delete"), _AGENTS),
    # What scenarios apply and look at.
    Rule("here", "wasm.tcm.io", "autowasms", _MAKE),
    Rule("here", "networking.istio.io", "envoyfilters", ("get",)),
    Rule("here", "", "secrets", _MAKE),
    # That AutoWasm is there.
    Rule("system", "", "services", ("get",), ("wasmer",)),
    # What explains a failure.
    Rule("here", "", "pods/log", ("get",), explains=True),
    Rule("here", "", "pods/exec", ("create", "get"), explains=True),
    Rule("here", "", "events", ("list",), explains=True),
    Rule("here", "apps", "deployments", ("list",), explains=True),
    Rule("here", "discovery.k8s.io", "endpointslices", ("list",), explains=True),
    Rule("here", "networking.istio.io", "envoyfilters", ("list",), explains=True),
    Rule("here", "wasm.tcm.io", "autowasms", ("list",), explains=True),
    Rule("system", "", "pods", ("list",), explains=True),
    Rule("system", "", "pods/log", ("get",), explains=True),
    Rule("system", "", "events", ("list",), explains=True),
    Rule("system", "apps", "deployments", ("list",), explains=True),
    Rule("system", "discovery.k8s.io", "endpointslices", ("list",), explains=True),
)
OWN_NAMESPACE: Final = (
    Rule("everywhere", "", "namespaces", _MAKE),
    Rule("everywhere", "", "namespaces", ("list",), explains=True),
)
"""What a namespace of its own needs in addition."""


def rules(namespace: str) -> list[Rule]:
    """All rules; without a namespace that is there already one must be made, and its name is not known before."""
    return [*RULES] if namespace else [*RULES, *OWN_NAMESPACE]


def manifests(namespace: str, system: str) -> list[Object]:
    """A ServiceAccount with exactly these rights, as objects to apply.

    With a namespace all rights in it are in a Role. Without one they hold in every namespace: those that are made
    have names that nobody knows before.
    """
    own = namespace or system
    account = {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": ACCOUNT, "namespace": own}}
    subject = {"kind": "ServiceAccount", "name": ACCOUNT, "namespace": own}
    return [account, *_of_scopes(namespace, system, subject)]


def _of_scopes(namespace: str, system: str, subject: Object) -> Iterator[Object]:
    found = rules(namespace)
    here = [rule for rule in found if rule.scope == "here"]
    everywhere = [rule for rule in found if rule.scope == "everywhere"]
    if namespace:
        yield from _role("Role", here, namespace, subject)
    else:
        everywhere = [*everywhere, *here]
    yield from _role("Role", [rule for rule in found if rule.scope == "system"], system, subject)
    if everywhere:
        yield from _role("ClusterRole", everywhere, "", subject)


def _role(kind: str, found: Sequence[Rule], namespace: str, subject: Object) -> list[Object]:
    metadata = {"name": ACCOUNT, **({"namespace": namespace} if namespace else {})}
    head = {"apiVersion": f"{_RBAC}/v1"}
    return [
        {**head, "kind": kind, "metadata": metadata, "rules": [rule.as_rbac() for rule in found]},
        {
            **head,
            "kind": f"{kind}Binding",
            "metadata": metadata,
            "roleRef": {"apiGroup": _RBAC, "kind": kind, "name": ACCOUNT},
            "subjects": [subject],
        },
    ]


def reviews(namespace: str, system: str) -> Iterator[tuple[Rule, Object]]:
    """What to ask the API server about this user's rights, a SelfSubjectAccessReview for each verb and name."""
    places = {"here": namespace, "system": system, "everywhere": ""}
    for rule in rules(namespace):
        resource, _, sub = rule.resource.partition("/")
        for verb in rule.verbs:
            for name in rule.names or ("",):
                attributes = {
                    "namespace": places[rule.scope],
                    "verb": verb,
                    "group": rule.group,
                    "resource": resource,
                    "subresource": sub,
                    "name": name,
                }
                kind = {"apiVersion": "authorization.k8s.io/v1", "kind": "SelfSubjectAccessReview"}
                yield rule, {**kind, "spec": {"resourceAttributes": attributes}}
