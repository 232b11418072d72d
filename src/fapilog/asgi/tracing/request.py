"""The server span of one request: our own, or somebody else's that is told the same.

    ours       begin ─► active in the application ─► last body byte: ended (from 500 on: when it is known who raised)
    another's  begin or the first answer: found ─► before the last body byte goes out: told ─► ended by its owner

A WebSocket's span ends when the application is done with it.
"""

import sys
from collections.abc import Callable, Mapping
from contextvars import Token
from time import perf_counter, time_ns
from typing import Any, NamedTuple

from opentelemetry import context as otel_context
from opentelemetry.trace import Span, StatusCode

from fapilog.asgi.access import OTHER_METHOD
from fapilog.asgi.exchange import answered_id, departed
from fapilog.asgi.tracing.others import Found, entered, outside
from fapilog.asgi.websocket import SERVER_CODES
from fapilog.context import RequestContext, SpanNotes, current, note_for
from fapilog.diagnostics import class_name
from fapilog.event import identity_of
from fapilog.otel.exceptions import record_once
from fapilog.otel.semconv import Conventions, with_former_names

REQUEST_ID = "fapilog.request_id"
LOG_COUNT = "fapilog.log.count."
INCOMPLETE = "incomplete_response"
_SWITCHED, _REFUSED, _SERVER_ERROR = 101, 403, 500
_BODIES = frozenset(("http.response.body", "http.response.pathsend", "http.response.zerocopysend"))
_BEGINNINGS = frozenset(("http.response.start", "websocket.accept", "websocket.close", "websocket.http.response.start"))


class Tools(NamedTuple):
    """What all traced requests of an application share.

    Attributes:
        conventions: Which semantic conventions are in force.
        level_name: Returns what the number of a level is called in a span's attributes.
        scrub: Takes the secrets out of a text.
        route_of: Returns the route template of a scope, or None; never raises.
        tells: Whether spans are told anything; not so where only the duration is measured.
    """

    conventions: Conventions
    level_name: Callable[[int], str]
    scrub: Callable[[str], str]
    route_of: Callable[[Any], str | None]
    tells: bool


