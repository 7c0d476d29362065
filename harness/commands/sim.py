"""``harness sim``: requests through a filter, on the simulated host; scripts for machines."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from click import UsageError

if TYPE_CHECKING:
    from harness.sim import api

_FOUND = 1


def _text(value: str) -> bytes:
    """A value, or a file's content where it is "@FILE"."""
    if not value.startswith("@"):
        return value.encode()
    try:
        return Path(value[1:]).read_bytes()
    except OSError as error:
        raise UsageError(f"{value[1:]}: {error.strerror or error}") from error


def _pair(text: str) -> tuple[str, str]:
    name, colon, value = text.partition(":")
    if not colon or not name.strip():
        raise UsageError(f"header {text!r}: must be like 'name: value'")
    return name.strip(), value.strip()


def _named(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not equals or not name:
        raise UsageError(f"{text!r}: must be like name=value")
    return name, value


def _pieces(body: bytes, count: int) -> list[bytes]:
    size = -(-len(body) // count)
    return [body[at : at + size] for at in range(0, len(body), size)] if body else []


def _print_schema(context: click.Context, option: click.Parameter, wanted: bool) -> None:
    del option
    if wanted:
        from harness.sim import script

        click.echo(json.dumps(script.schema(), indent=2))
        context.exit()


@click.command(name="sim")
@click.argument("module", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option(
    "--config", default="", metavar="TEXT|@FILE", help="The plugin's configuration, passed on as it is."
)
@click.option("--vm-config", default="", metavar="TEXT|@FILE", help="The VM's configuration.")
@click.option("--root-id", default="", help="Which of the module's filters.")
@click.option("--vm-id", default="", help="Whose shared data and queues.")
@click.option("--env", multiple=True, metavar="K=V", help="A variable of the VM's environment.")
@click.option(
    "--capability", multiple=True, metavar="NAME", help="Allow this function or callback, and no others."
)
@click.option(
    "--policy",
    type=click.Choice(["FAIL_CLOSED", "FAIL_OPEN", "FAIL_RELOAD"]),
    default="FAIL_CLOSED",
    show_default=True,
    help="What becomes of requests when the filter fails.",
)
@click.option(
    "--request", "line", default="GET /", show_default=True, metavar='"METHOD PATH"', help="What is sent."
)
@click.option("-H", "--header", multiple=True, metavar="'K: V'", help="A header of the request.")
@click.option("-d", "--data", metavar="TEXT|@FILE", help="The request's body.")
@click.option(
    "--chunks", type=click.IntRange(1), default=1, show_default=True, help="In how many pieces it comes."
)
@click.option(
    "--repeat", type=click.IntRange(1), default=1, show_default=True, help="How often; the last is shown."
)
@click.option(
    "--cluster", multiple=True, metavar="NAME=URL", help="A real upstream that the filter may call."
)
@click.option("--trace", is_flag=True, help="Print each call between host and module, on standard error.")
@click.option(
    "--script", type=click.Path(exists=True, dir_okay=False, path_type=Path), help="Run a script (batch)."
)
@click.option(
    "--schema", is_flag=True, is_eager=True, expose_value=False, callback=_print_schema,
    help="Print the JSON Schema of scripts and exit.",
)  # fmt: skip
@click.option("--output", type=click.Choice(["text", "json"]), default="text", show_default=True)
def command(module: Path, script: Path | None, output: str, **options: Any) -> None:
    """Send a request through a filter, as a sidecar would, without a sidecar.

    \b
    Examples:
      harness sim filter.wasm
      harness sim filter.wat --config '{"allow": ["ada"]}' --request "POST /books" -H 'x-user: ada' -d @book.json
      harness sim filter.wasm --trace
      harness sim filter.wasm --script script.yaml --output json

    Exit codes: 0 answered, 1 not loaded or no answer, 2 bad usage.
    """
    from harness.sim import NotSimulated

    trace = (lambda line: click.echo(line, err=True)) if options.pop("trace") else None
    try:
        if script is not None:
            _run_script(_module(module), script, trace)
            return
        answer = _once(module, options, trace)
    except NotSimulated as error:
        click.echo(f"error: {module}: {error}", err=True)
        sys.exit(_FOUND)
    click.echo(json.dumps(answer, indent=2, ensure_ascii=False) if output == "json" else _shown(answer))
    if not answer["loaded"] or answer["response"] is None or answer["error"]:
        sys.exit(_FOUND)


def _module(path: Path) -> bytes:
    from harness.sim import vm

    if path.suffix != ".wat":
        return path.read_bytes()
    try:
        return vm.assemble(path.read_text("utf-8"))
    except vm.Unreadable as error:
        raise UsageError(f"{path}: {error}") from error


def _run_script(module: bytes, path: Path, trace: Any) -> None:
    from harness.sim import batch
    from harness.sim import script as scripts

    try:
        document = _document(path)
        answer = batch.run(module, document, trace)
    except scripts.Fault as fault:
        raise UsageError(f"{path}: {fault}") from fault
    click.echo(json.dumps(answer, indent=2, ensure_ascii=False))
    if not answer["loaded"]:
        sys.exit(_FOUND)


def _document(path: Path) -> Any:
    from ruamel.yaml import YAML
    from ruamel.yaml.error import YAMLError

    from harness.sim import script as scripts

    try:
        found = YAML(typ="safe", pure=True).load(path.read_text("utf-8"))
    except (YAMLError, UnicodeDecodeError) as error:
        raise scripts.Fault(str(error)) from error
    if not isinstance(found, dict):
        raise scripts.Fault("must be a mapping")
    return found


def _once(path: Path, options: dict[str, Any], trace: Any) -> dict[str, Any]:
    from harness.sim import api, loading, real

    method, _, target = options["line"].partition(" ")
    if not method or not target.startswith("/"):
        raise UsageError(f"--request {options['line']!r}: must be like 'GET /path'")
    upstreams = dict(_named(each) for each in options["cluster"])
    try:
        loaded = api.Filter.load(
            _module(path),
            configuration=_text(options["config"]),
            vm_configuration=_text(options["vm_config"]),
            root_id=options["root_id"],
            vm_id=options["vm_id"],
            environment=dict(_named(each) for each in options["env"]),
            capabilities=options["capability"] or None,
            policy=options["policy"],
            upstreams={name: real.at(url) for name, url in upstreams.items()},
            trace=trace,
        )
    except loading.NotLoaded as no:
        return {"loaded": False, "error": str(no)} | _nothing()
    except real.BadAddress as error:
        raise UsageError(str(error)) from error
    body = None if options["data"] is None else _pieces(_text(options["data"]), options["chunks"])
    headers = [_pair(each) for each in options["header"]]
    for _ in range(options["repeat"]):
        reply = loaded.request(method, target, headers=headers, body=body)
    return _answer(loaded, reply) | {"notes": loaded.notes}


def _nothing() -> dict[str, Any]:
    return {
        "upstream": None, "response": None, "local_response": False, "logs": [], "metrics": {}, "calls": [],
        "notes": [],
    }  # fmt: skip


def _answer(loaded: api.Filter, reply: api.Reply) -> dict[str, Any]:
    response = {"status": reply.status, "headers": list(reply.headers), "body": reply.text}
    return {
        "loaded": True,
        "error": loaded.failure or (None if reply.outcome == "response" else reply.outcome),
        "upstream": None if reply.upstream is None else _sent(reply.upstream),
        "response": response if reply.outcome == "response" else None,
        "local_response": reply.local,
        "logs": [{"level": line.level, "message": line.message} for line in loaded.logs],
        "metrics": loaded.metrics,
        "calls": [{"cluster": call.cluster, **_sent(call)} for call in reply.calls],
    }


def _sent(request: api.Sent) -> dict[str, Any]:
    body = request.body.decode("utf-8", "replace")
    return {"method": request.method, "path": request.path, "headers": list(request.headers), "body": body}


def _shown(answer: dict[str, Any]) -> str:
    lines = [] if answer["error"] is None else [f"error     {answer['error']}"]
    lines += [f"note      {note}" for note in answer["notes"]]
    requests = [("to the application", answer["upstream"])] if answer["upstream"] else []
    requests += [(f"to cluster {call['cluster']}", call) for call in answer["calls"]]
    for where, request in requests:
        lines += [f"{where}: {request['method']} {request['path']}", *_message(request)]
    response = answer["response"]
    if response:
        own = ", not the application's" if answer["local_response"] else ""
        lines += [f"response {response['status']}{own}", *_message(response)]
    lines += [f"log {line['level']}: {line['message']}" for line in answer["logs"]]
    lines += [f"metric {name} = {value}" for name, value in answer["metrics"].items()]
    return "\n".join(lines)


def _message(message: dict[str, Any]) -> list[str]:
    lines = [f"  {name}: {value}" for name, value in message["headers"]]
    return [*lines, f"  {message['body']!r}"] if message["body"] else lines
