"""The middleware: plain ASGI 3, around any application.

scope      lifespan ─► Lifetime            starts and drains
           others ───► the stack           console, exchange, spans, application
           what another instance further out has already taken ─► passed on untouched
"""

from contextlib import ExitStack
from functools import partial
from typing import Any, Protocol

from fapilog import _runtime
from fapilog.asgi.debug.console import Console
from fapilog.asgi.exchange import MARK
from fapilog.asgi.lifespan import Lifetime
from fapilog.asgi.setup import captures, check_levels, debug_route
from fapilog.asgi.stack import stacked
from fapilog.asgi.types import App, Receive, Scope, Send
from fapilog.errors import ConfigError


class Builder(Protocol):
    """What the middleware wants of a builder: options of the engine and of the edge."""

    def options(self) -> Any:
        """Return the engine's options, or raise ``ConfigError``."""


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
        self.app = app
        engine_now = _runtime.default_engine if engine is None else lambda: engine
        self._serve, console = stacked(app, chosen, debug_route(chosen), engine_now)
        self._lifetime = Lifetime(engine, partial(_while_running, chosen, console))

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


def _while_running(options: Any, console: Console | None) -> ExitStack:
    """Take over what is to be taken over of ``logging``, until the stack is closed; then the console closes, too."""
    with captures(options) as stack:
        if console is not None:
            stack.callback(console.close)
        return stack.pop_all()
