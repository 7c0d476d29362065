"""How long a check takes, each time in a new process: a 60 KB module, and a Go filter of 4 MB.

The Go filter is checked cold (compiled), and with its compiled form in the cache. Beside each stands what a real
Envoy takes for the same module, from its start to the listener that serves with it: the least that a check by
starting a proxy would cost. The imports of Python are counted apart: a controller or a wasmc pays them once.
"""

from __future__ import annotations

import http.client
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any, Final

from harness.sim import vm
from harness.toolchain import binaries

ROUNDS: Final = 7
LIMIT_SECONDS: Final = 120.0
GO: Final = Path(__file__).parent / "go_filter"

# A function as compilers make them: a loop with loads, stores, arithmetic and a call.
_FUNCTION: Final = """(func $f{n} (param $a i32) (param $b i32) (result i32) (local $i i32) (local $s i64)
  (loop $l
    (i32.store offset={n} (i32.and (local.get $a) (i32.const 4095))
      (i32.add (i32.load offset={m} (i32.and (local.get $b) (i32.const 4095)))
        (i32.mul (local.get $i) (i32.const {n}))))
    (local.set $s (i64.add (local.get $s) (i64.extend_i32_u (i32.xor (local.get $a) (i32.const {m})))))
    (if (i32.gt_u (local.get $i) (local.get $b)) (then (local.set $a (call $f{m} (local.get $i) (local.get $a)))))
    (br_if $l (i32.lt_u (local.tee $i (i32.add (local.get $i) (i32.const 1))) (i32.const 64))))
  (i32.wrap_i64 (local.get $s)))"""

_TIMED: Final = """
import json, sys, time
began = time.perf_counter()
from autowasm.abi import check, dryrun
from autowasm.store.compiled import Compiled
from pathlib import Path
imported = time.perf_counter()
module = Path(sys.argv[1]).read_bytes()
store = Compiled(Path(sys.argv[2])) if len(sys.argv) > 2 else None
read, used = time.perf_counter(), time.process_time()
report = check.check(module, check.Configuration(), compiled=store)
ended = time.perf_counter()
assert report.ok, report.findings
print(json.dumps([ended - read, time.process_time() - used, imported - began]))
"""


def filled(size: int) -> bytes:
    """A filter of about so many bytes, all of it code."""
    count = size // 109
    functions = "".join(_FUNCTION.format(n=n, m=(n * 7 + 1) % count) for n in range(count))
    return vm.assemble(
        f'(module (memory (export "memory") 2) {functions} (func (export "proxy_abi_version_0_2_1"))'
        '(func (export "malloc") (param i32) (result i32) (i32.const 1024))'
        '(func (export "proxy_on_configure") (param i32 i32) (result i32)'
        " (drop (call $f1 (i32.const 1) (i32.const 99))) (i32.const 1)))"
    )


def go_filter(folder: Path) -> bytes | None:
    """The Go filter, None where there is no Go."""
    if shutil.which("go") is None:
        return None
    target = folder / "go.wasm"
    environment = {**os.environ, "GOOS": "wasip1", "GOARCH": "wasm", "GOFLAGS": "-mod=mod", "GOWORK": "off"}
    command = ["go", "build", "-buildmode=c-shared", "-o", str(target), "."]
    subprocess.run(command, cwd=GO, env=environment, check=True)
    return target.read_bytes()


def timed(file: Path, *store: str) -> tuple[float, float, float]:
    """One check in a new process: its seconds, its seconds of all cores, and those of the imports before it."""
    command = [sys.executable, "-c", _TIMED, str(file), *store]
    asked = subprocess.run(command, cwd=Path(__file__).parents[1], capture_output=True, text=True, check=True)
    check, cores, imports = json.loads(asked.stdout)
    return check, cores, imports


