"""What the options of an application mean for its edge: checked levels, the debug route, what is taken of ``logging``.

``options`` is the value that a builder's ``options()`` returns.
"""

from contextlib import ExitStack
from typing import Any

from fapilog import _runtime
from fapilog.asgi.debug.link import tell
from fapilog.asgi.debug.options import DebugOptions
from fapilog.asgi.headers import HeaderReader
from fapilog.asgi.routes import RouteOf, route_of
from fapilog.asgi.tracing.durations import Durations
from fapilog.asgi.tracing.middleware import Telemetry
from fapilog.asgi.types import App
from fapilog.otel.meters import HttpRecorder
from fapilog.stdlib.capture import capture_stdlib
from fapilog.stdlib.servers import take_over_servers

_ONLY_WITH_TOKEN = frozenset(("production", "hardened"))


def check_levels(options: Any) -> None:
    """Refuse levels that the process does not know; only its table of levels tells.

    Raises:
        ConfigError: If one is not known; it names the variable or method.
    """
    numbers = _runtime.origin("root").queue.levels
    for option in ("level", "error_level"):
        where = options.sources.get(f"asgi.{option}", f"with_access_log({option})")
        numbers.number(getattr(options.asgi, option), where)
    if options.stdlib is not None and options.stdlib.level is not None:
        numbers.number(options.stdlib.level, options.sources.get("stdlib.level", "capture_stdlib(level)"))


def debug_route(options: Any) -> DebugOptions | None:
    """Return where the debug route stands, or None; in production there is none without a token or an own guard.

    Whoever has asked for one there is told why it is not there: no preset for production brings one.
    """
    asked, allow = options.debug_route, options.debug_allow
    if asked is None:
        return None
    if asked.token is None and allow is None and options.preset in _ONLY_WITH_TOKEN:
        tell(f"fapilog: debug route: off under {options.preset} without a token: with_debug_route(token=…)")
        return None
    return DebugOptions.of(asked, allow)


def with_telemetry(app: App, options: Any, route_of: RouteOf = route_of) -> App:
    """Return an application with what gives its requests spans and measures them, if either is asked for."""
    if options.tracing is None and options.metrics is None:
        return app
    durations = None
    if options.metrics is not None:
        recorder = HttpRecorder(options.meter_provider, _runtime.recording()) if options.metrics.otel else None
        durations = Durations(_runtime.http_durations(), recorder)
    return Telemetry(app, options.tracing, options.tracer_provider, durations, HeaderReader(options.asgi), route_of)


def captures(options: Any) -> ExitStack:
    """Take over what is to be taken over of ``logging``, until the stack is closed."""
    with ExitStack() as stack:
        if options.servers:
            stack.enter_context(take_over_servers(completion_events=options.asgi.access_log))
        taken = options.stdlib
        if taken is not None:
            stack.enter_context(capture_stdlib(level=taken.level, loggers=taken.loggers, source=taken.source))
        return stack.pop_all()
