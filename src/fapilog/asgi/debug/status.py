"""What the console says in figures: the process, its engine, its sinks; whether it is ready; how the totals grew.

The shape is that of ``schema/console_v1.json``.
"""

import os
import re
from collections.abc import Callable, Iterator, Mapping
from importlib.resources import files
from typing import Any

from fapilog._version import __version__
from fapilog.asgi.debug.answers import JSON, Answer, as_json, refuse
from fapilog.asgi.debug.console import Console
from fapilog.asgi.debug.link import base_of
from fapilog.asgi.debug.metrics import MISSING, exposition
from fapilog.asgi.debug.request import Request
from fapilog.edge_options import DEBUG_PATH
from fapilog.event import timestamp

_TYPE = re.compile(r"[A-Za-z_][A-Za-z0-9_.]{0,99}(?=: |$)")
_NAMED = re.compile(r"\b[A-Za-z_][A-Za-z0-9_.]{0,99}(?:Error|Exception|Timeout)\b")
_DESCRIBED = f'"{DEBUG_PATH}'.encode("ascii")
_FULL = 0.9
"""From which fill on a queue counts as full: there is no time left to look."""


async def status(request: Request) -> Answer:
    """Answer everything that there is to say in figures."""
    return as_json(status_of(request.console))


async def history(request: Request) -> Answer:
    """Answer the totals of the last five minutes, about one sample a second."""
    watching = request.console.engine().watching
    return as_json({"samples": [] if watching is None else watching.history()})


async def health(request: Request) -> Answer:
    """Answer 200 as long as events are taken and delivered; else 503, with what is wrong."""
    reasons = list(_ailments(request.console.engine().snapshot()))
    if reasons:
        return as_json({"status": "failing", "reasons": reasons}, 503)
    return as_json({"status": "ok", "reasons": []})


async def metrics(request: Request) -> Answer:
    """Answer the figures as Prometheus reads them; 501 if the library that writes them is missing."""
    written = await exposition(request.scope["headers"], request.console.turns)
    if written is None:
        return refuse(501, MISSING)
    return Answer(200, written.text, written.content_type.encode("ascii"))


async def openapi(request: Request) -> Answer:
    """Answer the description of all of this, with the paths as they are asked for here."""
    described = (files("fapilog") / "schema" / "console_v1.json").read_bytes()
    base = base_of(request.scope.get("root_path", ""), request.console.options.path)
    return Answer(200, described.replace(_DESCRIBED, b'"' + base.encode("ascii")), JSON)


def status_of(console: Console) -> dict[str, Any]:
    """Return what :func:`status` answers, as plain values without secrets.

    Of what went wrong it tells kind, time and type of the exception, not the message: a library may have put a
    password into it.
    """
    engine = console.engine()
    figures = engine.snapshot()
    watching, said = engine.watching, figures["diagnostics"]
    recent = [{"time": timestamp(report["time_ns"]), "kind": report["kind"]} for report in said["recent"]]
    spans = console.spans()
    sinks = {name: _shown(sink, engine.redact_fields) for name, sink in figures["sinks"].items()}
    return {
        "version": __version__,
        "pid": os.getpid(),
        "scope": "this process only",
        "time": timestamp(console.clock.time_ns()),
        "uptime_seconds": round(console.clock.monotonic() - console.started, 3),
        **figures,
        "withheld": dict(console.withheld),
        "rates": {} if watching is None else watching.rates(),
        "sinks": sinks,
        "levels": console.levels.look(),
        "diagnostics": {"counts": said["counts"], "recent": recent},
        "configuration": console.configuration(),
        "recent": None if watching is None else watching.recent.describe(),
        "recorder": console.recorder(),
        "spans": None if spans is None else spans.describe(),
        "tail": console.tails.describe(),
        "trace_url": console.options.trace_url,
    }


def _ailments(figures: Mapping[str, Any]) -> Iterator[str]:
    queue = figures["queue"]
    if queue["depth"] >= _FULL * queue["capacity"] or queue["bytes"] >= _FULL * queue["max_bytes"]:
        yield f"queue: {queue['depth']} of {queue['capacity']} events, {queue['bytes']} of {queue['max_bytes']} bytes"
    for name, sink in figures["sinks"].items():
        if sink["circuit"] == "open":
            yield f"sink {name}: circuit open"
        elif sink["health"].get("status") == "failing":
            yield f"sink {name}: failing"


def _shown(sink: Mapping[str, Any], redact: Callable[[Mapping[str, Any]], Any]) -> dict[str, Any]:
    """Return the figures of a sink; of its health, which is in its own words, nothing under the name of a secret."""
    health = redact(sink["health"]) or {"status": sink["status"]}
    return {**sink, "health": health, "last_error": _last_error(sink)}


def _last_error(sink: Mapping[str, Any]) -> str | None:
    """Return the type of what a sink raised last: the first word of ``Type: message``; ``error`` if it has no type.

    What is kept back by wrappers (a spool, say) only the sink itself tells, in words with the type anywhere in them.
    """
    said = sink["last_error"] or sink["health"].get("last_error")
    if not said:
        return None
    found = _TYPE.match(str(said)) or _NAMED.search(str(said))
    return found[0] if found else "error"
