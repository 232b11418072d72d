"""The middleware's part in the ``lifespan`` scope: the engine is the default while the application runs, then drained.

    startup ─► server's loggers taken over, engine becomes the default ─► application starts, runs, stops
                                                                              │ lifespan.shutdown.complete
             loggers given back, engine drained, former default ◄─────────────┘ forwarded after that

The drain comes before the message, because servers end the process as soon as they have it. Nothing that the
application raises or says is changed: servers read meaning into an exception (uvicorn's ``auto``: "unsupported", and it
serves all the same). So an application that ends before it has started may be served all the same: what was done for
it stays, until the middleware is collected or the process ends.
"""

import weakref
from collections.abc import Callable
from contextlib import AbstractContextManager, ExitStack
from typing import Any

from fapilog import _runtime
from fapilog.asgi.types import App, Receive, Send
from fapilog.diagnostics import attempt

Captures = Callable[[], AbstractContextManager[object]]
_ENDS = frozenset(("lifespan.shutdown.complete", "lifespan.shutdown.failed", "lifespan.startup.failed"))


class Lifetime:
    """Lends an engine to the process while an application runs, as often as it runs.

    Without a lifespan (``lifespan="off"``, a test client that was not entered) the first request lends it. It is then
    drained at the interpreter's exit, and given back when this object is collected.

    Args:
        engine: The engine, made by ``_runtime.build_engine``; None for whatever is the process's default then.
        captures: Makes what takes loggers of ``logging`` over, and gives them back; entered while a lifespan runs.

    Attributes:
        ready: Whether there is nothing left to do before a request.
    """

    def __init__(self, engine: Any, captures: Captures) -> None:
        """Start nothing."""
        self._engine = engine
        self._captures = captures
        self.ready = engine is None

    def begin(self) -> None:
        """Lend the engine for good: there is a request, and no lifespan has run."""
        self._keep(self._lend())

    async def run(self, app: App, scope: Any, receive: Receive, send: Send) -> None:
        """Run the application's own lifespan inside ours; what it raises goes on unchanged, after the drain."""
        captured = ExitStack()
        captured.enter_context(self._captures())
        lent = self._lend()
        run = _Run(captured, lent, self._engine, send)
        was_ready, self.ready = self.ready, True
        try:
            await app(scope, receive, run.send)
        finally:
            if run.started:
                self.ready = was_ready
                await run.finish()
            else:
                await run.drain()
                self._keep(captured, lent)

    def _lend(self) -> ExitStack:
        """Make the engine the default; closing what is returned takes it back."""
        lent = ExitStack()
        if self._engine is not None:
            _runtime.push_default(self._engine)
            lent.callback(_runtime.pop_default, self._engine)
        return lent

    def _keep(self, *stacks: ExitStack) -> None:
        self.ready = True
        for stack in stacks:
            weakref.finalize(self, stack.close).atexit = False


class _Run:
    """One pass through the lifespan.

    Attributes:
        started: Whether the application has told how its startup went.
    """

    def __init__(self, captured: ExitStack, lent: ExitStack, engine: Any, send: Send) -> None:
        """Begin."""
        self._captured = captured
        self._lent = lent
        self._engine = engine
        self._send = send
        self._finished = False
        self.started = False

    async def send(self, message: Any) -> None:
        """Pass on the application's message; finish before the one after which the server may end the process."""
        self.started = True
        if message["type"] in _ENDS:
            await self.finish()
        await self._send(message)

    async def finish(self) -> None:
        """Give the loggers back, drain, give the default back. Once; later calls do nothing."""
        if self._finished:
            return
        self._finished = True
        self._captured.close()
        try:
            await self.drain()
        finally:
            self._lent.close()

    async def drain(self) -> None:
        """Deliver what was logged, within the shutdown timeout."""
        engine, _ = (self._engine, None) if self._engine is not None else attempt(_runtime.default_engine)
        if engine is not None:
            await engine.drain_async()
