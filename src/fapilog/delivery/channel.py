"""One sink's way: what waits for it, who writes to it, and what became of each event.

    InlineChannel   the worker writes; for a sink that only touches memory, and for a synchronous sink that is the only
                    one, where nobody else could be held up
    ThreadChannel   a writer thread of its own; for every other synchronous sink
    LoopChannel     tasks on the engine's loop; for an asynchronous sink: batches by count, bytes and age, in
                    ``loop_channel.py``

A channel offers, settles, and never raises for what its sink does. When its buffer is full, events are dropped for this
sink alone, counted as ``sink_buffer_full``, errors last.
"""

import asyncio
import inspect
import threading
from collections.abc import Awaitable, Sequence
from typing import Any, Protocol

from fapilog.clock import SYSTEM_CLOCK, Clock
from fapilog.context import enter_own_work
from fapilog.delivery.accounts import BUFFER_FULL
from fapilog.delivery.books import Books
from fapilog.delivery.buffer import BatchOptions, Buffer, BufferBounds
from fapilog.delivery.plugin import close_sink, open_sink, open_sink_now, outcome
from fapilog.delivery.slices import Piece, Slice, join, size_of
from fapilog.diagnostics import attempt
from fapilog.errors import SinkError
from fapilog.protocols import Format
from fapilog.units import parse_size

_MOST_AT_ONCE = 10_000
_NOT_OPEN = "not open"
_INTERRUPTED = "interrupted"
_REOPEN_SECONDS = 1.0
_CLOSE_PATIENCE_SECONDS = 1.0
_POLL_SECONDS = 0.001


class Channel(Protocol):
    """What the engine does with a channel. ``offer``, ``hurry`` and ``pressed`` are the worker's alone."""

    books: Books

    async def open(self) -> None:
        """Open the sink and start whoever writes; a sink that cannot be opened is tried again."""
        ...

    def offer(self, piece: Slice, indexes: Sequence[int]) -> None:
        """Take events of a slice, which is in the accounts already; drops, counted, what finds no room."""
        ...

    async def caught_up(self) -> None:
        """Return when the worker may go on; only a channel whose sink the worker itself writes to makes it wait."""
        ...

    def hurry(self) -> None:
        """Write what waits without waiting for more."""
        ...

    def pressed(self, *, was: bool) -> bool:
        """Tell whether so much waits that callers should: over the bound to begin, over half of it to go on."""
        ...

    def abandon(self, reason: str) -> None:
        """Drop what waits, counted. Thread-safe."""
        ...

    async def close(self) -> None:
        """Stop whoever writes and close the sink, unless it is stuck in a write."""
        ...


class InlineChannel:
    """The worker itself writes."""

    def __init__(self, books: Books, form: Format | None, clock: Clock) -> None:
        """Make a channel that is not open."""
        self.books = books
        self._form = form
        self._clock = clock
        self._opened = False
        self._retry_at = 0.0
        self._finishing: asyncio.Task[None] | None = None

    async def open(self) -> None:
        """Open the sink; if that fails, try again at most once a second while events come."""
        self._opened = await open_sink(self.books)
        self._retry_at = self._clock.monotonic() + _REOPEN_SECONDS

    def offer(self, piece: Slice, indexes: Sequence[int]) -> None:
        """Write the slice now."""
        pieces: list[Piece] = [(piece, indexes)]
        if not self._opened and not self._reopened():
            self.books.settle(pieces, SinkError(_NOT_OPEN))
            return
        result: Any = None
        error: Exception | None = SinkError(_INTERRUPTED)
        began = self._clock.monotonic()
        try:
            result, error = attempt(self._write, pieces)
        finally:
            # In a finally because a sink may raise what no one may catch; its events are counted all the same.
            if not inspect.isawaitable(result):
                self._settle(pieces, error, began)
        if inspect.isawaitable(result):
            self._finishing = asyncio.get_running_loop().create_task(self._finish(result, pieces, began))

    async def caught_up(self) -> None:
        """Wait for a write that a plain ``write`` only began, or the next one could overtake it."""
        if self._finishing is not None:
            await self._finishing
            self._finishing = None

    def hurry(self) -> None:
        """Nothing waits here."""

    def pressed(self, *, was: bool) -> bool:  # noqa: ARG002 - the channels' common form
        """Nothing waits here."""
        return False

    def abandon(self, reason: str) -> None:
        """Nothing waits here."""

    async def close(self) -> None:
        """Close the sink."""
        if self._opened:
            await close_sink(self.books)
        self._opened = False

    def _write(self, pieces: Sequence[Piece]) -> Any:
        return self.books.sink.write(join(pieces, self._form))

    async def _finish(self, result: Awaitable[None], pieces: Sequence[Piece], began: float) -> None:
        self._settle(pieces, await outcome(result), began)

    def _settle(self, pieces: Sequence[Piece], error: BaseException | None, began: float) -> None:
        self.books.timed(self._clock.monotonic() - began, size_of(pieces))
        self.books.settle(pieces, error)

    def _reopened(self) -> bool:
        if self._clock.monotonic() < self._retry_at:
            return False
        self._retry_at = self._clock.monotonic() + _REOPEN_SECONDS
        self._opened = open_sink_now(self.books)
        return self._opened


