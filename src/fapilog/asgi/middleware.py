"""The middleware: plain ASGI 3, around any application.

scope      lifespan ─► Lifetime            starts and drains            (FapilogMiddleware only)
           http ─────► Exchange            one completion event
           websocket ► WebSocketExchange   one event on open, one when it is over
           others, and what another instance further out has already taken ─► passed on untouched
"""

from functools import partial
from typing import Any, Protocol

from fapilog import _runtime
from fapilog.asgi.access import AccessLog, diagnose
from fapilog.asgi.debug.options import DebugOptions
from fapilog.asgi.debug.routes import DebugRoute, process_figures
from fapilog.asgi.exchange import MARK, Exchange
from fapilog.asgi.headers import HeaderReader
from fapilog.asgi.lifespan import Lifetime
from fapilog.asgi.routes import RouteOf, route_of
from fapilog.asgi.setup import captures, check_levels, debug_route, with_telemetry
from fapilog.asgi.types import App, Receive, Scope, Send
from fapilog.asgi.websocket import WebSocketExchange
from fapilog.diagnostics import attempt
from fapilog.edge_options import AsgiOptions
from fapilog.errors import ConfigError

_FLUSH_SECONDS = 2.0
_EXCHANGES = {"http": Exchange, "websocket": WebSocketExchange}


class Builder(Protocol):
    """What the middleware wants of a builder: options of the engine and of the edge."""

    def options(self) -> Any:
        """Return the engine's options, or raise ``ConfigError``."""


class RequestMiddleware:
    """Gives every request its context and its completion event; leaves the lifespan to somebody else.

    For hosts that run the application's lifespan themselves. Holds no state of a request: one instance serves all,
    on one event loop. It must stand outside whatever turns exceptions into answers, or it will see no exception.

    Args:
        app: The application; also the attribute ``app``, so that other instrumentation finds its way in.
        options: What to do for each request; default :class:`fapilog.edge_options.AsgiOptions`.
        route_of: Finds the route template in a scope after routing.

    Raises:
        ConfigError: If a level of the options is not known.
    """

    def __init__(self, app: App, options: AsgiOptions | None = None, *, route_of: RouteOf = route_of) -> None:
        """Work out once what the options mean."""
        options = options or AsgiOptions()
        self.app = app
        self.options = options
        self._headers = HeaderReader(options)
        self.access = AccessLog(options, self._headers, route_of)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request. What the application raises goes on unchanged."""
        kind = _EXCHANGES.get(scope["type"])
        if kind is None or MARK in scope:
            await self.app(scope, receive, send)
            return
        exchange, failed = attempt(kind, self._headers, self.access, scope, receive, send)
        if failed is not None:
            # A scope that we cannot read must not cost the application its request.
            diagnose("asgi_scope", failed)
            await self.app(scope, receive, send)
            return
        try:
            with exchange:
                await self.app(scope, exchange.receive, exchange.send)
        finally:
            if self.options.flush_each_request:
                await _runtime.default_engine().flush_async(_FLUSH_SECONDS)


class FapilogMiddleware:
    """Structured logs for any ASGI 3 application: ``app = FapilogMiddleware(app)``.

    Every request gets an id (``X-Request-ID``, also in the answer), its log events carry it, and one completion event
    tells what the request was. In the ``lifespan`` scope the engine becomes the process's default and the server's
    loggers are taken over; at the end it is drained, within its shutdown timeout. Without a lifespan all that but the
    server's loggers works, too, and the drain comes at the interpreter's exit.

    Installed twice, the outer one works and the inner one steps aside.

    Args:
        app: The application. Put this outside of everything that handles its exceptions.
        builder: A builder; its engine is built at once, so that a wrong setting is found now, and started by the first
            event. Those of the hosts bring what they were told about requests, debug route and ``logging`` with them.
        preset: The name of a preset instead. With neither, events go to the process's default engine.

    Raises:
        ConfigError: If both are given, or one cannot be used.
    """

    def __init__(self, app: App, *, builder: Builder | None = None, preset: str | None = None) -> None:
        """Build the engine, if one is asked for."""
        if builder is not None and preset is not None:
            raise ConfigError.wrong("FapilogMiddleware()", (builder, preset), "a builder or a preset, not both")
        if builder is None and preset is None:
            engine, chosen = None, _runtime.default_options()
        else:
            chosen = _runtime.options_of(preset if builder is None else builder, "FapilogMiddleware")
            engine = _runtime.build_engine(chosen)
        check_levels(chosen)
        requests = RequestMiddleware(with_telemetry(app, chosen), chosen.asgi)
        self.app = app
        self._serve = _with_debug_route(requests, engine, debug_route(chosen))
        self._lifetime = Lifetime(engine, partial(captures, chosen))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request, or the lifespan."""
        if MARK in scope:
            await self.app(scope, receive, send)
        elif scope["type"] == "lifespan":
            scope[MARK] = self
            try:
                await self._lifetime.run(self.app, scope, receive, send)
            finally:
                scope.pop(MARK, None)
        else:
            if not self._lifetime.ready:
                self._lifetime.begin()
            await self._serve(scope, receive, send)


def _with_debug_route(requests: RequestMiddleware, engine: Any, debug: DebugOptions | None) -> App:
    """Return the middleware with the debug route in front, if there is to be one."""
    if debug is None:
        return requests
    figures = _default_figures if engine is None else engine.snapshot
    return DebugRoute(requests, debug, process_figures(figures, requests.access.rules.withheld))


def _default_figures() -> Any:
    """Return the figures of the engine that is the default now."""
    return _runtime.default_engine().snapshot()