class TracedRequest:
    """What one request and its server span have to do with each other; of one event loop.

    Attributes:
        scope: The request's scope.
        method: ``http.request.method``.
        status: The status of the answer; None before. 101 for a WebSocket that was accepted.
        span: The server span; None while there is none, or somebody else has yet to open it.
        error_type: ``error.type`` once the request has failed.
        measured: Whether somebody further out records how long it takes.
        started, ended: When it began and when the last body byte was handed to the server, on the performance counter;
            the latter 0 before.
    """

    status: int | None = None
    span: Span | None = None
    error_type: str | None = None
    measured = False
    ended = 0.0
    _ended_ns = 0
    _ours = False
    _reports = False
    _told = False
    _gone = False
    _has_trailers = False
    _routed = False
    _route: str | None = None
    _notes: SpanNotes | None = None
    _token: Token[Any] | None = None
    _send_error: OSError | None = None
    _answered: BaseException | None = None
    _taken: tuple[dict[int, int], list[tuple[BaseException, int]]] | None = None

    def __init__(self, tools: Tools, scope: Any, context: RequestContext, method: str) -> None:
        """Open nothing yet."""
        self.started = perf_counter()
        self.scope = scope
        self.method = method
        self.is_socket = scope["type"] == "websocket"
        self._tools = tools
        self._context = context
        self._request_id: str | None = context.shared.get("request_id")

    @property
    def route(self) -> str | None:
        """The route template, or None; asked for after routing, and looked for once."""
        if not self._routed:
            self._routed, self._route = True, self._tools.route_of(self.scope)
        return self._route

    @property
    def span_name(self) -> str:
        """What the span's name begins with; the conventions write ``HTTP`` for a method that is not known."""
        return "HTTP" if self.method == OTHER_METHOD else self.method

    def enter(self, within: otel_context.Context) -> None:
        """Make a context the current one until :meth:`finish`."""
        self._token = otel_context.attach(entered(within))

    def open(self, span: Span) -> None:
        """Take a span that was started for this request, and is to be ended by it."""
        self._ours = True
        self._take(span)

    def expect(self) -> None:
        """Note from now on what a span will be told that somebody further in has yet to open."""
        if self._tools.tells and self._notes is None:
            self._context.scrub = self._tools.scrub
            self._notes = SpanNotes()
            note_for(self._notes)

    def adopt(self, found: Found) -> None:
        """Take somebody else's span, which they end; the first one stays."""
        if self.span is None:
            self._reports = found.reports
            self._take(found.span)
            if self._request_id is not None and self._tools.tells:
                # Now, and again at the end if we hear of it: where the application raises, its owner ends it before.
                found.span.set_attribute(REQUEST_ID, self._request_id)

    def _take(self, span: Span) -> None:
        context = span.get_span_context()
        if not context.is_valid:
            return
        self.span = span
        if self._tools.tells:
            self._context.share(identity_of({}, context))
            self._context.traced = True
            self._context.scrub = self._tools.scrub
            if span.is_recording():
                self.expect()

    def received(self, message: Mapping[str, Any]) -> None:
        """See a message of the server."""
        if message["type"] in ("http.disconnect", "websocket.disconnect") and not self.ended:
            self._gone = True
            if self.is_socket and not self._ours:
                self._tell(None)

    def sending(self, message: Mapping[str, Any]) -> bool:
        """See a message of the application before it goes out; return whether it is the last of the answer."""
        kind = message["type"]
        if kind in _BEGINNINGS:
            self._begin_answer(kind, message)
        if kind in _BODIES or kind == "websocket.http.response.body":
            last = not (message.get("more_body", False) or self._has_trailers)
        else:
            last = kind == "http.response.trailers" and not message.get("more_trailers", False)
        if (last or kind == "websocket.close") and not self._ours:
            # Its owner ends it as soon as this has gone out.
            self._tell(self._answered)
        return last

    def sent_last(self) -> None:
        """Note that the answer is out; end the span, unless the application may still raise what it has answered."""
        self.ended, self._ended_ns = perf_counter(), time_ns()
        if not self._ours or self.status is None:
            return
        if self.status < _SERVER_ERROR:
            self._tell(None)
            self._end()
        elif self._notes is not None:
            # What a background task logs is no part of it here either.
            self._taken = self._notes.take()

    def not_sent(self, error: OSError) -> None:
        """Note that the client has gone."""
        self._send_error = error
        self._gone = True

    def finish(self, error: BaseException | None) -> None:
        """End what is not ended, and make what was current before current again."""
        failure = None if error is None or departed(error, self._send_error) else error
        self._gone = self._gone or (error is not None and failure is None)
        if self.is_socket and self.status is None and not self._gone:
            self.status = _SERVER_ERROR if failure is not None else _REFUSED
        if not self.is_socket and not self.ended and not self._gone and failure is None:
            self.error_type = INCOMPLETE
        if self.ended and self.status is not None and self.status < _SERVER_ERROR:
            # Raised by a background task: the answer was good, and nothing is said of it on its span.
            failure = None
        try:
            self._tell(failure)
        finally:
            # Whatever a span may raise: one that never ends, and stays current, would be worse than one that says less.
            self._leave()

    def _leave(self) -> None:
        if self._notes is not None:
            self._notes.take()
        self._answered = self._send_error = self._taken = None
        token, self._token = self._token, None
        if token is not None and current.get().request is self._context:
            # Else it is finished in another context than it began in, by a garbage collector or a foreign event loop:
            # there is nothing to restore in this one.
            otel_context.detach(token)
        if self._ours:
            self._end()

    def _begin_answer(self, kind: str, message: Mapping[str, Any]) -> None:
        # Contrib's is active here, too; its hook has not told if it was put in by this very request.
        found = None if self.span is not None else outside(self.scope)
        if found is not None:
            self.adopt(found)
        if kind == "websocket.accept":
            self.status = _SWITCHED
        elif kind == "websocket.close":
            self.status = self.status or _REFUSED
            if message.get("code") in SERVER_CODES:
                self.error_type = str(message["code"])
        else:
            if not self._gone:
                # An error page for a client that has left reaches nobody, and is no 5xx.
                self.status = message["status"]
            self._has_trailers = bool(message.get("trailers", False))
            self._answered = self._error_answered()

    def _error_answered(self) -> BaseException | None:
        """Return the exception that an answer from 500 on is for, if it is one that nobody meant to answer so.

        Frameworks answer inside of the handler of the exception, and raise it again once the answer is out, when a span
        that is not ours has ended already. One that names its status, as ``HTTPException`` does, was meant.
        """
        if self._ours or self.status is None or self.status < _SERVER_ERROR:
            return None
        error = sys.exc_info()[1]
        return None if getattr(error, "status_code", None) == self.status else error

    def _tell(self, failure: BaseException | None) -> None:
        """Put on the span what is known at its end; once."""
        if self._told:
            return
        if failure is not None:
            self.error_type = class_name(failure)
        elif self.error_type is None and (self.status or 0) >= _SERVER_ERROR:
            self.error_type = str(self.status)
        span, notes = self.span, self._notes
        if span is None or notes is None or not span.is_recording():
            return
        self._told = True
        # What is logged from here on is no part of it.
        levels, logged = self._taken or notes.take()
        attributes: dict[str, Any] = {}
        for number, count in levels.items():
            name = LOG_COUNT + self._tools.level_name(number)
            attributes[name] = attributes.get(name, 0) + count
        if self._request_id is not None:
            attributes[REQUEST_ID] = answered_id(self._request_id, self._context)
        if self._ours:
            attributes |= self._http_attributes(span)
        span.set_attributes(attributes)
        if self._tools.conventions.exceptions_on_spans:
            self._record(span, notes, logged, failure)

    def _http_attributes(self, span: Span) -> dict[str, Any]:
        attributes: dict[str, Any] = {}
        route = self.route
        if route is not None:
            attributes["http.route"] = route
            if getattr(span, "name", self.span_name) == self.span_name:
                # Else the application has given it another one.
                span.update_name(f"{self.span_name} {route}")
        if self.status is not None:
            attributes["http.response.status_code"] = self.status
        if self._tools.conventions.former_names:
            attributes = with_former_names(attributes)
        if self.error_type is not None:
            attributes["error.type"] = self.error_type
            span.set_status(StatusCode.ERROR)
        return attributes

    def _record(
        self, span: Span, notes: SpanNotes, logged: list[tuple[BaseException, int]], failure: BaseException | None
    ) -> None:
        scrub = self._tools.scrub
        for error, when in logged:
            if error is not failure or not self._reports:
                record_once(span, notes, error, scrub, when)
        if failure is not None and not self._reports:
            record_once(span, notes, failure, scrub)

    def _end(self) -> None:
        span, self._ours = self.span, False
        if span is not None:
            span.end(self._ended_ns or None)
