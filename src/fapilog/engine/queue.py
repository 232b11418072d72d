"""The bounded queue: what a log call appends to, and what happens when it is full.

    capacity                         reserve
    ├──────────────────────────────┼──────────┤
     any event                       ERROR and above only

Bounded in events and in bytes. An ordinary event counts ``EVENT_BYTES``; a larger one what it holds. ``policy="drop"``
never waits. Under ``policy="wait"`` a call that finds no room leaves its record in line; the worker admits those in
order once the queue is half empty, so that nobody starves, and a record whose time is over gets the room there is or
is counted as dropped. Threads bound the line by blocking; of asynchronous calls nobody awaits, 10 000 may be in it.
"""

import asyncio
import threading
import time
from collections import Counter, deque
from collections.abc import Awaitable, Callable, Collection, Generator, Mapping
from dataclasses import dataclass
from typing import Any, Literal, cast

from fapilog.copying import copy_fields as quick_copy
from fapilog.diagnostics import attempt
from fapilog.errors import ConfigError
from fapilog.event import Origin
from fapilog.levels import ERROR, LevelTable
from fapilog.units import parse_duration, parse_size

EVENT_BYTES = 1024
QUEUE_FULL = "queue_full"
RECURSION = "recursion"
AFTER_SHUTDOWN = "after_shutdown"
_LEVEL, _EXTRA = 1, 9
_MOST_FORGOTTEN = 10_000
_LOOK_SECONDS = 0.5


@dataclass(frozen=True)
class QueueOptions:
    """How much may wait, and what a full queue means.

    Attributes:
        capacity: How many events of any level may wait. Default 10 000.
        reserve: How many more of ERROR and above. Default 1 000.
        max_bytes: How many bytes may wait. Default 64 MB.
        policy: ``"drop"`` (default) drops, counted; ``"wait"`` makes the caller wait.
        wait_seconds: How long a caller waits at most before its event is dropped, counted; default 0.05; None waits
            without limit (in a variable the word ``none``), 0 not at all.
    """

    capacity: int = 10_000
    reserve: int = 1_000
    max_bytes: int | str = "64 MB"
    policy: Literal["drop", "wait"] = "drop"
    wait_seconds: float | str | None = 0.05

    def __post_init__(self) -> None:
        """Check the values.

        Raises:
            ConfigError: If one cannot be used.
        """
        for name, least in (("capacity", 1), ("reserve", 0)):
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, int) or value < least:
                raise ConfigError.wrong(f"with_queue({name})", value, f"a whole number of at least {least}")
        parse_size(self.max_bytes, "with_queue(max_bytes)")
        if self.policy not in ("drop", "wait"):
            raise ConfigError.unknown("with_backpressure(policy)", self.policy, ("drop", "wait"))
        # An environment variable can say these two by text alone.
        spelled = {"none": None, "0": 0.0}.get(str(self.wait_seconds).strip().lower(), self.wait_seconds)
        if spelled not in (None, 0):
            spelled = parse_duration(spelled, "with_backpressure(wait_seconds)")
        object.__setattr__(self, "wait_seconds", spelled)


class _Waiter:
    """A record in line, and how to tell its caller that it is through."""

    __slots__ = ("deadline", "record", "release", "size")

    def __init__(self, record: tuple[Any, ...], size: int, deadline: float | None) -> None:
        self.record = record
        self.size = size
        self.deadline = deadline
        self.release: Callable[[], object] | None = None


