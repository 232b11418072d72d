"""What stands in front of an application, from the outside in.

server ─► DebugRoute ─► RequestMiddleware ─► Telemetry ─► application
           a console     an exchange each     spans and durations
           if asked for                       if asked for
"""

from collections.abc import Callable
from typing import Any, NamedTuple

from fapilog.asgi.debug.console import Console
from fapilog.asgi.debug.options import DebugOptions
from fapilog.asgi.debug.routes import DebugRoute
from fapilog.asgi.each_request import RequestMiddleware
from fapilog.asgi.recording import recording_of
from fapilog.asgi.routes import RouteOf, route_of
from fapilog.asgi.setup import with_telemetry
from fapilog.asgi.types import App


class Stack(NamedTuple):
    """An application with everything in front of it, and its console if it has one."""

    app: App
    console: Console | None


def stacked(
    app: App,
    options: Any,
    debug: DebugOptions | None,
    engine: Callable[[], Any],
    route_of: RouteOf = route_of,
) -> Stack:
    """Return an application with what its options ask for in front of it.

    Args:
        app: The application.
        options: What a builder's ``options()`` returns.
        debug: Where its console stands; None for none.
        engine: Returns the engine that the console is about.
        route_of: Finds the route template in a scope after routing.
    """
    recording = recording_of(options)
    told = with_telemetry(app, options, route_of)
    if debug is None:
        return Stack(RequestMiddleware(told, options.asgi, route_of=route_of, below=recording), None)
    console = Console(debug, engine, options)
    below = console.louder.around(recording)
    middleware = RequestMiddleware(told, options.asgi, route_of=route_of, below=below)
    console.withheld = middleware.access.rules.withheld
    return Stack(DebugRoute(middleware, console), console)
