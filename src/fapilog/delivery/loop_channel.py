"""The channel of an asynchronous sink: a task on the engine's loop makes batches, others write them.

offer ─► buffer ─► _run: full, old enough, or hurried? fewer in flight than allowed? ─► _write ─► settled
                     ▲                                                                    │
                     └──────────────────────────── wake ◄─────────────────────────────────┘
"""

import asyncio
import inspect
import threading
from collections.abc import Callable, Sequence

from fapilog.clock import Clock
from fapilog.delivery.accounts import BUFFER_FULL
from fapilog.delivery.books import Books
from fapilog.delivery.breaker import Breaker
from fapilog.delivery.buffer import Buffer, BufferBounds
from fapilog.delivery.limits import Limits
from fapilog.delivery.plugin import caught, close_sink, ending, opened_or_wait
from fapilog.delivery.slices import Piece, Slice, size_of
from fapilog.delivery.wrapping import layers
from fapilog.diagnostics import attempt
from fapilog.errors import SinkError
from fapilog.protocols import Format

SHED = "shed"
_INTERRUPTED = "interrupted"
_NEVER_SECONDS = 3600.0
_STOP_PATIENCE_SECONDS = 0.05
_SMOOTHING = 0.3


class LoopChannel:
    """Makes batches by count, bytes and age; with one in flight at a time, the default, their order is kept.

    Attributes:
        limits: What a batch may hold, and how many may be in flight.
        latency_seconds: How long the sink took for a batch lately; recent ones weigh more.
        shed_level: Events of this level and below are dropped, counted as ``shed``; None: none are.
    """

    def __init__(self, books: Books, form: Format | None, limits: Limits, bounds: BufferBounds, clock: Clock) -> None:
        """Make a channel that is not open."""
        self.books = books
        self.limits = limits
        self.latency_seconds = 0.0
        self.shed_level: int | None = None
        self._breakers = [layer for layer in layers(books.sink) if isinstance(layer, Breaker)]
        self._clock = clock
        self._lock = threading.RLock()
        self._buffer = Buffer(bounds, form)
        self._oldest = 0.0
        self._hurry = self._stopping = False
        self._wake: asyncio.Event | None = None
        self._task: asyncio.Task[None] | None = None
        self._writes: set[asyncio.Task[None]] = set()
        self._writing: set[asyncio.Task[BaseException | None]] = set()
        self._began: dict[asyncio.Task[BaseException | None], float] = {}

    async def open(self) -> None:
        """Start the task, which opens the sink first and tries again until it can."""
        self._hurry = self._stopping = False
        self._wake = asyncio.Event()
        self._task = asyncio.get_running_loop().create_task(self._run(self._wake))

    def offer(self, piece: Slice, indexes: Sequence[int]) -> None:
        """Leave the slice for the task."""
        if self.shed_level is not None:
            low = [index for index in indexes if piece.levels[index] <= self.shed_level]
            self.books.drop([(piece, low)], SHED)
            indexes = [index for index in indexes if piece.levels[index] > self.shed_level]
            if not indexes:
                return
        with self._lock:
            if not self._buffer.events:
                self._oldest = self._clock.monotonic()
            refused = self._buffer.offer(piece, indexes)
        self.books.drop([(piece, refused)], BUFFER_FULL)
        if self._wake is not None:
            self._wake.set()

    async def caught_up(self) -> None:
        """Nothing to wait for: the task goes on by itself."""

    def hurry(self) -> None:
        """Write what waits now; holds until the buffer is empty."""
        self._hurry = True
        if self._wake is not None:
            self._wake.set()

    def pressed(self, *, was: bool) -> bool:
        """Tell whether the buffer is over its bound, or has not fallen to half of it."""
        return self._buffer.pressed(was=was)

    def fill(self) -> float:
        """Return how full the buffer is, 0 to 1; above that only by the reserve."""
        return self._buffer.fill()

    def latency(self) -> float:
        """Return ``latency_seconds``, or for how long the oldest write in flight has been going if that is longer."""
        now = self._clock.monotonic()
        return max([self.latency_seconds, *(now - began for began in list(self._began.values()))])

    def failing(self) -> bool:
        """Tell whether the sink's circuit is open."""
        return any(breaker.state != "closed" for breaker in self._breakers)

    def overflowed(self) -> int:
        """Return how many events have found no room so far."""
        return self.books.account.dropped[BUFFER_FULL]

    def abandon(self, reason: str) -> None:
        """Drop what the task has not begun to write."""
        with self._lock:
            pieces = self._buffer.clear()
        self.books.abandon(pieces, lambda: self._buffer.join(pieces), reason)

    async def close(self) -> None:
        """End the task, cancelling writes that are under way, and close the sink."""
        self._stopping = True
        if self._task is None or self._wake is None:
            return
        self._wake.set()
        everything = {self._task, *self._writes}
        await asyncio.wait(everything, timeout=_STOP_PATIENCE_SECONDS)
        for writing in self._writing:
            writing.cancel()
        await asyncio.wait(everything, timeout=_STOP_PATIENCE_SECONDS)
        self._task.cancel()
        self._task = None
        await close_sink(self.books)

    async def _run(self, wake: asyncio.Event) -> None:
        while (seconds := await opened_or_wait(self.books)) > 0:
            if await self._stopped_within(wake, seconds):
                return
        while True:
            pieces = self._next() if len(self._writes) < self.limits.in_flight else []
            if pieces:
                task = asyncio.get_running_loop().create_task(self._write(pieces))
                self._writes.add(task)
                task.add_done_callback(self._done)
            elif self._stopping and not self._writes:
                return
            else:
                await first_of(wake, self._patience(), lambda: False)

    async def _stopped_within(self, wake: asyncio.Event, seconds: float) -> bool:
        """Wait before the sink is opened again; tell whether there is no more need to."""
        loop = asyncio.get_running_loop()
        until = loop.time() + seconds
        while not self._stopping and (left := until - loop.time()) > 0:
            await first_of(wake, left, lambda: self._stopping)
        return self._stopping

    def _done(self, task: asyncio.Task[None]) -> None:
        self._writes.discard(task)
        if self._wake is not None:
            self._wake.set()

    async def _write(self, pieces: Sequence[Piece]) -> None:
        """Write in a task of its own, which can be cancelled without this one."""
        error: BaseException | None = SinkError(_INTERRUPTED)
        began = self._clock.monotonic()
        writing: asyncio.Task[BaseException | None] | None = None
        try:
            work, error = attempt(lambda: self.books.sink.write(self._buffer.join(pieces)))
            if error is None and inspect.isawaitable(work):
                error = SinkError(_INTERRUPTED)
                writing = asyncio.ensure_future(caught(work))
                self._writing.add(writing)
                self._began[writing] = began
                error = await ending(writing)
        finally:
            # In a finally because the loop may end under it; its events are counted all the same.
            if writing is not None:
                self._writing.discard(writing)
                self._began.pop(writing, None)
            took = self._clock.monotonic() - began
            self.latency_seconds += _SMOOTHING * (took - self.latency_seconds)
            if not self.books.spools:
                self.books.timed(took, size_of(pieces))
            self.books.settle(pieces, error)

    def _next(self) -> list[Piece]:
        with self._lock:
            buffer, limits = self._buffer, self.limits
            if not buffer.events:
                self._hurry = False
                return []
            full = buffer.events >= limits.enough_events or buffer.size_bytes >= limits.enough_bytes
            if not (full or self._hurry or self._stopping or self._patience() <= 0):
                return []
            pieces = buffer.next_pieces(limits.max_events, limits.max_bytes)
            self._oldest = self._clock.monotonic()
            return pieces

    def _patience(self) -> float:
        """Return the seconds until the oldest event in the buffer is of age; long if there is none, or no room."""
        if not self._buffer.events or len(self._writes) >= self.limits.in_flight:
            return _NEVER_SECONDS
        return self._oldest + self.limits.max_age_seconds - self._clock.monotonic()


async def first_of(wake: asyncio.Event, seconds: float, done: Callable[[], bool]) -> None:
    """Wait for the event or for some seconds, and take the event back."""
    if not done():
        timer = asyncio.get_running_loop().call_later(max(0.0, seconds), wake.set)
        await wake.wait()
        timer.cancel()
    wake.clear()