class EventQueue:
    """The engine's queue; see the module. Thread-safe and re-entrant; a forked child gets :meth:`reset`.

    Attributes:
        items: The records; log calls append to it themselves.
        limit: How many records a call may leave without asking :meth:`admit`.
        exit_patience: How many seconds a caller still waits for room once the main thread has ended.
    """

    def __init__(
        self,
        options: QueueOptions,
        levels: LevelTable,
        start: Callable[[], bool],
        current_context: Callable[[], Any],
        span_key: str,
    ) -> None:
        """Make a stopped queue.

        Args:
            options: Its bounds and its policy.
            levels: The process's levels.
            start: Starts the worker; False if that cannot be done now.
            current_context: Returns the current OpenTelemetry context.
            span_key: The active span's key in it.
        """
        self.options = options
        self.levels = levels
        self.current_context = current_context
        self.span_key = span_key
        self.max_bytes = parse_size(options.max_bytes, "with_queue(max_bytes)")
        self._start = start
        self._waits = options.policy == "wait"
        self._wait_seconds = cast("float | None", options.wait_seconds)  # a number since it was checked
        self.finalising = False
        self.exit_patience = 0.0
        self.reset()

    def reset(self) -> None:
        """Start empty and stopped, with new locks: at the beginning and in a forked child."""
        self.lock = threading.RLock()
        self.items: deque[Any] = deque()
        self.limit = 0
        self.running = False
        self.taken = 0
        self.replayed = 0
        self.abandoned = 0
        self.high_watermark = 0
        self.dropped: Counter[str] = Counter()
        self.dropped_levels: Counter[int] = Counter()
        self._held = False
        self._large_bytes = 0
        self._line: deque[_Waiter] = deque()
        self._exit_by: float | None = None

    def copy_fields(self, fields: Mapping[str, Any]) -> tuple[dict[str, Any], int] | None:
        """Copy plain fields quickly."""
        return quick_copy(fields)

    def bind(self, origin: Origin) -> None:
        """Do nothing: whoever is here has an engine."""

    def admit(self, record: tuple[Any, ...], *, may_await: bool) -> Awaitable[None] | None:
        """Take the record, put it in line, or count it as dropped; see :class:`fapilog.event.Intake`."""
        extra = record[_EXTRA]
        size = extra.size_bytes if extra is not None else 0
        with self.lock:
            if not self.running and not self._start():
                self._drop_or_keep(record, size)
                return None
            protected = record[_LEVEL] >= ERROR
            # Whoever comes while others are in line goes to its end: an earlier event of this thread may be in it.
            if not self._line and (protected or not self._held) and self._has_room(size, protected=protected):
                self._append(record, size)
                return None
            on_loop = not may_await and _loop_is_running()
            if on_loop and not self._line and self._has_room(size, protected=protected):
                self._append(record, size)
                return None
            if (
                not self._waits
                or self._wait_seconds == 0
                or (len(self._line) >= _MOST_FORGOTTEN and (may_await or on_loop))
                or (on_loop and not self._line)
            ):
                self._drop(record)
                return None
            deadline = None if self._wait_seconds is None else time.monotonic() + self._wait_seconds
            waiter = _Waiter(record, size, deadline)
            self._line.append(waiter)
            self._update_limit()
            if may_await:
                return _Pending(self, waiter)
            if on_loop:
                return None
            gate = threading.Lock()
            gate.acquire()
            waiter.release = gate.release
        self._wait_for(gate, deadline)
        self.expire(waiter)
        return None

    def take(self, most: int) -> list[tuple[Any, ...]]:
        """Remove and return up to ``most`` records in order; for the worker."""
        items = self.items
        with self.lock:
            depth = len(items)
            self.high_watermark = max(self.high_watermark, depth)
            records = [items.popleft() for _ in range(min(most, depth))]
            self.taken += len(records)
            if self._large_bytes:
                self._large_bytes -= sum(r[_EXTRA].size_bytes for r in records if r[_EXTRA] is not None)
                self._update_limit()
            if self._line:
                self._admit_line()
        return records

    def replay(self, count: int) -> None:
        """Count events that did not come through the queue, but from a journal."""
        with self.lock:
            self.replayed += count

    def suppress(self, records: Collection[tuple[Any, ...]]) -> None:
        """Count records that were taken as dropped: what a sink or stage logged of its own events."""
        with self.lock:
            self.taken -= len(records)
            for record in records:
                self.lose(RECURSION, record)

    def hold(self, held: bool) -> None:  # noqa: FBT001 - the one argument is the state
        """Make callers wait although the queue has room, because a sink behind it has none."""
        with self.lock:
            self._held = held and self._waits
            if not self._held:
                self._admit_line()
            self._update_limit()

    def open(self) -> None:
        """Let log calls append by themselves: the worker is there."""
        with self.lock:
            self.running = True
            self._update_limit()

    def close(self) -> bool:
        """Send log calls to :meth:`admit`, unless something is waiting: then return False and stay open."""
        with self.lock:
            self._admit_line()
            if self.items or self._line:
                return False
            self.running = False
            self.limit = 0
            return True

    def abandon(self, reason: str) -> int:
        """Drop all that waits, counted under ``reason``, and return how many that were."""
        with self.lock:
            waiting = len(self.items)
            for _ in range(waiting):
                # One by one: log calls append without the lock, and what they append meanwhile is not lost here.
                record = self.items.popleft()
                self._large_bytes -= record[_EXTRA].size_bytes if record[_EXTRA] is not None else 0
                self.lose(reason, record)
            lost = waiting + len(self._line)
            self.abandoned += lost
            while self._line:
                waiter = self._line.popleft()
                self.lose(reason, waiter.record)
                self._release(waiter)
            self._update_limit()
        return lost

    def submitted(self) -> int:
        """Return how many events have been submitted. Take ``lock`` around it for figures that agree."""
        with self.lock:
            return self.replayed + self.taken + len(self.items) + len(self._line) + self.dropped.total()

    def gone(self) -> int:
        """Return how many records have left the queue, to the worker or for good."""
        return self.taken + self.abandoned

    def position(self) -> int:
        """Return what :meth:`gone` will be when all that waits now has left."""
        with self.lock:
            return self.gone() + len(self.items) + len(self._line)

    def waiting(self) -> bool:
        """Tell whether callers are in line."""
        return bool(self._line)

    def size_bytes(self) -> int:
        """Return how many bytes are waiting, by the measure of the module."""
        return len(self.items) * EVENT_BYTES + self._large_bytes

    def expire(self, waiter: _Waiter) -> None:
        """End a wait: nothing to do if the record is through, else it gets the room there is or is dropped."""
        with self.lock:
            if waiter not in self._line:
                return
            self._line.remove(waiter)
            if self._has_room(waiter.size, protected=waiter.record[_LEVEL] >= ERROR):
                self._append(waiter.record, waiter.size)
            else:
                self._drop(waiter.record)
            self._release(waiter)
            self._update_limit()

    def _wait_for(self, gate: threading.Lock, deadline: float | None) -> None:
        """Block until the gate opens, the deadline passes, or the process has been trying to end for long enough.

        The interpreter joins a waiting thread before it runs any exit hook, so that nobody else could end the wait.
        """
        while True:
            if self._exit_by is None and not threading.main_thread().is_alive():
                self._exit_by = time.monotonic() + self.exit_patience
            ends = [moment for moment in (deadline, self._exit_by) if moment is not None]
            left = max(0.0, min(ends) - time.monotonic()) if ends else _LOOK_SECONDS
            if gate.acquire(timeout=min(left, _LOOK_SECONDS)) or left == 0.0:
                return

    def _has_room(self, size: int, *, protected: bool) -> bool:
        room = self.options.capacity + (self.options.reserve if protected else 0)
        depth = len(self.items)
        # One event always fits: a single large one must not be refused by an empty queue.
        return depth < room and (depth == 0 or self.size_bytes() + max(size, EVENT_BYTES) <= self.max_bytes)

    def _append(self, record: tuple[Any, ...], size: int) -> None:
        self._large_bytes += size
        self.items.append(record)
        if size:
            self._update_limit()

    def _update_limit(self) -> None:
        if not self.running or self._held or self._line:
            self.limit = 0
        else:
            by_bytes = (self.max_bytes - self._large_bytes) // EVENT_BYTES
            self.limit = max(0, min(self.options.capacity, by_bytes))

    def _admit_line(self) -> None:
        """Let those in line in, in order, once the queue is half empty; and end the waits that are over."""
        now = time.monotonic()
        while self._line and (late := self._line[0]).deadline is not None and late.deadline <= now:
            self.expire(late)
        if self._held or len(self.items) > self.options.capacity // 2:
            return
        while self._line and self._has_room(self._line[0].size, protected=False):
            waiter = self._line.popleft()
            self._append(waiter.record, waiter.size)
            self._release(waiter)
        self._update_limit()

    def _release(self, waiter: _Waiter) -> None:
        if waiter.release is not None:
            attempt(waiter.release)

    def _drop_or_keep(self, record: tuple[Any, ...], size: int) -> None:
        """Deal with a record when no thread can be started: keep what fits for the last drain."""
        if self.finalising:
            self.lose(AFTER_SHUTDOWN, record)
        elif self._has_room(size, protected=record[_LEVEL] >= ERROR):
            self._append(record, size)
        else:
            self._drop(record)

    def lose(self, reason: str, record: tuple[Any, ...]) -> None:
        """Count a record as dropped; :attr:`lock` is held, and a signal handler may come in between two calls."""
        self.dropped.setdefault(reason, 0)
        self.dropped[reason] += 1
        self.dropped_levels.setdefault(record[_LEVEL], 0)
        self.dropped_levels[record[_LEVEL]] += 1

    def _drop(self, record: tuple[Any, ...]) -> None:
        """Count a record that finds no room."""
        self.lose(QUEUE_FULL, record)


class _Pending:
    """What an async log call returns while its record is in line. Awaiting it waits; forgetting loses nothing."""

    __slots__ = ("_queue", "_waiter")

    def __init__(self, queue: EventQueue, waiter: _Waiter) -> None:
        self._queue = queue
        self._waiter = waiter

    def __await__(self) -> Generator[Any, None, None]:
        return self._wait().__await__()

    async def _wait(self) -> None:
        loop = asyncio.get_running_loop()
        through = loop.create_future()
        waiter = self._waiter
        with self._queue.lock:
            if waiter not in self._queue._line:  # noqa: SLF001 - one module
                return
            waiter.release = lambda: loop.call_soon_threadsafe(_finish, through)
        timer = None
        if waiter.deadline is not None:
            timer = loop.call_later(max(0.0, waiter.deadline - time.monotonic()), self._queue.expire, waiter)
        try:
            await through
        finally:
            if timer is not None:
                timer.cancel()


def _finish(future: "asyncio.Future[None]") -> None:
    if not future.done():
        future.set_result(None)


def _loop_is_running() -> bool:
    return asyncio._get_running_loop() is not None  # noqa: SLF001 - public for loop implementers, does not raise
