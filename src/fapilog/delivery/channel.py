"""One sink's way: what waits for it, who writes to it, and what became of each event.

    InlineChannel   the worker writes; for a sink that only touches memory, and for a synchronous sink that is the only
                    one, where nobody else could be held up
    ThreadChannel   a writer thread of its own; for every other synchronous sink
    LoopChannel     a task on the engine's loop; for an asynchronous sink: batches by count, bytes and age

A channel offers, settles, and never raises for what its sink does. When its buffer is full, events are dropped for this
sink alone, counted as ``sink_buffer_full``, errors last.
"""

import asyncio
import inspect
import threading
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from typing import Any, Protocol, TypeVar

from fapilog.clock import Clock
from fapilog.delivery.accounts import DELIVERED, DROPPED, FAILED, Accounts, SinkAccount
from fapilog.delivery.buffer import BatchOptions, Buffer, BufferBounds
from fapilog.delivery.slices import Piece, Slice
from fapilog.diagnostics import Diagnostics, attempt, describe
from fapilog.errors import SinkError
from fapilog.protocols import Batch, Format, Sink
from fapilog.units import parse_duration, parse_size

BUFFER_FULL = "sink_buffer_full"
_MOST_AT_ONCE = 10_000
_NOT_OPEN = "not open"
_INTERRUPTED = "interrupted"
_REOPEN_SECONDS = 1.0
_STOP_PATIENCE_SECONDS = 0.05
_CLOSE_PATIENCE_SECONDS = 1.0
_POLL_SECONDS = 0.001

T = TypeVar("T")


class Books:
    """A sink's part in the accounts, and the voice that says what went wrong."""

    def __init__(self, sink: Sink, accounts: Accounts, diagnostics: Diagnostics) -> None:
        """Open the sink's account."""
        self.sink = sink
        self.accounts = accounts
        self.diagnostics = diagnostics
        self.account = accounts.sinks.setdefault(sink.name, SinkAccount())

    def settle(self, pieces: Sequence[Piece], error: BaseException | None) -> None:
        """Settle what one write did: all delivered, all failed, or the named ones failed."""
        failed = frozenset[int]()
        if error is not None:
            named = error.failed_indexes if isinstance(error, SinkError) else None
            failed = named if named is not None else frozenset(range(sum(len(i) for _, i in pieces)))
            self.account.last_error = describe(error)
            self.diagnostics.report(f"sink {self.sink.name}", describe(error))
        offset = 0
        reason = type(error).__name__
        for piece, indexes in pieces:
            bad = [index for place, index in enumerate(indexes, offset) if place in failed] if failed else []
            good = indexes if not bad else [index for place, index in enumerate(indexes, offset) if place not in failed]
            offset += len(indexes)
            if bad:
                self.accounts.settle(piece, bad, self.account, FAILED, reason)
            if good:
                self.accounts.settle(piece, good, self.account, DELIVERED)

    def drop(self, pieces: Sequence[Piece], reason: str) -> None:
        """Settle pieces that the sink will not be given."""
        for piece, indexes in pieces:
            if indexes:
                self.accounts.settle(piece, indexes, self.account, DROPPED, reason)


class Channel(Protocol):
    """What the engine does with a channel. ``offer``, ``hurry`` and ``pressed`` are the worker's alone."""

    books: Books

    async def open(self) -> None:
        """Open the sink and start whoever writes; a sink that cannot be opened is tried again."""
        ...

    def offer(self, piece: Slice) -> None:
        """Take a slice, which is already in the accounts; drops, counted, what finds no room."""
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
        self._opened = await _opened(self.books)
        self._retry_at = self._clock.monotonic() + _REOPEN_SECONDS

    def offer(self, piece: Slice) -> None:
        """Write the slice now."""
        pieces: list[Piece] = [(piece, range(len(piece)))]
        if not self._opened and not self._reopened():
            self.books.settle(pieces, SinkError(_NOT_OPEN))
            return
        result: Any = None
        error: Exception | None = SinkError(_INTERRUPTED)
        try:
            result, error = attempt(self.books.sink.write, piece.batch(self._form))
        finally:
            # In a finally because a sink may raise what no one may catch; its events are counted all the same.
            if not inspect.isawaitable(result):
                self.books.settle(pieces, error)
        if inspect.isawaitable(result):
            self._finishing = asyncio.get_running_loop().create_task(self._finish(result, pieces))

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
            await _closed(self.books)
        self._opened = False

    async def _finish(self, result: Awaitable[None], pieces: Sequence[Piece]) -> None:
        self.books.settle(pieces, await _outcome(result))

    def _reopened(self) -> bool:
        """Run the sink's ``open`` to its end here, if it is time; a coroutine that waits for something fails."""
        if self._clock.monotonic() < self._retry_at:
            return False
        self._retry_at = self._clock.monotonic() + _REOPEN_SECONDS
        coroutine = self.books.sink.open()
        _, error = attempt(coroutine.send, None)
        self._opened = isinstance(error, StopIteration)
        if not self._opened:
            coroutine.close()
        return self._opened


