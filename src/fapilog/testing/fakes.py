"""Stand-ins for time and for sinks: a clock that moves when told, and sinks that fail, hang or dawdle on purpose."""

import asyncio
import threading
from collections.abc import Callable

from fapilog.clock import Clock
from fapilog.event import EventDict
from fapilog.protocols import Batch

EPOCH_NS = 1_767_225_600_000_000_000
_NANOSECONDS = 1_000_000_000


class FakeClock(Clock):
    """A clock that stands still until :meth:`advance`. Thread-safe.

    Args:
        time_ns: The wall clock at the start, nanoseconds since the epoch; default 2026-01-01T00:00:00Z.
        monotonic: The other clock at the start, in seconds.
    """

    def __init__(self, time_ns: int = EPOCH_NS, monotonic: float = 1_000.0) -> None:
        """Set both clocks."""
        self._time_ns = time_ns
        self._monotonic = monotonic
        self._lock = threading.Lock()

    def time_ns(self) -> int:
        """Return the wall clock in nanoseconds."""
        return self._time_ns

    def monotonic(self) -> float:
        """Return the seconds that only move forward."""
        return self._monotonic

    def advance(self, seconds: float) -> None:
        """Move both clocks forward.

        Raises:
            ValueError: If ``seconds`` is negative; only the wall clock can go back, by :meth:`step`.
        """
        if seconds < 0:
            raise ValueError(f"advance({seconds!r}): time moves forward; use step() to set the wall clock back")
        with self._lock:
            self._monotonic += seconds
            self._time_ns += round(seconds * _NANOSECONDS)

    def step(self, seconds: float) -> None:
        """Step the wall clock alone, as an operator or a time server does; negative is back."""
        with self._lock:
            self._time_ns += round(seconds * _NANOSECONDS)


class RecordingSink:
    """Keeps every batch it is given. Touches only memory; safe to read from any thread.

    Attributes:
        batches: The batches, in order.
        opened, closed: How often each was called.
        threads: The names of the threads that wrote.
    """

    blocks = False

    def __init__(self, name: str = "recording", format: str | None = "json") -> None:  # noqa: A002 - a sink's attribute
        """Make an empty sink.

        Args:
            name: Its name.
            format: What ``Batch.lines`` holds; None for no lines.
        """
        self.name = name
        self.format = format
        self.batches: list[Batch] = []
        self.opened = 0
        self.closed = 0
        self.threads: set[str] = set()

    @property
    def events(self) -> list[EventDict]:
        """All events as flat dicts, in order."""
        return [event for batch in list(self.batches) for event in batch.events]

    @property
    def lines(self) -> list[bytes]:
        """All events as lines, in order, newline included; empty for a sink without a format."""
        return [batch.line(index) for batch in list(self.batches) if batch.lines for index in range(len(batch))]

    @property
    def messages(self) -> list[str]:
        """The messages of all events, in order."""
        return [event["message"] for event in self.events]

    async def open(self) -> None:
        """Count."""
        self.opened += 1

    def write(self, batch: Batch) -> None:
        """Keep the batch."""
        self.threads.add(threading.current_thread().name)
        self.batches.append(batch)

    async def close(self) -> None:
        """Count."""
        self.closed += 1


class FailingSink(RecordingSink):
    """Raises at each write, or at the first ``times``; keeps what it does not refuse.

    Args:
        error: Makes what is raised; default a ``RuntimeError``.
        times: How many writes fail; None, the default, all.
        name: Its name.
    """

    def __init__(
        self,
        error: Callable[[], BaseException] = lambda: RuntimeError("refused by FailingSink"),
        times: int | None = None,
        name: str = "failing",
    ) -> None:
        """Make a sink that has not failed yet."""
        super().__init__(name)
        self.attempts = 0
        self._error = error
        self._times = times

    def write(self, batch: Batch) -> None:
        """Raise or keep."""
        self.attempts += 1
        if self._times is None or self.attempts <= self._times:
            raise self._error()
        super().write(batch)


class HangingSink(RecordingSink):
    """Blocks its thread in ``write`` until :meth:`release`, like a pipe that nobody reads.

    Call :meth:`release` at the end of the test, else its thread stays.

    Attributes:
        entered: Set as soon as a write hangs.
    """

    blocks = True

    def __init__(self, name: str = "hanging") -> None:
        """Make a sink that will hang."""
        super().__init__(name)
        self.entered = threading.Event()
        self._latch = threading.Event()

    def release(self) -> None:
        """Let the write that hangs, and all later ones, through."""
        self._latch.set()

    def write(self, batch: Batch) -> None:
        """Hang, then keep."""
        self.entered.set()
        self._latch.wait()
        super().write(batch)


class AsyncHangingSink(RecordingSink):
    """Awaits in ``write`` until :meth:`release`, like a backend that accepts and never answers.

    Attributes:
        entered: Set as soon as a write hangs.
        cancelled: How many writes were cancelled while they hung.
    """

    def __init__(self, name: str = "hanging") -> None:
        """Make a sink that will hang."""
        super().__init__(name)
        self.entered = threading.Event()
        self.cancelled = 0
        self._waiting: list[tuple[asyncio.AbstractEventLoop, asyncio.Event]] = []
        self._released = False
        self._lock = threading.Lock()

    def release(self) -> None:
        """Let the writes that hang, and all later ones, through; from any thread."""
        with self._lock:
            self._released = True
            for loop, latch in self._waiting:
                if not loop.is_closed():
                    loop.call_soon_threadsafe(latch.set)

    async def write(self, batch: Batch) -> None:  # type: ignore[override] # asynchronous, which the protocol allows
        """Hang, then keep."""
        latch = asyncio.Event()
        with self._lock:
            if self._released:
                latch.set()
            else:
                self._waiting.append((asyncio.get_running_loop(), latch))
        self.entered.set()
        try:
            await latch.wait()
        except asyncio.CancelledError:
            self.cancelled += 1
            raise
        super().write(batch)


class SlowSink(RecordingSink):
    """Takes time by a fake clock: each write advances it, so that a slow backend costs a test nothing.

    Args:
        clock: The clock that the engine under test reads.
        seconds: How long each write takes.
        name: Its name.
    """

    def __init__(self, clock: FakeClock, seconds: float, name: str = "slow") -> None:
        """Make a slow sink."""
        super().__init__(name)
        self._clock = clock
        self._seconds = seconds

    def write(self, batch: Batch) -> None:
        """Let the time pass, then keep."""
        self._clock.advance(self._seconds)
        super().write(batch)
