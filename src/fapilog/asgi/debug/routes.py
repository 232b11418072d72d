"""``GET /debug/logging``: the figures of the engine, answered in front of the application.

    server ─► DebugRoute ──path matches──► 405 | 401 | 200 JSON
                  ├──────path/metrics────► 405 | 401 | 200 as Prometheus reads it | 501 without prometheus-client
                  └──────everything else─► FapilogMiddleware ─► application

Standing outermost it is reachable although the application has a catch-all route, appears in no OpenAPI document, and
is not logged: whoever polls it does not fill the log.
"""

import os
from collections.abc import Callable, Mapping
from typing import Any

import orjson
from opentelemetry import trace

from fapilog._version import __version__
from fapilog.asgi.debug.auth import is_authorized, tokens_of
from fapilog.asgi.debug.metrics import MISSING, exposition
from fapilog.asgi.debug.options import DebugOptions
from fapilog.asgi.types import App, Receive, Scope, Send
from fapilog.clock import SYSTEM_CLOCK, Clock
from fapilog.event import timestamp

_METHODS = ("GET", "HEAD")
_HIDDEN = b"token=***"
_METRICS = "/metrics"
_JSON = b"application/json"
_HEADERS = (
    (b"cache-control", b"no-store"),
    (b"content-security-policy", b"default-src 'none'"),
    (b"referrer-policy", b"no-referrer"),
    (b"x-content-type-options", b"nosniff"),
)


class DebugRoute:
    """An ASGI application around another one that answers two paths itself. Holds no state of a request.

    Args:
        app: The application behind it; also the attribute ``app``, so that instrumentation finds its way in.
        options: The path it answers, relative to the application's root path, and what a reader has to show; the
            metrics are under ``/metrics`` of it. Exactly this spelling of the path: encoded, doubled or slash-ended
            variants go to the application.
        figures: Returns what is answered, plain JSON values without secrets; called on the event loop.
    """

    def __init__(self, app: App, options: DebugOptions, figures: Callable[[], Mapping[str, Any]]) -> None:
        """Check nothing: the options did."""
        self.app = app
        self._options = options
        self._paths = (options.path, options.path + _METRICS)
        self._figures = figures

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer the route's path; pass on everything else untouched, at the first time after telling the link."""
        if not self._options.announced:
            self._options.announce()
        if scope["type"] == "http" and scope["path"].endswith(self._paths):
            for path in self._paths:
                if _is_at(scope, path):
                    await self._answer(scope, send, metrics=path == self._paths[1])
                    return
        await self.app(scope, receive, send)

    async def _answer(self, scope: Scope, send: Send, *, metrics: bool) -> None:
        query = scope["query_string"]
        if tokens_of(query):
            _hide_token(scope)
        head = scope["method"] == "HEAD"
        if scope["method"] not in _METHODS:
            await _refuse(send, 405, "only GET and HEAD", (b"allow", ", ".join(_METHODS).encode()))
        elif not is_authorized(self._options.token, scope["headers"], query):
            await _refuse(send, 401, "a valid token is needed", (b"www-authenticate", b'Bearer realm="fapilog"'))
        elif not metrics:
            await _send(send, 200, _json(self._figures()), _JSON, head=head)
        elif (written := await exposition(scope["headers"])) is None:
            await _refuse(send, 501, MISSING, head=head)
        else:
            await _send(send, 200, written.text, written.content_type.encode(), head=head)


def process_figures(
    snapshot: Callable[[], Mapping[str, Any]], withheld: Mapping[str, int], clock: Clock = SYSTEM_CLOCK
) -> Callable[[], dict[str, Any]]:
    """Return the function that the route asks: the engine's snapshot, and whose figures they are.

    ``uptime_seconds`` counts from this call. Of what went wrong it tells kind, time and type of the exception, not
    the message: a library may have put a password into it.

    Args:
        snapshot: Returns the engine's figures.
        withheld: Completion events that the rules of the edge held back, by rule.
        clock: For the uptime.
    """
    started = clock.monotonic()

    def figures() -> dict[str, Any]:
        engine = dict(snapshot())
        sinks = {
            name: {**sink, "last_error": _type_of(sink.get("last_error"))} for name, sink in engine["sinks"].items()
        }
        said = engine["diagnostics"]
        recent = [{"time": timestamp(report["time_ns"]), "kind": report["kind"]} for report in said["recent"]]
        return {
            "fapilog": __version__,
            "pid": os.getpid(),
            "scope": "this process only",
            "uptime_seconds": round(clock.monotonic() - started, 3),
            **engine,
            "withheld": dict(withheld),
            "sinks": sinks,
            "diagnostics": {**said, "recent": recent},
        }

    return figures


def _type_of(error: str | None) -> str | None:
    """Return the first word of ``Type: message``."""
    return None if error is None else error.partition(":")[0]


def _is_at(scope: Scope, path: str) -> bool:
    """Tell whether the request asks for ``path`` in its one canonical spelling, below the root path."""
    root = scope.get("root_path", "").rstrip("/")
    if scope["path"] not in {path, root + path}:
        return False
    raw = scope.get("raw_path")
    return raw is None or raw.split(b"?", 1)[0] in {path.encode(), (root + path).encode("utf-8")}


def _hide_token(scope: Scope) -> None:
    """Take the token out of what outlives the request.

    Servers write their access line from this very dict after the answer, and FastAPI's own telemetry has put the
    query on its span before we were called.
    """
    scope["query_string"] = _HIDDEN
    span = trace.get_current_span()
    if span.is_recording():
        span.set_attribute("url.query", _HIDDEN.decode())


def _json(content: Mapping[str, Any]) -> bytes:
    return orjson.dumps(content, option=orjson.OPT_INDENT_2 | orjson.OPT_NON_STR_KEYS) + b"\n"


async def _refuse(send: Send, status: int, error: str, *more_headers: tuple[bytes, bytes], head: bool = False) -> None:
    await _send(send, status, _json({"error": error}), _JSON, *more_headers, head=head)


async def _send(
    send: Send,
    status: int,
    body: bytes,
    content_type: bytes,
    *more_headers: tuple[bytes, bytes],
    head: bool = False,
) -> None:
    length = str(len(body)).encode()
    headers = [(b"content-type", content_type), *_HEADERS, (b"content-length", length), *more_headers]
    await send({"type": "http.response.start", "status": status, "headers": headers, "trailers": False})
    await send({"type": "http.response.body", "body": b"" if head else body, "more_body": False})
