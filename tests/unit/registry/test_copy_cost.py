"""What a copy holds in memory, however large the image is."""

from __future__ import annotations

import json
import random
import subprocess
import sys
from pathlib import Path

from autowasm.digest import Digest
from autowasm.oci import artifact, layouts, manifest
from tests.unit.net import tiny_server
from tests.unit.net.tiny_server import Answer
from tests.unit.registry import stored

ROOT = Path(__file__).parents[3]
LAYERS = 4
LAYER_BYTES = 32 << 20
PEAK_BYTES = 64 << 20


def _image() -> artifact.Artifact:
    noise = random.Random(4).randbytes(1 << 20) * (LAYER_BYTES >> 20)
    layers = [artifact.Blob.of(layouts.OCI_TAR_GZIP, noise + bytes([number])) for number in range(LAYERS)]
    config = artifact.Blob.of(artifact.IMAGE_CONFIG, b"{}")
    document = {
        "schemaVersion": 2,
        "mediaType": manifest.OCI_MANIFEST,
        "config": config.descriptor(),
        "layers": [layer.descriptor() for layer in layers],
    }
    body = json.dumps(document).encode()
    return artifact.Artifact(manifest.OCI_MANIFEST, body, Digest.of(body), (config, *layers))


def test_copy_holds_pieces():
    """Four layers of 32 MiB, on their way at once, take less than 64 MiB over the idle process."""
    small, large = artifact.image(stored.MODULE), _image()
    came: list[Digest] = []

    def take(seen: tiny_server.Seen) -> Answer:
        came.append(Digest.of(seen.body))
        return Answer(202, headers={"Location": "/up"})

    with tiny_server.serving() as source, tiny_server.serving() as target:
        for tag, made in (("small", small), ("large", large)):
            stored.store(source, made, tag)
            stored_as = Answer(201, headers={"Docker-Content-Digest": str(made.digest)})
            target.routes["PUT", f"{stored.BASE}/manifests/{tag}"] = stored_as
        target.routes["POST", f"{stored.BASE}/blobs/uploads/"] = Answer(202, headers={"Location": "/up"})
        target.routes["PATCH", "/up"] = take
        target.routes["PUT", "/up"] = Answer(201)
        command = [sys.executable, "-m", "tests.unit.registry.copyist"]
        ran = subprocess.run(
            [*command, f"{source.host}/team/app", f"{target.host}/team/app"],
            cwd=ROOT,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
    assert ran.returncode == 0, ran.stderr
    assert sorted(came) == sorted(blob.digest for blob in large.blobs if blob.size > 1000)
    assert int(ran.stdout) < PEAK_BYTES