class ThreadChannel:
    """A writer thread of its own, which opens, writes and closes: a sink that blocks holds up nobody."""

    def __init__(
        self,
        books: Books,
        form: Format | None,
        options: BatchOptions,
        bounds: BufferBounds,
        clock: Clock = SYSTEM_CLOCK,
    ) -> None:
        """Make a channel that is not open."""
        self.books = books
        self._clock = clock
        self._max_bytes = parse_size(options.max_bytes, "with_batch(max_bytes)")
        self._buffer = Buffer(bounds, form)
        self._ready = threading.Condition()
        self._thread: threading.Thread | None = None
        self._opened_here = False
        self._stopping = False

    async def open(self) -> None:
        """Start the thread; one that is still stuck in a write goes on instead."""
        with self._ready:
            self._stopping = False
        self._begin()

    def offer(self, piece: Slice, indexes: Sequence[int]) -> None:
        """Leave the slice for the thread, a new one if the old one died."""
        with self._ready:
            refused = self._buffer.offer(piece, indexes)
            self._ready.notify()
        self.books.drop([(piece, refused)], BUFFER_FULL)
        self._begin()

    async def caught_up(self) -> None:
        """Nothing to wait for: the thread goes on by itself."""

    def hurry(self) -> None:
        """Do nothing: the thread never waits for more."""

    def pressed(self, *, was: bool) -> bool:
        """Tell whether the buffer is over its bound, or has not fallen to half of it."""
        return self._buffer.pressed(was=was)

    def abandon(self, reason: str) -> None:
        """Drop what the thread has not begun to write."""
        with self._ready:
            pieces = self._buffer.clear()
        self.books.abandon(pieces, lambda: self._buffer.join(pieces), reason)

    async def close(self) -> None:
        """Ask the thread to close the sink and end; one that is stuck does so if it ever comes back."""
        with self._ready:
            self._stopping = True
            self._ready.notify()
        thread = self._thread
        deadline = asyncio.get_running_loop().time() + _CLOSE_PATIENCE_SECONDS
        # A thread cannot be awaited, and one that hangs in its sink sets no event.
        while thread is not None and thread.is_alive() and asyncio.get_running_loop().time() < deadline:  # noqa: ASYNC110
            await asyncio.sleep(_POLL_SECONDS)
        if thread is not None and thread.is_alive():
            self.books.diagnostics.report(f"sink {self.books.sink.name}", "did not return when the engine stopped")
        if self._opened_here:
            await close_sink(self.books)
            self._opened_here = False

    def _begin(self) -> None:
        if self._thread is not None and self._thread.is_alive():
            return
        name = f"fapilog-{self.books.sink.name}"
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        _, error = attempt(self._thread.start)
        if error is not None:
            diagnostics = self.books.diagnostics
            diagnostics.report(f"sink {self.books.sink.name}", f"no writer thread: {diagnostics.describe(error)}")
            self._write_here()

    def _write_here(self) -> None:
        """Let the worker write while the system gives no thread: late is better than never."""
        with self._ready:
            pieces = self._buffer.clear()
        if not pieces:
            return
        self._opened_here = self._opened_here or open_sink_now(self.books)
        if self._opened_here:
            self._write(pieces)
        else:
            self.books.settle(pieces, SinkError(_NOT_OPEN))

    def _run(self) -> None:
        enter_own_work()
        opened = asyncio.run(open_sink(self.books))
        while True:
            with self._ready:
                while not self._buffer.events and not self._stopping:
                    self._ready.wait()
                pieces = self._buffer.next_pieces(_MOST_AT_ONCE, self._max_bytes)
            if not pieces:
                break
            opened = opened or asyncio.run(open_sink(self.books))
            if opened:
                self._write(pieces)
            else:
                self.books.settle(pieces, SinkError(_NOT_OPEN))
        if opened:
            asyncio.run(close_sink(self.books))

    def _write(self, pieces: Sequence[Piece]) -> None:
        error: BaseException | None = SinkError(_INTERRUPTED)
        began = self._clock.monotonic()
        try:
            result, error = attempt(self.books.sink.write, self._buffer.join(pieces))
            if inspect.isawaitable(result):
                error, refused = attempt(asyncio.run, outcome(result))
                error = error or refused
        finally:
            # In a finally because a sink may raise what no one may catch; its events are counted all the same.
            self.books.timed(self._clock.monotonic() - began, size_of(pieces))
            self.books.settle(pieces, error)
