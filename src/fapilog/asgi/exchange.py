"""The state of one HTTP request: it stands between the server and the application and sees every message pass.

    server                     Exchange                         application
      ──── http.request ─────► receive   counts bytes ─────────►
      ◄─── response.start ──── send      adds the request id ◄──
      ◄─── response.body ─────           counts, takes time ◄───
                               __exit__  one completion event

Nothing is kept of a body. On entry the exchange's context becomes the current one, so that every log call of the
request carries its id; on exit the one before is current again.
"""

from asyncio import CancelledError
from collections.abc import Callable, Mapping
from time import perf_counter_ns
from types import TracebackType
from typing import Any

from opentelemetry import context as otel_context

from fapilog.asgi.access import (
    DISCONNECTED,
    MAX_METHOD,
    MAX_PATH,
    METHODS,
    OK,
    OTHER_METHOD,
    SERVER_ERROR,
    AccessLog,
    diagnose,
    outcome_of,
)
from fapilog.asgi.headers import TRACEPARENT, HeaderReader, request_id_of, trace_ids_of, with_header
from fapilog.asgi.loud import Loud
from fapilog.asgi.recording import RequestRecorder
from fapilog.asgi.types import Receive, Send
from fapilog.coerce import cut_text
from fapilog.context import Below, RequestContext, Scope, current
from fapilog.diagnostics import attempt
from fapilog.event import IDENTITY_KEYS

MARK = "fapilog"
_NO_ANSWER = 500
_NOTHING: dict[str, Any] = {}
_DEPARTURES = frozenset(("ClientDisconnect", "ClientDisconnected", "WebSocketDisconnect"))
_BY_SERVER = frozenset(("http.response.pathsend", "http.response.zerocopysend"))


