"""``GET /debug/logging/requests`` and what is kept of one request or one trace.

    Recent ─┬─ chunks ──┐
            └─ errors ──┴─► lines with the wanted bytes ─► taken apart ─► compared, sorted ─► answered as on the wire

All of it is read on a thread: eight megabytes of lines take longer than a request is to wait.
"""

import re
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

import orjson

from fapilog.asgi.debug.answers import Answer, as_json, refuse
from fapilog.asgi.debug.request import Request
from fapilog.asgi.debug.search import Line, containing, member
from fapilog.asgi.debug.tail import recent_of, whole_number
from fapilog.diagnostics import attempt
from fapilog.errors import ConfigError
from fapilog.recent import Recent

DEFAULT_LIMIT, MAX_LIMIT = 100, 1000
MOST_TRACES = 50
"""Of how many traces of a request spans are answered: strangers may send an id again and again, in other traces."""
ORDERS = ("recent", "slowest")
COMPLETIONS = frozenset(
    ("request_completed", "request_failed", "websocket_closed", "websocket_failed", "websocket_refused")
)
_LOGGER = "fapilog.request"
_FAILED = frozenset(("request_failed", "websocket_failed"))
_SERVER_ERRORS = 500
_YES, _NO = ("1", "true", "yes"), ("0", "false", "no", "")
_TRACE_ID = re.compile(r"[0-9a-f]{32}")


class Kept(NamedTuple):
    """One event.

    Attributes:
        number: The later it came, the higher.
        line: As on the wire.
        event: Taken apart.
    """

    number: int
    line: bytes
    event: dict[str, Any]


async def requests(request: Request) -> Answer:
    """Answer with the completion events that are kept: the last ones, or the slowest.

    400 for a limit, an order or a ``failed`` that cannot be used.
    """
    query = request.query
    try:
        limit = whole_number(query, "limit", DEFAULT_LIMIT, (1, MAX_LIMIT))
        slowest = _one_of(query.get("order") or ORDERS[0], "order", ORDERS) == ORDERS[1]
        failed = _one_of(query.get("failed", ""), "failed", (*_YES, *_NO)) in _YES
    except ConfigError as error:
        return refuse(400, str(error))
    recent = recent_of(request.console.engine())
    path = query.get("path", "")

    def read() -> Answer:
        found = [kept for kept in _completions(recent) if _is_wanted(kept.event, path, failed=failed)]
        found.sort(key=lambda kept: kept.number, reverse=True)
        if slowest:
            found.sort(key=lambda kept: _duration(kept.event), reverse=True)
        return as_json(
            {
                "requests": _as_they_are(found[:limit]),
                "events_kept": recent.describe()["events"],
                "oldest": _oldest(recent),
            }
        )

    return await _in_turn(request.console, read)


async def request(request: Request) -> Answer:
    """Answer with everything that is kept of one request; 404 if that is nothing."""
    request_id = request.rest.partition("/")[2]
    console = request.console

    def read() -> Answer:
        kept = events_of(recent_of(console.engine()), "request_id", request_id)
        if not kept:
            return refuse(404, "nothing is kept of this request")
        traces = [one.event.get("trace_id") for one in kept]
        trace_ids = list(dict.fromkeys(trace_id for trace_id in traces if isinstance(trace_id, str)))
        return as_json(
            {
                "request_id": request_id,
                "trace_ids": trace_ids,
                "events": _as_they_are(kept),
                "spans": [span for trace_id in trace_ids[:MOST_TRACES] for span in _spans(console, trace_id)],
                "trace_urls": {trace_id: url for trace_id in trace_ids if (url := _trace_url(console, trace_id))},
            }
        )

    return await _in_turn(console, read)


