"""Who selects whom, without going through all: pods by label, and selectors by one of their labels. Pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator

from autowasm.controller.sidecars.pods import Pod
from autowasm.controller.sidecars.targets import Target
from autowasm.kube.names import Key

_Where = tuple[str | None, tuple[str, str] | None]
"""A namespace, None for all of them; and a label, None for whatever labels there are."""


class Selection:
    """All pods and all targets."""

    def __init__(self) -> None:
        self.pods: dict[Key, Pod] = {}
        self.targets: dict[Key, Target] = {}
        self._pods_at: defaultdict[_Where, set[Key]] = defaultdict(set)
        self._targets_at: defaultdict[_Where, set[Key]] = defaultdict(set)

    def put_pod(self, key: Key, pod: Pod | None) -> None:
        """The pod of this name is so now, or is no more."""
        before = self.pods.pop(key, None)
        for where in _places(before) if before else ():
            _remove(self._pods_at, where, key)
        if pod is not None:
            self.pods[key] = pod
            for where in _places(pod):
                self._pods_at[where].add(key)

    def put_target(self, key: Key, target: Target | None) -> None:
        """The AutoWasm of this name asks for this now, or for nothing any more."""
        before = self.targets.pop(key, None)
        if before is not None:
            _remove(self._targets_at, self._home(before), key)
        if target is not None:
            self.targets[key] = target
            self._targets_at[self._home(target)].add(key)

    def members(self, target: Target) -> list[Pod]:
        """The pods that it means, by name."""
        wheres: list[_Where] = [(target.namespace, label) for label in target.labels.items()]
        wheres = wheres or [(target.namespace, None)]
        fewest = min((self._pods_at.get(where, set()) for where in wheres), key=len)
        return [self.pods[key] for key in sorted(fewest) if target.means(self.pods[key])]

    def askers(self, pod: Pod) -> list[Key]:
        """The AutoWasms that mean this pod, by name."""
        found = {key for where in _places(pod) for key in self._targets_at.get(where, ())}
        return sorted(key for key in found if self.targets[key].means(pod))

    @staticmethod
    def _home(target: Target) -> _Where:
        """The one place in which a target is kept: every pod that it means has this label."""
        return target.namespace, min(target.labels.items(), default=None)


def _places(pod: Pod) -> Iterator[_Where]:
    for namespace in (pod.key.namespace, None):
        yield namespace, None
        for label in pod.labels.items():
            yield namespace, label


def _remove(index: dict[_Where, set[Key]], where: _Where, key: Key) -> None:
    index[where].discard(key)
    if not index[where]:
        del index[where]