class Exchange:
    """What one request and the middleware have between them; of one event loop, for one ``with`` block.

    Attributes:
        scope: The request's scope, the very dict that the application gets, for routing writes into it.
        context: What log calls of the request share.
        found: The headers that were wanted.
        path: The path as it came.
        root_path: What the server says the application stands under.
        client_request_id: A sane id of the client's that was not taken over.
        started: When it began, nanoseconds on the performance counter.
        ended: When the last body byte was handed to the server; 0 before.
        complete: Whether the whole answer is on its way, trailers included.
        status: The status that the application sent; None before.
        received: Body bytes that the application read.
        sent: Body bytes that the application sent while the client was there.
        disconnected: Whether the client left before the answer was complete.
        recorder: Keeps its events below the levels; None without a flight recorder.
    """

    # What most requests never change is set on the class, which costs a request nothing.
    client_request_id: str | None = None
    ended = 0
    complete = False
    status: int | None = None
    received = 0
    sent = 0
    disconnected = False
    recorder: RequestRecorder | None = None
    _has_trailers = False
    _length = 0
    _request_id = ""
    _send_error: OSError | None = None

    def __init__(
        self,
        headers: HeaderReader,
        access: AccessLog,
        scope: Any,
        receive: Receive,
        send: Send,
        below: "BelowOf | None" = None,
    ) -> None:
        """Read the headers and settle who this request is, and who wants its events below the levels."""
        self.started = perf_counter_ns()
        self.scope = scope
        self._receive = receive
        self._send = send
        self._access = access
        self._id_name = headers.id_name
        self.path: str = scope["path"]
        self.root_path: str = scope.get("root_path", "")
        if not isinstance(scope["headers"], list | tuple):
            # The protocol promises no more than an iterable, which may be good for one reader only.
            scope["headers"] = list(scope["headers"])
        self.found = found = headers.read(scope["headers"])
        identity: dict[str, Any] = {}
        if headers.id_name:
            given = request_id_of(found[headers.id_name]) if headers.id_name in found else None
            if given is not None and not headers.accepts_id:
                self.client_request_id, given = given, None
            self._request_id = identity["request_id"] = given or headers.ids.new()
        if TRACEPARENT in found:
            identity.update(trace_ids_of(found[TRACEPARENT]))
        self.context = RequestContext(identity)
        wants, failed = (None, None) if below is None else attempt(below, self)
        if failed is not None:
            diagnose("asgi_below", failed)
        self._within = Scope(_NOTHING, self.context, None, wants)

    def __enter__(self) -> None:
        """Make the request the current one, and known to middleware further in."""
        self.scope[MARK] = self.context
        self._token = current.set(self._within)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Emit the completion event and restore the context. What the application raised goes on unchanged."""
        now = perf_counter_ns()
        # What the application bound and did not unbind is in the completion event's own fields already.
        current.set(self._within)
        # What span is active out here is not this request's, as where the server was started in one.
        spanless = otel_context.attach(otel_context.Context()) if self.context.traced else None
        _, failed = attempt(self._report, error, now)
        if spanless is not None:
            otel_context.detach(spanless)
        if failed is not None:
            diagnose("asgi_report", failed)
            self.end_recording(failed=True)
        self.scope.pop(MARK, None)
        # No cycles: these hold frames and the framework's objects, and would keep them until the garbage collector.
        self.scope = _NOTHING
        self._send_error = None
        try:
            current.reset(self._token)
        except ValueError:
            # Finished in another context than it began in, by a garbage collector or a foreign event loop: there is
            # nothing to restore in this one.
            return

    async def receive(self) -> Any:
        """Pass on the server's next message."""
        message = await self._receive()
        kind = message["type"]
        if kind == "http.request":
            self.received += len(message.get("body") or b"")
        elif kind == "http.disconnect" and not self.complete:
            self.disconnected = True
        return message

    async def send(self, message: Any) -> None:
        """Pass on the application's next message; to the start of the answer add the request id."""
        kind = message["type"]
        if kind == "http.response.body":
            # Some servers tell a waiting receive() that all is over before they return from the last send().
            self.complete = not (message.get("more_body", False) or self._has_trailers)
        elif kind == "http.response.start":
            started, failed = attempt(self._start, message)
            if failed is None:
                message = started
        elif kind == "http.response.trailers":
            self.complete = not message.get("more_trailers", False)
        try:
            await self._send(message)
        except OSError as error:
            # How some servers say that the client has gone; others say nothing.
            self._note_loss(error)
            raise
        if kind == "http.response.body":
            if not self.disconnected:
                self.sent += len(message.get("body") or b"")
            if not message.get("more_body", False):
                self.ended = perf_counter_ns()
        elif kind in _BY_SERVER:
            self._sent_by_server(kind, message)

    def _note_loss(self, error: OSError) -> None:
        self.disconnected = True
        self._send_error = error

    def _sent_by_server(self, kind: str, message: Mapping[str, Any]) -> None:
        """Count a file that the server sends by itself: what the message or the headers say of its length."""
        if kind == "http.response.pathsend":
            self.sent += self._length
        else:
            self.sent += message.get("count") or 0
        if not message.get("more_body", False):
            self.complete = not self._has_trailers
            self.ended = perf_counter_ns()

    def _start(self, message: Mapping[str, Any]) -> Mapping[str, Any]:
        """Note the start of the answer, and return it with the request id in its headers."""
        status = message["status"]
        if not self.disconnected:
            # An error page for a client that has left reaches nobody, and is no 5xx.
            self.status = status
        self._has_trailers = bool(message.get("trailers", False))
        ids = None if self.context.traced else self._access.span_ids()
        if ids is not None:
            self.context.share(ids)
        if self.scope.get("extensions"):
            self._length = _declared_length(message.get("headers", ()))
        return self.with_id(message)

    def with_id(self, message: Mapping[str, Any]) -> Mapping[str, Any]:
        """Return a start message that names the request's id: the one the application has bound, if it is sane."""
        if not self._id_name:
            return message
        return with_header(message, self._id_name, answered_id(self._request_id, self.context))

    def _report(self, error: BaseException | None, now: int) -> None:
        access = self._access
        gone = error is not None and departed(error, self._send_error)
        failure = None if gone else error
        status = self.status
        if self.disconnected or (gone and not self.ended):
            outcome = DISCONNECTED
        elif failure is not None or not self.ended:
            # The application that ends in the middle of its answer has failed as much as one that raises.
            outcome = SERVER_ERROR
            status = status or _NO_ANSWER
        else:
            outcome = outcome_of(status or _NO_ANSWER)
        is_error = failure is not None or outcome == SERVER_ERROR
        duration_ns = (self.ended or now) - self.started
        recorded = self.end_recording(failed=is_error, duration_ns=duration_ns)
        if not access.enabled:
            return
        if not (self.is_loud() or is_error or access.rules.emits(self.path, self.root_path, success=outcome == OK)):
            return
        method = self.scope["method"]
        fields = {
            "http_method": method,
            "path": self.path if len(self.path) <= MAX_PATH else cut_text(self.path, MAX_PATH),
            "status_code": status,
            "duration_ms": duration_ns // 1_000 / 1_000,
            "total_ms": (now - self.started) // 1_000 / 1_000,
            "request_bytes": self.received,
            "response_bytes": self.sent if method != "HEAD" else 0,
            "outcome": outcome,
        }
        if status is None:
            del fields["status_code"]
        if method not in METHODS:
            fields["http_method"] = OTHER_METHOD
            fields["http_method_original"] = cut_text(method, MAX_METHOD)
        access.add_details(fields, self.scope, self.found)
        if recorded is not None:
            fields.update(recorded)
        self._emit("request_completed" if failure is None else "request_failed", fields, failure, is_error=is_error)

    def is_loud(self) -> bool:
        """Tell whether somebody wants to see all of this request, its completion event too; then that says so."""
        below = self._within.below
        return isinstance(below, Loud) and below.is_on()

    def end_recording(self, *, failed: bool, duration_ns: int | None = None) -> dict[str, Any] | None:
        """End the flight recorder, if there is one; return what the completion event says of it. Once."""
        if self.recorder is None:
            return None
        recorded: dict[str, Any] | None
        recorded, error = attempt(self.recorder.end, failed, duration_ns)
        if error is not None:
            diagnose("asgi_recorder", error)
        return recorded

    def _emit(self, message: str, fields: dict[str, Any], failure: BaseException | None, *, is_error: bool) -> None:
        """Emit an event of this request, with what was noted on it, under the id that it has by now."""
        if self.client_request_id is not None:
            fields["client_request_id"] = self.client_request_id
        noted = self.context.noted
        if noted and not noted.keys().isdisjoint(IDENTITY_KEYS):
            self.context.share({key: noted[key] for key in IDENTITY_KEYS if key in noted})
        if failure is None:
            self._access.emit(message, fields, noted, is_error=is_error)
        else:
            self._access.emit_failure(message, fields, noted, failure)


BelowOf = Callable[[Exchange], Below | None]
"""Returns what takes the events of a request that are below the levels of their loggers; None for nobody."""


def departed(error: BaseException, send_error: OSError | None) -> bool:
    """Tell whether an exception only says that nobody waits for the answer any more.

    Args:
        error: What the application has raised.
        send_error: What the server has raised when it was given a message.
    """
    if isinstance(error, BaseExceptionGroup):
        return all(departed(each, send_error) for each in error.exceptions)
    if error is send_error or isinstance(error, CancelledError | GeneratorExit):
        return True
    return type(error).__name__ in _DEPARTURES


def answered_id(own: str, context: RequestContext) -> str:
    """Return the id that the answer names: the one that the application has bound if it is sane, else ``own``."""
    noted = context.noted
    bound = noted.get("request_id") if noted else None
    return (request_id_of(bound.encode("ascii", "replace")) if isinstance(bound, str) else None) or own


def _declared_length(headers: Any) -> int:
    for name, value in headers:
        if name.lower() == b"content-length" and value.isdigit():
            return int(value)
    return 0
