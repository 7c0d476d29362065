"""What a node would do with a Job: run its command, as its ServiceAccount, and write down how it ended."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import threading
from collections.abc import Iterator

from lightkube import ApiError
from lightkube.resources.batch_v1 import Job

from tests.programs import apiserver


class Node:
    """Runs the Jobs of a namespace, one after the other; ``program`` is what their image has as ``autowasm``."""

    def __init__(self, cluster: apiserver.Cluster, namespace: str, *program: str) -> None:
        self.cluster = cluster
        self.namespace = namespace
        self.program = program or (sys.executable, "-m", "autowasm")
        self.ran: list[tuple[list[str], int]] = []
        self._stop = threading.Event()

    @contextlib.contextmanager
    def working(self) -> Iterator[Node]:
        """Do so until the end of the block."""
        thread = threading.Thread(target=self._run)
        thread.start()
        try:
            yield self
        finally:
            self._stop.set()
            thread.join()

    def _run(self) -> None:
        while not self._stop.wait(0.05):
            for job in self.cluster.admin.list(Job, namespace=self.namespace):
                if not (job.status and job.status.conditions):
                    self._do(job)

    def _do(self, job: Job) -> None:
        pod = job.spec.template.spec
        (container,) = pod.containers
        assert container.command == ["autowasm"]
        command = [*self.program, *container.args]
        kubeconfig = str(self.cluster.kubeconfig(self.namespace, pod.serviceAccountName))
        done = subprocess.run(
            command,
            check=False,
            capture_output=True,
            timeout=60,
            env={**os.environ, "KUBECONFIG": kubeconfig},
        )
        self.ran.append((container.args, done.returncode))
        now = "2026-01-01T00:00:00Z"
        kinds = ("SuccessCriteriaMet", "Complete") if done.returncode == 0 else ("FailureTarget", "Failed")
        conditions = [{"type": kind, "status": "True", "lastTransitionTime": now} for kind in kinds]
        status = {"startTime": now, "conditions": conditions}
        status |= {"completionTime": now, "succeeded": 1} if done.returncode == 0 else {"failed": 1}
        with contextlib.suppress(ApiError):
            self.cluster.admin.patch(
                Job.Status, job.metadata.name, {"status": status}, namespace=self.namespace
            )
