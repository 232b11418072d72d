"""What the hosts share: the builder's methods for the ASGI edge, and what happens while an application runs.

startup     middleware and debug route in front of the application ─► engine becomes the default ─► server's loggers
                                                                        the application's own startup
                                                                        …
                                                                        the application's own shutdown
shutdown    drain ─► former default ─► server's loggers and application as they were
"""

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import ExitStack, asynccontextmanager, contextmanager
from typing import Any, Self

from fapilog import _runtime
from fapilog.asgi.routes import RouteOf
from fapilog.asgi.setup import captures, check_levels, debug_route
from fapilog.asgi.stack import Stack, stacked
from fapilog.config.base import UNSAID, Unsaid
from fapilog.config.builder import OptionsBuilder
from fapilog.config.options import Options
from fapilog.engine.engine import Engine


class _Place:
    """What stands in front of one application, and what stood there before."""

    def __init__(self, former: Any, stack: Stack) -> None:
        self.former = former
        self.stack = stack
        self.holders = 0


class EdgeBuilder(OptionsBuilder):
    """The builder's methods for an ASGI application, on top of those of ``LoggerBuilder``.

    Not thread-safe. Each build makes an engine of its own, which is the process's default while the application runs.
    """

    def skip_paths(self, *paths: str) -> Self:
        """Emit no completion event for these paths, unless the request fails.

        Args:
            paths: Exact paths, or prefixes ended by ``*`` such as ``"/static/*"``; added to those of earlier calls.
        """
        return self._more("skip_paths", paths)

    def include_headers(self, *names: str) -> Self:
        """Put these request headers on the completion event, as ``request_headers``; credentials only masked."""
        return self._more("include_headers", names)

    def sample_rate(self, rate: float) -> Self:
        """Emit the completion events of this share of the successes, 0 to 1, default 1; of the others all."""
        return self._put("asgi", sample_rate=rate)

    def flush_each_request(self, *, enabled: bool = True) -> Self:
        """Let a request end only when its events are with the sinks, two seconds at most; for frozen processes."""
        return self._put("asgi", flush_each_request=enabled)

    def with_request_id(self, header: str = "X-Request-ID", *, accept: bool = True, enabled: bool = True) -> Self:
        """Say where a request's id comes from.

        Args:
            header: In requests and answers. Default ``X-Request-ID``.
            accept: Take a client's id if it is sane. Default True.
            enabled: False for no ids at all.
        """
        return self._put("asgi", request_id_header=header, accept_request_id=accept, request_id=enabled)

    def with_access_log(
        self, *, enabled: bool = True, level: str | int = "INFO", error_level: str | int = "ERROR"
    ) -> Self:
        """Say whether there are completion events, and at which levels.

        Args:
            enabled: False for none; the server's own access lines are then kept. Default True.
            level: Of answers below status 500. Default INFO.
            error_level: Of answers from 500 on. Default ERROR, which is also that of ``request_failed``.
        """
        return self._put("asgi", access_log=enabled, level=level, error_level=error_level)

    def with_trusted_proxies(self, *networks: str) -> Self:
        """Believe ``X-Forwarded-For`` of these addresses and networks, such as ``"10.0.0.0/8"``. Default none."""
        return self._more("trusted_proxies", networks)

    def with_debug_route(
        self,
        path: str | Unsaid | None = UNSAID,
        token: str | None = None,
        *,
        hosts: Sequence[str] | None = None,
        allow: Callable[[Any], bool | Awaitable[bool]] | None = None,
        keep: int | str | None = None,
        max_tails: int | None = None,
        spans: int | None = None,
        trace_url: str | None = None,
    ) -> Self:
        """Answer what the running process has to say to whoever has the token; see :mod:`fapilog.asgi.debug`.

        Without this call there is a route under the preset ``fastapi`` only. Under ``production`` and ``hardened``
        there is none without a token of your own or ``allow``.

        Args:
            path: Where; None for no route. Default ``/debug/logging``.
            token: What a reader has to show, printable ASCII. Default: one is generated and printed to standard
                error, with a link that opens once, when the application starts; with ``allow`` none. Give one if
                there are several worker processes.
            hosts: Names by which it may be asked for on this machine beside ``localhost``: that of a proxy. Default
                none.
            allow: Your own authentication, asked about each request that shows no valid token: a function, or a
                coroutine function, of the ASGI scope. True lets this very request read or change; anything else, and
                whatever it raises, refuses it. It is called on the event loop.
            keep: How much of the latest events is kept in memory, bytes or such as ``"8 MB"``. Default 8 MB.
            max_tails: How many may watch events arrive at a time. Default 8.
            spans: How many ended spans are kept. Default 2 000; 0 for none.
            trace_url: Where a trace can be looked at, with ``{trace_id}`` in it. Default none.

        Raises:
            ConfigError: If a value cannot be used.
        """
        if path is None:
            return self._set(debug_route=None, debug_allow=None)
        if allow is not None:
            self._set(debug_allow=allow)
        return self._part(
            "debug_route",
            path=None if path is UNSAID else path,
            token=token,
            hosts=hosts,
            keep=keep,
            max_tails=max_tails,
            spans=spans,
            trace_url=trace_url,
        )

    def with_flight_recorder(
        self,
        level: str | int | None = None,
        on: Sequence[str] | None = None,
        slow_seconds: float | str | None = None,
        max_events: int | None = None,
        max_bytes: int | str | None = None,
        *,
        max_total_bytes: int | str | None = None,
    ) -> Self:
        """Keep each request's events below the level in memory, and let them out only if it fails or is slow.

        Args:
            level: The lowest level that is kept. Default DEBUG.
            on: What lets them out: ``"error"`` (the application raised, or answered with 500 or above), ``"slow"``.
                Default both.
            slow_seconds: From which time to the last byte of its answer a request is slow. Default 1.
            max_events: How many events of one request are kept; the oldest leave first. Default 500.
            max_bytes: How many bytes of one request. Default ``"256 KB"``.
            max_total_bytes: How many bytes of all requests together. Default ``"32 MB"``.
        """
        return self._part(
            "flight_recorder",
            level=level,
            on=on,
            slow_seconds=slow_seconds,
            max_events=max_events,
            max_bytes=max_bytes,
            max_total_bytes=max_total_bytes,
        )

    def capture_stdlib(
        self,
        *,
        level: str | int | Unsaid | None = UNSAID,
        loggers: Sequence[str] | None = None,
        source: bool | None = None,
        servers: bool | None = None,
    ) -> Self:
        """Send records of ``logging`` through fapilog while the application runs.

        Without this call only the loggers of the server (uvicorn, gunicorn, hypercorn) are taken over.

        Args:
            level: As for :func:`fapilog.stdlib.capture_stdlib`. Default INFO.
            loggers: The same. Default ``("root",)``.
            source: The same. Default False.
            servers: Whether to take over the server's loggers. Default True.

        Raises:
            ConfigError: If a value cannot be used.
        """
        if servers is not None:
            self._set(servers=servers)
        self._part("stdlib", loggers=loggers, source=source)
        return self if level is UNSAID else self._put("stdlib", level=level)

    def edge(self, attribute: str, route_of: Callable[[Any], RouteOf], kind: "type[Edge] | None" = None) -> "Edge":
        """Build the engine and what goes with it; for the host modules.

        Args:
            attribute: Where the host keeps the ASGI application that serves requests.
            route_of: Makes the function that finds route templates, given the host's application.
            kind: The host's own :class:`Edge`.

        Raises:
            ConfigError: If any value cannot be used.
        """
        options = self.options()
        check_levels(options)
        engine = _runtime.build_engine(options)
        return (kind or Edge)(engine, options, attribute, route_of)

    def _more(self, option: str, values: tuple[str, ...]) -> Self:
        """Say more values of a list of the edge."""
        before = self._changes.get("asgi", {}).get(option, ())
        return self._put("asgi", **{option: (*before, *values)})


