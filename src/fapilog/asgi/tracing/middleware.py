"""The wrapper between the middleware and the application that gives each request its server span and measures it.

RequestMiddleware ─► Telemetry ─► application
                        │ span of somebody else, outside or further in? ─► told the same, opened by nobody twice
                        ╰ else a SERVER span of our own, child of what the headers name, current in the application
"""

import os
from collections.abc import Callable
from types import TracebackType
from typing import Any

from opentelemetry import context as otel_context
from opentelemetry import trace
from opentelemetry.trace import Span, SpanKind, Tracer

from fapilog import _runtime
from fapilog.asgi.access import diagnose
from fapilog.asgi.exchange import MARK
from fapilog.asgi.headers import HeaderReader
from fapilog.asgi.routes import RouteOf
from fapilog.asgi.rules import Paths
from fapilog.asgi.tracing.attributes import known_methods, method_of, start_attributes
from fapilog.asgi.tracing.durations import Durations
from fapilog.asgi.tracing.others import (
    FASTAPI_KEY,
    Found,
    Inside,
    fastapi_measures,
    outside,
    provider_of,
)
from fapilog.asgi.tracing.propagation import Propagation, chosen_baggage
from fapilog.asgi.tracing.request import Tools, TracedRequest
from fapilog.asgi.types import App, Receive, Scope, Send
from fapilog.diagnostics import attempt
from fapilog.otel.exceptions import RecordedExceptions
from fapilog.otel.links import tracer_of
from fapilog.otel.options import TracingOptions
from fapilog.otel.semconv import conventions, with_former_names
from fapilog.otel.watching import is_configured

TRACED = "fapilog.traced"
_KINDS = frozenset(("http", "websocket"))
_FORWARDED_FOR = b"x-forwarded-for"
_HEADERS = frozenset((b"host", b"user-agent", _FORWARDED_FOR))


