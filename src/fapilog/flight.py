"""The flight recorder: events below the level are kept per request, and come out only if something goes wrong.

    log call below its logger's level ─► Recorder.take ─► the newest few hundred of this request
                                                             │ finish("error" or "slow") ─► queue, in order
                                                             └ finish(None)              ─► forgotten

Kept are the records as they were captured at the call, with their own times. A :class:`Ledger` counts what all
recorders of an engine hold and bounds it: ``kept`` is ``released`` + ``discarded`` + ``evicted`` + ``held`` at every
moment. No lock is held while records are handed in.
"""

import threading
from collections import OrderedDict, deque
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, NamedTuple, Self

from fapilog.coerce import size_of
from fapilog.event import Intake
from fapilog.flight_options import FlightRecorderOptions
from fapilog.units import parse_size

FIELD = "flight_recorder"
EVENT_BYTES = 512
_RECORD_BYTES = 384
_CALL_OVERHEAD = 1024
_NOTHING_WANTED = 1 << 62
_ROUNDS = 3
_KEEPING, _RELEASING, _RELEASED, _DISCARDED = range(4)
_ORIGIN, _FIELDS, _BOUND, _LOCAL, _SHARED = 2, 4, 5, 6, 7


class Limits(NamedTuple):
    """What one recorder wants and may hold.

    Attributes:
        level: The lowest level number that is kept.
        max_events: How many events.
        max_bytes: How many bytes of them.
        max_total_bytes: How many bytes all recorders of the ledger may hold together.
    """

    level: int
    max_events: int
    max_bytes: int
    max_total_bytes: int

    @classmethod
    def of(cls, options: FlightRecorderOptions, number: Callable[[str | int, str], int], where: str = "") -> Self:
        """Return those of options.

        Args:
            options: The options.
            number: Returns a level's number; see :class:`fapilog.levels.LevelTable`.
            where: Who asks for the level, for the error.

        Raises:
            ConfigError: If there is no such level.
        """
        return cls(
            number(options.level, where or "with_flight_recorder(level)"),
            options.max_events,
            parse_size(options.max_bytes, "with_flight_recorder(max_bytes)"),
            parse_size(options.max_total_bytes, "with_flight_recorder(max_total_bytes)"),
        )


class Outcome(NamedTuple):
    """What became of the events of a recorder.

    Attributes:
        released: How many were handed in at its end.
        evicted: How many had to leave before, because there were too many.
    """

    released: int
    evicted: int


_NOTHING_CAME = Outcome(0, 0)


class Recorder:
    """The kept events of one request or job: a :class:`fapilog.context.Below`. Thread-safe and re-entrant.

    Attributes:
        level: The lowest level number that it takes; so high once it has discarded that nothing comes here any more.
        limits: Its bounds.
        kept: What it holds, sizes and records, the oldest first; None before the first. The ledger's to change.
        size_bytes: How many bytes that counts. The ledger's to change.
        evicted: How many events had to leave it. The ledger's to change.
        state: Where it is between keeping and the end. The ledger's to change.
    """

    # What a request that logs nothing below the level never changes is set on the class, which costs it nothing.
    kept: deque[tuple[int, tuple[Any, ...]]] | None = None
    size_bytes = 0
    evicted = 0
    state = _KEEPING
    _used = False
    _late = 0
    _reason = ""
    _weighed: tuple[Any, ...] = (None, None, None)

    def __init__(self, limits: Limits, ledger: "Ledger") -> None:
        """Start with nothing."""
        self.level = limits.level
        self.limits = limits
        self._ledger = ledger

    def take(
        self,
        record: tuple[Any, ...],
        size_bytes: int,
        queue: Intake,
        may_await: bool,  # noqa: FBT001 - the protocol's
    ) -> Awaitable[None] | None:
        """Keep the record; after a release hand it in, ``max_events`` of them; after a discard forget it."""
        self._used = True
        if self.state <= _RELEASING and self._ledger.keep(self, record, self._weigh(record, size_bytes)):
            return None
        if self.state != _RELEASED:
            return None
        if self._late >= self.limits.max_events:
            # What a request starts may go on for as long as the process lives, and not be about the request any more.
            self.level = _NOTHING_WANTED
            return None
        self._late += 1
        return queue.admit(_marked(record, self._reason), may_await=may_await)

    def finish(self, reason: str | None, *, may_await: bool = True) -> Outcome:
        """End it: hand in what is kept, the oldest first, or forget it. Later calls do nothing more.

        Args:
            reason: Why the events come out, on each of them as ``flight_recorder``; None to forget them.
            may_await: False blocks where the queue makes callers wait; True, for a running event loop, leaves what
                finds no room in the queue's line.
        """
        if reason is None:
            return self._discard()
        if self.state == _KEEPING:
            self._reason = reason
        released = 0
        for number in range(1, _ROUNDS + 1):
            # What other threads log meanwhile is kept behind, so that their order stays; but not for ever.
            records = self._ledger.release(self, last=number == _ROUNDS)
            for record in records:
                origin = record[_ORIGIN]
                # Where its logger leads by now: the engine that was the default at the call may be gone.
                origin.queue.bind(origin)
                origin.queue.admit(_marked(record, self._reason), may_await=may_await)
            released += len(records)
            if self.state > _RELEASING:
                break
        return Outcome(released, self.evicted)

    def _discard(self) -> Outcome:
        if self.state != _RELEASED:
            # First the state, then the look: who keeps something meanwhile has said so by then, or is too late for it.
            self.state = _DISCARDED
            if self._used:
                self._ledger.discard(self)
            self.level = _NOTHING_WANTED
        return Outcome(0, self.evicted) if self.evicted else _NOTHING_CAME

    def _weigh(self, record: tuple[Any, ...], size_bytes: int) -> int:
        """Return what a record counts: its own parts, and what it does not share with the one before."""
        size = max(EVENT_BYTES, _RECORD_BYTES + size_bytes - _CALL_OVERHEAD)
        bound, local, shared = parts = record[_BOUND : _SHARED + 1]
        before = self._weighed
        if bound is before[0] and local is before[1] and shared is before[2]:
            return size
        self._weighed = parts
        return size + sum(size_of(part) for part, old in zip(parts, before, strict=True) if part is not old)


