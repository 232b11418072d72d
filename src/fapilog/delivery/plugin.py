"""Calling a sink's ``open``, ``close`` and ``write``, which are somebody else's code and may do anything.

Not even ``SystemExit`` gets out: in a background thread there is nobody whom it could stop, and an event loop would
end by it with every other sink's work in hand.
"""

import asyncio
import inspect
from collections.abc import Awaitable, Callable
from typing import Any

from fapilog.delivery.books import Books
from fapilog.diagnostics import attempt
from fapilog.errors import SinkError

CLOSE_PATIENCE_SECONDS = 3.0
_CANCEL_SECONDS = 0.5
REOPEN_SECONDS = 1.0
MISCONFIGURED_SECONDS = 60.0
"""When a sink that said that its configuration is wrong is asked again."""


async def open_sink(books: Books) -> bool:
    """Open a sink; False, and said, if that fails."""
    return await opened_or_wait(books) == 0


async def opened_or_wait(books: Books) -> float:
    """Open a sink; return 0, or after how many seconds it may be tried again, and say why."""
    error = await _done(books.sink.open)
    if _opened(books, error):
        return 0.0
    return MISCONFIGURED_SECONDS if isinstance(error, SinkError) and not error.retryable else REOPEN_SECONDS


def open_sink_now(books: Books) -> bool:
    """Open a sink without a loop of its own, as far as that goes: an ``open`` that waits for something fails."""
    # Wrappers have a way for just this; their ``open`` is for a loop.
    here = getattr(type(books.sink), "open_here", None)
    work, error = attempt(books.sink.open) if here is None else attempt(here, books.sink)
    if error is None and inspect.iscoroutine(work):
        _, ended = attempt(work.send, None)
        error = None if isinstance(ended, StopIteration) else ended or TimeoutError("waits for something")
        work.close()
    return _opened(books, error)


async def close_sink(books: Books) -> None:
    """Close a sink; one that does not come back is left alone after three seconds, or no other event could come."""
    closing = asyncio.ensure_future(_done(books.sink.close))
    await asyncio.wait({closing}, timeout=CLOSE_PATIENCE_SECONDS)
    if not closing.done():
        closing.cancel()
        books.diagnostics.report(f"sink {books.sink.name}", "did not close in time")
    elif (error := closing.result()) is not None:
        diagnostics = books.diagnostics
        diagnostics.report(f"sink {books.sink.name}", f"cannot be closed: {diagnostics.describe(error)}")


async def outcome(work: Awaitable[Any]) -> BaseException | None:
    """Await a plug-in's work in a task of its own and return what it raised, or how it was cancelled."""
    return await ending(asyncio.ensure_future(caught(work)))


async def ending(task: "asyncio.Task[BaseException | None]") -> BaseException | None:
    """Wait for a task made of :func:`caught` and return what the work raised, or how it was cancelled.

    Cancelled itself, it cancels the task, or the work would go on behind everybody's back, and gives it a moment.
    """
    try:
        await asyncio.wait({task})
    except asyncio.CancelledError:
        task.cancel()
        await asyncio.wait({task}, timeout=_CANCEL_SECONDS)
        raise
    return asyncio.CancelledError() if task.cancelled() else task.exception() or task.result()


async def caught(work: Awaitable[Any]) -> BaseException | None:
    """Await a plug-in's work and return what only a whole program may raise; the rest stays the task's."""
    try:
        await work
    except (SystemExit, KeyboardInterrupt) as error:
        return error
    return None


async def _done(function: Callable[[], Any]) -> BaseException | None:
    """Call what should be a coroutine function, and may be a plain one; return what it raised."""
    work, error = attempt(function)
    return await outcome(work) if error is None and inspect.isawaitable(work) else error


def _opened(books: Books, error: BaseException | None) -> bool:
    if error is not None:
        books.say(f"cannot be opened: {books.diagnostics.describe(error)}")
    return error is None