def envoy(program: Path, module: Path, folder: Path) -> float:
    """From the start of an Envoy with this module to the moment that it is ready to serve with it."""
    address, config = folder / "admin", folder / "envoy.json"
    address.unlink(missing_ok=True)
    config.write_text(json.dumps(_bootstrap(module)))
    arguments = ["--concurrency", "1", "--disable-hot-restart", "--log-level", "error"]
    began = time.perf_counter()
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            [program, "-c", config, "--admin-address-path", address, *arguments], stdout=log, stderr=log
        )
    try:
        while time.perf_counter() - began < LIMIT_SECONDS:
            if _ready(address):
                return time.perf_counter() - began
            time.sleep(0.005)
    finally:
        process.kill()
        process.wait()
    raise SystemExit(f"Envoy with {module.name}: not ready: {(folder / 'log').read_text()[-2000:]}")


def _ready(address: Path) -> bool:
    try:
        host, _, port = address.read_text().rpartition(":")
        connection = http.client.HTTPConnection(host, int(port), timeout=5)
        connection.request("GET", "/ready")
        return connection.getresponse().status == 200
    except (OSError, ValueError, http.client.HTTPException):
        return False


def _bootstrap(module: Path) -> dict[str, Any]:
    kind = "type.googleapis.com/envoy.extensions.filters."
    machine = {"runtime": "envoy.wasm.runtime.v8", "code": {"local": {"filename": str(module)}}}
    wasm = {"@type": f"{kind}http.wasm.v3.Wasm", "config": {"name": "x", "vm_config": machine}}
    routes = [{"match": {"prefix": "/"}, "direct_response": {"status": 200}}]
    manager = {
        "@type": f"{kind}network.http_connection_manager.v3.HttpConnectionManager",
        "stat_prefix": "x",
        "http_filters": [
            {"name": "wasm", "typed_config": wasm},
            {"name": "router", "typed_config": {"@type": f"{kind}http.router.v3.Router"}},
        ],
        "route_config": {"virtual_hosts": [{"name": "all", "domains": ["*"], "routes": routes}]},
    }
    place = {"socket_address": {"address": "127.0.0.1", "port_value": 0}}
    chain = {"filters": [{"name": "hcm", "typed_config": manager}]}
    listener = {"name": "x", "address": place, "filter_chains": [chain]}
    return {"admin": {"address": place}, "static_resources": {"listeners": [listener]}}


def rows(name: str, module: bytes, folder: Path) -> list[dict[str, Any]]:
    """The series of one module: cold, from the cache, and Envoy's, in turn."""
    file, store, program = (
        folder / "module.wasm",
        folder / "compiled",
        binaries.ensure(["envoy"], lambda _e: None),
    )
    file.write_bytes(module)
    timed(file, str(store))  # fills the cache
    cold, cached, real = [], [], []
    for _ in range(ROUNDS):
        cold.append(timed(file))
        cached.append(timed(file, str(store)))
        real.append(envoy(program.path("envoy"), file, folder))
    notes = {"bytes": len(module), "load": round(os.getloadavg()[0], 1)}
    return [
        {"name": f"check of {name}: cold", **_columns(cold, notes)},
        {"name": f"check of {name}: compiled before", **_columns(cached, notes)},
        {"name": f"Envoy starts with {name}", "seconds": real, "notes": notes},
    ]


def _columns(runs: list[tuple[float, float, float]], notes: dict[str, Any]) -> dict[str, Any]:
    seconds, cores, imports = zip(*runs, strict=True)
    least = {"least_cpu_s": round(min(cores), 4), "least_imports_s": round(min(imports), 4)}
    return {"seconds": seconds, "notes": notes | least}


def main(out: Path) -> None:
    """Measure and write the series."""
    with tempfile.TemporaryDirectory() as text:
        folder = Path(text)
        found = rows("a 60 KB module", filled(60_000), folder)
        go = go_filter(folder)
        if go is None:
            print("no Go here: the Go filter is not measured", file=sys.stderr)
        else:
            found += rows("a Go filter", go, folder)
    out.write_text(json.dumps(found))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