async def trace(request: Request) -> Answer:
    """Answer with everything that is kept of one trace; 404 if that is nothing."""
    trace_id = request.rest.partition("/")[2]
    console = request.console

    def read() -> Answer:
        kept = events_of(recent_of(console.engine()), "trace_id", trace_id)
        spans = _spans(console, trace_id)
        if not (kept or spans):
            return refuse(404, "nothing is kept of this trace")
        return as_json(
            {
                "trace_id": trace_id,
                "events": _as_they_are(kept),
                "spans": spans,
                "trace_url": _trace_url(console, trace_id),
            }
        )

    return await _in_turn(console, read)


def events_of(recent: Recent, key: str, value: str) -> list[Kept]:
    """Return the events in which a key has a value, sorted by their own time.

    Args:
        recent: Where they are kept.
        key: ``request_id`` or ``trace_id``.
        value: Exactly this text.
    """
    marker = member(key, value)
    if marker is None:
        return []
    found = _found(recent, marker, lambda event: event.get(key) == value)
    return sorted(found, key=lambda kept: (str(kept.event.get("timestamp")), kept.number))


def _completions(recent: Recent) -> list[Kept]:
    marker = member("logger", _LOGGER) or b""
    return _found(recent, marker, lambda event: event.get("logger") == _LOGGER and event.get("message") in COMPLETIONS)


def _found(recent: Recent, marker: bytes, is_wanted: Callable[[dict[str, Any]], bool]) -> list[Kept]:
    """Return the events whose line has the marker in it and that are wanted, each once, in no order."""
    lines: dict[int, bytes] = dict(_with(recent.errors(), marker))
    lines.update(containing(recent.chunks(), marker))
    found = []
    for number, line in lines.items():
        event, failed = attempt(orjson.loads, line)
        if failed is None and isinstance(event, dict) and is_wanted(event):
            found.append(Kept(number, line, event))
    return found


def _with(lines: Iterable[Line], marker: bytes) -> Iterable[Line]:
    return ((number, line.removesuffix(b"\n")) for number, line in lines if marker in line)


def _is_wanted(event: dict[str, Any], path: str, *, failed: bool) -> bool:
    if failed and not is_failed(event):
        return False
    return not path or path in str(event.get("path", ""))


def is_failed(event: dict[str, Any]) -> bool:
    """Tell whether a completion event is about a failure of the server: an exception, or an answer of 500 and above."""
    status = event.get("status_code")
    return (
        event["message"] in _FAILED
        or event.get("outcome") == "server_error"
        or (isinstance(status, int) and status >= _SERVER_ERRORS)
    )


def _duration(event: dict[str, Any]) -> float:
    duration = event.get("duration_ms")
    return float(duration) if isinstance(duration, int | float) else -1.0


def _oldest(recent: Recent) -> str | None:
    """Return the time of the oldest event in the ring."""
    for chunk in recent.chunks()[:1]:
        event, failed = attempt(orjson.loads, chunk.data.partition(b"\n")[0])
        if failed is None and isinstance(event, dict):
            return str(event.get("timestamp"))
    return None


def _as_they_are(kept: Iterable[Kept]) -> list[orjson.Fragment]:
    return [orjson.Fragment(one.line) for one in kept]


def _spans(console: Any, trace_id: str) -> list[dict[str, Any]]:
    """Return the spans of a trace, redacted by the console's own engine: another one may be the process's default."""
    spans = console.spans()
    return [] if spans is None else list(spans.of_trace(trace_id, console.engine().redact_fields))


def _trace_url(console: Any, trace_id: str) -> str | None:
    """Return the link to the user's own backend; none for what is no trace id, whatever it says."""
    template = console.options.trace_url
    if template is None or _TRACE_ID.fullmatch(trace_id) is None:
        return None
    return str(template.replace("{trace_id}", trace_id))


def _one_of(given: str, key: str, allowed: Iterable[str]) -> str:
    word = given.lower()
    if word not in allowed:
        raise ConfigError.wrong(key, given, ", ".join(filter(None, allowed)))
    return word


async def _in_turn(console: Any, read: Callable[[], Answer]) -> Answer:
    """Read on a thread, one reader at a time."""
    answer: Answer = await console.turns.call(read)
    return answer