class Ledger:
    """What all recorders of one engine hold, counted and bounded. Thread-safe; a forked child gets :meth:`reset`."""

    def __init__(self) -> None:
        """Start with nothing."""
        self._holders: OrderedDict[Recorder, None] = OrderedDict()
        self.reset()

    def reset(self) -> None:
        """Forget what recorders hold, and take a new lock: in a forked child, whose parent keeps its own events."""
        self._lock = threading.RLock()
        for recorder in self._holders:
            recorder.kept = None
            recorder.size_bytes = recorder.evicted = 0
        self._holders = OrderedDict()
        self._kept = self._released = self._discarded = self._evicted = self._held = self._bytes = 0

    def figures(self) -> dict[str, int]:
        """Return how many events were kept so far, what became of them, and how many bytes are held now."""
        with self._lock:
            return {
                "kept": self._kept,
                "released": self._released,
                "discarded": self._discarded,
                "evicted": self._evicted,
                "held": self._held,
                "bytes": self._bytes,
            }

    def keep(self, recorder: Recorder, record: tuple[Any, ...], size: int) -> bool:
        """Keep a record as the newest of its recorder; False if that has ended."""
        limits = recorder.limits
        with self._lock:
            if recorder.state > _RELEASING:
                return False
            self._kept += 1
            if size > limits.max_bytes or size > limits.max_total_bytes:
                # It alone is too much: those before it need not leave for it.
                self._evicted += 1
                recorder.evicted += 1
                return True
            kept = recorder.kept
            if not kept:
                self._holders[recorder] = None
                if kept is None:
                    kept = recorder.kept = deque()
            kept.append((size, record))
            self._held += 1
            recorder.size_bytes += size
            self._bytes += size
            while len(kept) > limits.max_events or recorder.size_bytes > limits.max_bytes:
                self._evict(recorder, kept)
            if self._bytes > limits.max_total_bytes:
                self._make_room(limits.max_total_bytes)
        return True

    def discard(self, recorder: Recorder) -> None:
        """Forget what a recorder holds that takes no more."""
        with self._lock:
            gone = self._let_go(recorder)
            self._discarded += len(gone)

    def release(self, recorder: Recorder, *, last: bool) -> list[tuple[Any, ...]]:
        """Return the records that a recorder holds, to be handed in; it ends when there are none, or with the last."""
        with self._lock:
            if recorder.state > _RELEASING:
                return []
            recorder.state = _RELEASING
            gone = self._let_go(recorder)
            if last or not gone:
                recorder.state = _RELEASED
            self._released += len(gone)
        return [record for _, record in gone]

    def _let_go(self, recorder: Recorder) -> deque[tuple[int, tuple[Any, ...]]]:
        gone, recorder.kept = recorder.kept or deque(), None
        self._holders.pop(recorder, None)
        self._held -= len(gone)
        self._bytes -= recorder.size_bytes
        recorder.size_bytes = 0
        return gone

    def _evict(self, recorder: Recorder, kept: deque[tuple[int, tuple[Any, ...]]]) -> None:
        """Let the oldest event of a recorder leave."""
        if not kept:
            return  # a signal handler that logs has come in between
        size, _ = kept.popleft()
        self._held -= 1
        self._evicted += 1
        recorder.evicted += 1
        recorder.size_bytes -= size
        self._bytes -= size
        if not kept:
            self._holders.pop(recorder, None)

    def _make_room(self, max_total_bytes: int) -> None:
        """Let the oldest events of those leave that hold more than an equal share, until the bound is kept."""
        holders = self._holders
        while self._bytes > max_total_bytes and holders:
            share = self._bytes // len(holders)
            recorder = next(iter(holders))
            if recorder.size_bytes >= share and recorder.kept:
                self._evict(recorder, recorder.kept)
            else:
                holders.move_to_end(recorder)


def _marked(record: tuple[Any, ...], reason: str) -> tuple[Any, ...]:
    """Return a record that says why it came out; a field of the call of that name is kept under ``name_``."""
    fields: Mapping[str, Any] = record[_FIELDS]
    if FIELD in fields:
        name = FIELD + "_"
        while name in fields:
            name += "_"
        fields = {name if key == FIELD else key: value for key, value in fields.items()}
    return (*record[:_FIELDS], {**fields, FIELD: reason}, *record[_BOUND:])