class Edge:
    """What a host's lifespan runs. May be entered again after it was left, and for several applications.

    For one event loop at a time.
    """

    def __init__(
        self,
        engine: Engine,
        options: Options,
        attribute: str,
        route_of: Callable[[Any], RouteOf],
    ) -> None:
        """Start nothing."""
        self.engine = engine
        self._options = options
        self._debug = debug_route(options)
        self._attribute = attribute
        self._route_of = route_of
        self._places: dict[int, _Place] = {}

    @asynccontextmanager
    async def serve(self, app: Any) -> AsyncIterator[None]:
        """Stand in front of ``app`` for the length of the block, then drain, then take everything back.

        What the block raises goes on unchanged, after the drain.
        """
        with ExitStack() as undo:
            place = undo.enter_context(self._installed(app))
            undo.enter_context(captures(self._options))
            _runtime.push_default(self.engine)
            undo.callback(_runtime.pop_default, self.engine)
            if self._debug is not None:
                self._debug.announce()
            try:
                yield
            finally:
                if place.holders == 1 and place.stack.console is not None:
                    # Before the drain: it has something to say about what it takes back.
                    place.stack.console.close()
                await self.engine.drain_async()

    @contextmanager
    def _installed(self, app: Any) -> Iterator["_Place"]:
        """Put ours outside of everything else, once however many lifespans of ``app`` run at a time."""
        place = self._places.get(id(app))
        if place is None:
            former = getattr(app, self._attribute)
            place = self._places[id(app)] = _Place(former, self.wrap(app, former))
            setattr(app, self._attribute, place.stack.app)
        place.holders += 1
        try:
            yield place
        finally:
            place.holders -= 1
            if not place.holders:
                del self._places[id(app)]
                if getattr(app, self._attribute) is place.stack.app:
                    setattr(app, self._attribute, place.former)

    def wrap(self, app: Any, inner: Any) -> Stack:
        """Return ``inner`` with ours around it."""
        return stacked(inner, self._options, self._debug, lambda: self.engine, self._route_of(app))