class ThreadChannel:
    """A writer thread of its own, which opens, writes and closes: a sink that blocks holds up nobody."""

    def __init__(self, books: Books, form: Format | None, options: BatchOptions, bounds: BufferBounds) -> None:
        """Make a channel that is not open."""
        self.books = books
        self._max_bytes = parse_size(options.max_bytes, "with_batch(max_bytes)")
        self._buffer = Buffer(bounds, form)
        self._ready = threading.Condition()
        self._thread: threading.Thread | None = None
        self._stopping = False

    async def open(self) -> None:
        """Start the thread; one that is still stuck in a write goes on instead."""
        with self._ready:
            self._stopping = False
        self._begin()

    def offer(self, piece: Slice) -> None:
        """Leave the slice for the thread, a new one if the old one died."""
        with self._ready:
            refused = self._buffer.offer(piece)
            self._ready.notify()
        self.books.drop([(piece, refused)], BUFFER_FULL)
        self._begin()

    def hurry(self) -> None:
        """Do nothing: the thread never waits for more."""

    def pressed(self, *, was: bool) -> bool:
        """Tell whether the buffer is over its bound, or has not fallen to half of it."""
        return self._buffer.pressed(was=was)

    def abandon(self, reason: str) -> None:
        """Drop what the thread has not begun to write."""
        with self._ready:
            pieces = self._buffer.clear()
        self.books.drop(pieces, reason)

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

    def _begin(self) -> None:
        if self._thread is not None and self._thread.is_alive():
            return
        name = f"fapilog-{self.books.sink.name}"
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        _, error = attempt(self._thread.start)
        if error is not None:
            self.books.diagnostics.report(f"sink {self.books.sink.name}", f"no writer thread: {describe(error)}")

    def _run(self) -> None:
        opened = _run_alone(_opened(self.books))
        while True:
            with self._ready:
                while not self._buffer.events and not self._stopping:
                    self._ready.wait()
                pieces = self._buffer.next_pieces(_MOST_AT_ONCE, self._max_bytes)
            if not pieces:
                break
            opened = opened or _run_alone(_opened(self.books))
            if opened:
                self._write(pieces)
            else:
                self.books.settle(pieces, SinkError(_NOT_OPEN))
        if opened:
            _run_alone(_closed(self.books))

    def _write(self, pieces: Sequence[Piece]) -> None:
        error: BaseException | None = SinkError(_INTERRUPTED)
        try:
            result, error = attempt(self.books.sink.write, self._buffer.join(pieces))
            if inspect.isawaitable(result):
                error = _run_alone(_outcome(result))
        finally:
            # In a finally because a sink may raise what no one may catch; its events are counted all the same.
            self.books.settle(pieces, error)