class Telemetry:
    """Gives each request one server span, and measures how long it takes. Thread-safe as the application is.

    Whatever goes wrong in here is counted and reported, and never reaches the application.

    Args:
        app: The application; also the attribute ``app``, so that instrumentation finds its way in.
        tracing: What to do with spans; None: nothing.
        provider: Where spans are made; None for the global one, whichever it is when a request comes.
        durations: Takes how long requests take; None: nobody asks.
        headers: Knows trusted proxies.
        route_of: Finds the route template in a scope after routing.
    """

    def __init__(
        self,
        app: App,
        tracing: TracingOptions | None,
        provider: Any,
        durations: Durations | None,
        headers: HeaderReader,
        route_of: RouteOf,
    ) -> None:
        """Read what the environment says of the conventions.

        Raises:
            ConfigError: If it names a propagator that is not installed.
        """
        self.app = app
        self._tracing = tracing or TracingOptions()
        self._given = provider
        self._durations = durations
        self._headers = headers
        self._skipped = Paths(self._tracing.skip_paths)
        self._methods = known_methods()
        # None where there is nothing to do with spans.
        self._propagation = None if tracing is None else Propagation(_HEADERS)
        self._inside = Inside(app, _tell_request)
        self._tools = Tools(conventions(os.environ), _level_name, _scrub, _checked(route_of), tracing is not None)
        self._provider: Any = None
        self._watched: Any = None
        self._tracer: Tracer | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request. What the application raises goes on unchanged."""
        if scope["type"] not in _KINDS or TRACED in scope or MARK not in scope:
            await self.app(scope, receive, send)
            return
        request = _tried(self._noticed, scope)
        if request is None:
            await self.app(scope, receive, send)
            return
        with _Watch(self._finish, request):
            # If this fails, what was begun of it is taken back when the request is over.
            _tried(self._begin, request)
            await self.app(scope, _watched_receive(request, receive), _watched_send(request, send))

    def _noticed(self, scope: Any) -> TracedRequest:
        request = TracedRequest(self._tools, scope, scope[MARK], method_of(scope, self._methods))
        scope[TRACED] = request
        return request

    def _begin(self, request: TracedRequest) -> None:
        scope = request.scope
        found = outside(scope)
        # Asked before routing, which may put a mounted application in the place of the one that measures.
        request.measured = fastapi_measures(scope.get("app")) or (
            found is not None and FASTAPI_KEY not in scope and self._tools.conventions.stable_http
        )
        scope[MARK].tracer_provider = self._given
        propagation = self._propagation
        if found is not None:
            self._watch(provider_of(scope))
            request.adopt(found)
            self._bind_baggage(scope, otel_context.get_current())
        elif propagation is not None and self._inside.traces():
            self._watch(None)
            request.expect()
            if self._tracing.baggage:
                self._bind_baggage(scope, propagation.context(propagation.read(scope["headers"])))
        elif propagation is not None:
            self._open(request, scope, propagation)

    def _open(self, request: TracedRequest, scope: Any, propagation: Propagation) -> None:
        """Make what the headers carry the current context, with a span of ours in it if somebody makes spans."""
        carrier = propagation.read(scope["headers"])
        within = propagation.context(carrier)
        self._bind_baggage(scope, within)
        tracer = self._tracer_now()
        is_skipped = self._skipped.hold(scope["path"], scope.get("root_path", ""))
        if tracer is not None and not is_skipped and not _suppressed():
            span = self._started(request, scope, carrier, tracer, within)
            within = trace.set_span_in_context(span, within)
            request.enter(within)
            request.open(span)
            # A FastAPI application that is mounted further in leaves requests alone that have this key.
            scope.setdefault(FASTAPI_KEY, None)
        else:
            request.enter(within)

    def _started(
        self, request: TracedRequest, scope: Any, carrier: dict[str, str], tracer: Tracer, parent: otel_context.Context
    ) -> Span:
        peer, client = scope.get("client"), None
        if self._headers.trusts_proxies and peer:
            forwarded = carrier.get(_FORWARDED_FOR.decode(), "").encode("latin-1")
            client = self._headers.client(peer[0], {_FORWARDED_FOR: forwarded})
        attributes = start_attributes(scope, carrier, request.method, client, _scrub)
        if self._tools.conventions.former_names:
            attributes = with_former_names(attributes)
        return tracer.start_span(request.span_name, parent, SpanKind.SERVER, attributes)

    def _bind_baggage(self, scope: Any, context: otel_context.Context) -> None:
        if self._tracing.baggage:
            fields = chosen_baggage(context, self._tracing.baggage)
            if fields:
                scope[MARK].share(fields)

    def _tracer_now(self) -> Tracer | None:
        """Return the tracer of the provider that is in force; None if that is no more than a stand-in."""
        provider = self._given or trace.get_tracer_provider()
        if provider is not self._provider:
            tracer = None
            if is_configured(provider):
                tracer = _tried(tracer_of, provider)
                self._watch(provider)
            # In this order: a request in the loop of another thread must not find the provider without its tracer.
            self._tracer, self._provider = tracer, provider
            return tracer
        return self._tracer

    def _watch(self, provider: Any) -> None:
        """Learn from the spans of a provider which exceptions are on spans already."""
        provider = provider or self._given or trace.get_tracer_provider()
        if self._propagation is not None and provider is not self._watched:
            self._watched = provider
            if is_configured(provider):
                # One that cannot be hashed or referred to weakly does without: what it records, nobody knows.
                attempt(_runtime.span_watch().add, provider, RecordedExceptions)

    def _finish(self, request: TracedRequest, error: BaseException | None) -> None:
        request.scope.pop(TRACED, None)
        if request.scope.get(FASTAPI_KEY, request) is None:
            del request.scope[FASTAPI_KEY]
        request.finish(error)
        durations = self._durations
        if durations is not None and not request.is_socket and not self._inside.measures():
            durations.record(request)


class _Watch:
    """Has a request finished when its block ends, however it ends; what was raised goes on unchanged."""

    __slots__ = ("_finish", "_request")

    def __init__(self, finish: Callable[[TracedRequest, BaseException | None], None], request: TracedRequest) -> None:
        self._finish = finish
        self._request = request

    def __enter__(self) -> None:
        pass

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        _tried(self._finish, self._request, error)


def _tried(function: Callable[..., Any], /, *args: Any) -> Any:
    """Return what a function of ours returns; None if it raises, which is counted and reported."""
    result, failed = attempt(function, *args)
    if failed is not None:
        diagnose("tracing", failed)
    return result


def _watched_send(request: TracedRequest, send: Send) -> Send:
    async def watched(message: Any) -> None:
        last = _tried(request.sending, message)
        try:
            await send(message)
        except OSError as error:
            request.not_sent(error)
            raise
        if last:
            _tried(request.sent_last)

    return watched


def _watched_receive(request: TracedRequest, receive: Receive) -> Receive:
    async def watched() -> Any:
        message = await receive()
        _tried(request.received, message)
        return message

    return watched


def _tell_request(span: Span, scope: dict[str, Any]) -> None:
    """Be told by contrib's middleware which span it has opened."""
    request = scope.get(TRACED)
    if isinstance(request, TracedRequest):
        _tried(request.adopt, Found(span, reports=True))


def _level_name(number: int) -> str:
    """Return a level's name in lower case; all without one are ``other``, for a span has room for few attributes."""
    name = _runtime.origin("root").queue.levels.name(number)
    return name.lower() if name != f"LEVEL_{number}" else "other"


def _suppressed() -> bool:
    return bool(otel_context.get_value("suppress_instrumentation"))


def _scrub(text: str) -> str:
    """Return a text without the secrets in it, as the engine that is the default now would write it."""
    clean: str = _runtime.default_engine().diagnostics.scrubbed(text)
    return clean


def _checked(route_of: RouteOf) -> Callable[[Any], str | None]:
    def checked(scope: Any) -> str | None:
        route, failed = attempt(route_of, scope)
        if failed is not None:
            diagnose("asgi_route", failed)
        return route if isinstance(route, str) else None

    return checked
