"""The middleware for hosts that run the application's lifespan themselves: one exchange for each request.

scope      http ─────► Exchange            one completion event
           websocket ► WebSocketExchange   one event on open, one when it is over
           others, and what another instance further out has already taken ─► passed on untouched
"""

from fapilog import _runtime
from fapilog.asgi.access import AccessLog, diagnose
from fapilog.asgi.exchange import MARK, BelowOf, Exchange
from fapilog.asgi.headers import HeaderReader
from fapilog.asgi.routes import RouteOf, route_of
from fapilog.asgi.types import App, Receive, Scope, Send
from fapilog.asgi.websocket import WebSocketExchange
from fapilog.diagnostics import attempt
from fapilog.edge_options import AsgiOptions

_FLUSH_SECONDS = 2.0
_EXCHANGES = {"http": Exchange, "websocket": WebSocketExchange}


class RequestMiddleware:
    """Gives every request its context and its completion event; leaves the lifespan to somebody else.

    For hosts that run the application's lifespan themselves. Holds no state of a request: one instance serves all,
    on one event loop. It must stand outside whatever turns exceptions into answers, or it will see no exception.

    Args:
        app: The application; also the attribute ``app``, so that other instrumentation finds its way in.
        options: What to do for each request; default :class:`fapilog.edge_options.AsgiOptions`.
        route_of: Finds the route template in a scope after routing.
        below: Says who wants a request's events below the levels; default nobody.

    Raises:
        ConfigError: If a level of the options is not known.
    """

    def __init__(
        self,
        app: App,
        options: AsgiOptions | None = None,
        *,
        route_of: RouteOf = route_of,
        below: BelowOf | None = None,
    ) -> None:
        """Work out once what the options mean."""
        options = options or AsgiOptions()
        self.app = app
        self.options = options
        self._headers = HeaderReader(options)
        self._below = below
        self.access = AccessLog(options, self._headers, route_of)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request. What the application raises goes on unchanged."""
        kind = _EXCHANGES.get(scope["type"])
        if kind is None or MARK in scope:
            await self.app(scope, receive, send)
            return
        exchange, failed = attempt(kind, self._headers, self.access, scope, receive, send, self._below)
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