class LoopChannel:
    """A task on the engine's loop that makes batches by count, bytes and age."""

    def __init__(
        self, books: Books, form: Format | None, options: BatchOptions, bounds: BufferBounds, clock: Clock
    ) -> None:
        """Make a channel that is not open."""
        self.books = books
        self._clock = clock
        self._max_events = options.max_events
        self._max_bytes = parse_size(options.max_bytes, "with_batch(max_bytes)")
        self._max_age = parse_duration(options.max_age_seconds, "with_batch(max_age_seconds)")
        self._lock = threading.RLock()
        self._buffer = Buffer(bounds, form)
        self._oldest = 0.0
        self._hurry = self._stopping = False
        self._wake: asyncio.Event | None = None
        self._task: asyncio.Task[None] | None = None
        self._writing: asyncio.Task[None] | None = None

    async def open(self) -> None:
        """Start the task, which opens the sink first and tries again until it can."""
        self._hurry = self._stopping = False
        self._wake = asyncio.Event()
        self._task = asyncio.get_running_loop().create_task(self._run(self._wake))

    def offer(self, piece: Slice) -> None:
        """Leave the slice for the task."""
        with self._lock:
            if not self._buffer.events:
                self._oldest = self._clock.monotonic()
            refused = self._buffer.offer(piece)
        self.books.drop([(piece, refused)], BUFFER_FULL)
        if self._wake is not None:
            self._wake.set()

    def hurry(self) -> None:
        """Write what waits now; holds until the buffer is empty."""
        self._hurry = True
        if self._wake is not None:
            self._wake.set()

    def pressed(self, *, was: bool) -> bool:
        """Tell whether the buffer is over its bound, or has not fallen to half of it."""
        return self._buffer.pressed(was=was)

    def abandon(self, reason: str) -> None:
        """Drop what the task has not begun to write."""
        with self._lock:
            pieces = self._buffer.clear()
        self.books.drop(pieces, reason)

    async def close(self) -> None:
        """End the task, cancelling a write that is under way, and close the sink."""
        self._stopping = True
        if self._task is not None and self._wake is not None:
            self._wake.set()
            await asyncio.wait({self._task}, timeout=_STOP_PATIENCE_SECONDS)
            if self._writing is not None and not self._task.done():
                self._writing.cancel()
                await asyncio.wait({self._task}, timeout=_STOP_PATIENCE_SECONDS)
            self._task.cancel()
            self._task = None
            await _closed(self.books)

    async def _run(self, wake: asyncio.Event) -> None:
        while not await _opened(self.books):
            if self._stopping:
                return
            await _first_of(wake, _REOPEN_SECONDS, lambda: self._stopping)
        while True:
            pieces = self._next()
            if not pieces:
                if self._stopping:
                    return
                await _first_of(wake, self._patience(), lambda: False)
                continue
            self._writing = asyncio.ensure_future(_write(self.books.sink, self._buffer.join(pieces)))
            self.books.settle(pieces, await _outcome(self._writing))
            self._writing = None

    def _next(self) -> list[Piece]:
        with self._lock:
            buffer = self._buffer
            if not buffer.events:
                self._hurry = False
                return []
            full = buffer.events >= self._max_events or buffer.size_bytes >= self._max_bytes
            if not (full or self._hurry or self._stopping or self._patience() <= 0):
                return []
            pieces = buffer.next_pieces(self._max_events, self._max_bytes)
            self._oldest = self._clock.monotonic()
            return pieces

    def _patience(self) -> float:
        """Return the seconds until the oldest event in the buffer is of age; long if there is none."""
        if not self._buffer.events:
            return _REOPEN_SECONDS * 3600
        return self._oldest + self._max_age - self._clock.monotonic()


def _run_alone(work: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine in this thread, on a loop of its own."""
    return asyncio.run(work)


async def _write(sink: Sink, batch: Batch) -> None:
    result = sink.write(batch)
    if result is not None:
        await result


async def _outcome(work: Awaitable[Any]) -> BaseException | None:
    """Await a plug-in's work in a task of its own and return what it raised, or how it was cancelled."""
    task = asyncio.ensure_future(work)
    await asyncio.wait({task})
    return asyncio.CancelledError() if task.cancelled() else task.exception()


async def _opened(books: Books) -> bool:
    error = await _outcome(books.sink.open())
    if error is not None:
        books.account.last_error = describe(error)
        books.diagnostics.report(f"sink {books.sink.name}", f"cannot be opened: {describe(error)}")
    return error is None


async def _closed(books: Books) -> None:
    error = await _outcome(books.sink.close())
    if error is not None:
        books.diagnostics.report(f"sink {books.sink.name}", f"cannot be closed: {describe(error)}")


async def _first_of(wake: asyncio.Event, seconds: float, done: Callable[[], bool]) -> None:
    """Wait for the event or for some seconds, and take the event back."""
    if not done():
        timer = asyncio.get_running_loop().call_later(max(0.0, seconds), wake.set)
        await wake.wait()
        timer.cancel()
    wake.clear()
