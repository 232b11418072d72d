"""The middleware's part in the ``lifespan`` scope: the engine is the default while the application runs, then drained.

    startup ─► engine becomes the default, server's loggers taken over ─► application starts, runs, stops
                                                                              │ lifespan.shutdown.complete
             loggers given back, engine drained, former default ◄─────────────┘ forwarded after that

The drain comes before the message, because servers end the process as soon as they have it. Nothing that the
application raises or says is changed: servers read meaning into an exception (uvicorn's ``auto``: "unsupported", and it
serves all the same).
"""

import weakref
from typing import Any

from fapilog import _runtime
from fapilog.asgi.types import App, Receive, Send
from fapilog.diagnostics import attempt
from fapilog.stdlib.placement import Capture
from fapilog.stdlib.servers import take_over_servers

_ENDS = frozenset(("lifespan.shutdown.complete", "lifespan.shutdown.failed", "lifespan.startup.failed"))


class Lifetime:
    """Lends an engine to the process while an application runs, as often as it runs.

    Without a lifespan (``lifespan="off"``, an application that does not know the scope, a test client that was not
    entered) the first request lends it; it is then drained at the interpreter's exit, and given back when this
    object is collected.

    Args:
        engine: The engine, made by ``_runtime.build_engine``; None for whatever is the process's default then.
        completion_events: Whether completion events make the server's access lines superfluous.

    Attributes:
        ready: Whether there is nothing left to do before a request.
    """

    def __init__(self, engine: Any, *, completion_events: bool = True) -> None:
        """Start nothing."""
        self.engine = engine
        self.completion_events = completion_events
        self.ready = engine is None

    def begin(self) -> None:
        """Lend the engine for good: there is a request, and no lifespan has run."""
        self.ready = True
        if self.engine is not None:
            _runtime.push_default(self.engine)
            weakref.finalize(self, _runtime.pop_default, self.engine).atexit = False

    async def run(self, app: App, scope: Any, receive: Receive, send: Send) -> None:
        """Run the application's own lifespan inside ours; what it raises goes on unchanged, after the drain."""
        run = _Run(self, send)
        try:
            await app(scope, receive, run.send)
        finally:
            await run.finish()


class _Run:
    """One pass through the lifespan."""

    def __init__(self, lifetime: Lifetime, send: Send) -> None:
        """Begin: lend the engine, take over the server's loggers."""
        self._lifetime = lifetime
        self._send = send
        self._engine = lifetime.engine
        self._was_ready = lifetime.ready
        lifetime.ready = True
        if self._engine is not None:
            _runtime.push_default(self._engine)
        self._undo: Capture | None = take_over_servers(completion_events=lifetime.completion_events)

    async def send(self, message: Any) -> None:
        """Pass on the application's message; finish before the one after which the server may end the process."""
        if message["type"] in _ENDS:
            await self.finish()
        await self._send(message)

    async def finish(self) -> None:
        """Give the loggers back, drain, give the default back. Once; later calls do nothing."""
        undo, self._undo = self._undo, None
        if undo is None:
            return
        undo()
        try:
            engine, _ = (self._engine, None) if self._engine is not None else attempt(_runtime.default_engine)
            if engine is not None:
                await engine.drain_async()
        finally:
            if self._engine is not None:
                _runtime.pop_default(self._engine)
            self._lifetime.ready = self._was_ready
