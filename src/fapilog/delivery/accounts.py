"""The books: what became of every event, per sink and for the engine.

The identity ``submitted = delivered + filtered + dropped + failed + in_flight`` holds whenever the lock is free. For
one sink an event is settled when its channel says so; for the engine when every channel has, and the worst of the
outcomes counts: failed, then dropped, then delivered. All figures but ``in_flight`` and ``spooled`` only grow; an event
that was put on disk counts as delivered when its receiver has taken it, see ``kept.py``.

By level the same is counted a slice at a time. What a spool loses late has no level any more: only its number is known.
"""

import threading
from collections import Counter, deque
from collections.abc import Collection, Sequence
from typing import Any

from fapilog.delivery.by_level import count_levels, shared_out
from fapilog.delivery.identity import EventIds
from fapilog.delivery.kept import Kept
from fapilog.delivery.slices import Slice
from fapilog.metrics.catalogue import BATCH_SIZE, DELIVERY
from fapilog.metrics.points import Histogram

DELIVERED = "delivered"
FILTERED = "filtered"
DROPPED = "dropped"
FAILED = "failed"
SPOOLED = "spooled"
BUFFER_FULL = "sink_buffer_full"
SHUTDOWN_TIMEOUT = "shutdown_timeout"
ROUTING = "routing"
LATEST_BATCHES = 512


class SinkAccount:
    """What became of the events of one sink, between its channel and its end.

    Attributes:
        delivered: What the sink took, be it to put it on disk.
        kept: What became of that.
        failing: Whether nothing of the last batch arrived, or it cannot be opened.
        durations, sizes: Of the batches that it was given.
        latest: How many seconds each of the last of them took.
    """

    __slots__ = (
        "delivered",
        "dropped",
        "durations",
        "elsewhere",
        "failed",
        "failing",
        "kept",
        "last_error",
        "latest",
        "mark",
        "offered",
        "settled",
        "sizes",
        "spooled",
    )

    def __init__(self) -> None:
        """Start at zero."""
        self.offered = 0
        self.settled = 0
        self.mark = 0
        self.delivered = 0
        self.elsewhere: Counter[str] = Counter()
        self.dropped: Counter[str] = Counter()
        self.failed: Counter[str] = Counter()
        self.spooled = 0
        self.kept = Kept()
        self.last_error: str | None = None
        self.failing = False
        self.durations = Histogram(DELIVERY.boundaries)
        self.sizes = Histogram(BATCH_SIZE.boundaries)
        self.latest: deque[float] = deque(maxlen=LATEST_BATCHES)


class Accounts:
    """The counters of one engine. Thread-safe; a forked child starts new ones.

    Attributes:
        delivered: What all sinks took, be it to put it on disk.
        kept: What became of that, as far as the engine can know.
        lost_levels: How many were filtered, dropped or failed here, by outcome and level.
    """

    def __init__(self) -> None:
        """Start at zero, without sinks."""
        self.lock = threading.RLock()
        self.passed = 0
        self.handed = 0
        self.delivered = 0
        self.filtered: Counter[str] = Counter()
        self.withheld: Counter[str] = Counter()
        self.dropped: Counter[str] = Counter()
        self.failed: Counter[str] = Counter()
        self.sinks: dict[str, SinkAccount] = {}
        self.kept = Kept()
        self.lost_levels: Counter[tuple[str, int]] = Counter()
        self._levels: dict[int, int] = {}
        self._arrived_levels: Counter[int] = Counter()
        self._ids = EventIds()

    def open_slice(
        self,
        piece: Slice,
        taken: int,
        filtered: Counter[str],
        accounts: Collection[SinkAccount],
        withheld: Counter[str] | None = None,
        levels: Counter[tuple[str, int]] | None = None,
    ) -> None:
        """Begin to account for a slice that goes to these sinks, and give its events their ids.

        Args:
            piece: What the stages left of the events taken; may be empty.
            taken: How many were taken from the queue.
            filtered: How many the stages held back, by name.
            accounts: The sinks' accounts.
            withheld: How many the stages dropped, by reason.
            levels: How many the stages held back or dropped, by outcome and level.
        """
        with self.lock:
            piece.ids = self._ids.take(len(piece))
            self.passed += taken
            if filtered:
                self.filtered.update(filtered)
            if withheld:
                self.withheld.update(withheld)
            if levels:
                self.lost_levels.update(levels)
            piece.sinks = len(accounts)
            for number, account in enumerate(accounts):
                if piece.places is None:
                    account.offered += len(piece)
                    continue
                mine = frozenset(piece.places[number])
                account.offered += len(mine)
                if len(mine) < len(piece):
                    account.elsewhere[ROUTING] += len(piece) - len(mine)
                    piece.skip([index for index in range(len(piece)) if index not in mine])
            if not accounts:
                self._deliver(piece, range(len(piece)))
            if not accounts or not len(piece):
                piece.done(len(piece))

    def close_slice(self) -> None:
        """Note that every channel has been offered all that was taken; for :meth:`reached`."""
        with self.lock:
            self.handed = self.passed
            for account in self.sinks.values():
                account.mark = account.offered - account.dropped[BUFFER_FULL]

    def reached(self, marks: dict[str, int]) -> bool:
        """Tell whether each sink has settled what it accepted up to a mark, in the order it came.

        What found no room in a buffer was settled out of this order, and counts on neither side.
        """
        with self.lock:
            return all(
                account.settled - account.dropped[BUFFER_FULL] >= marks[name] for name, account in self.sinks.items()
            )

    def write_off(self, levels: Sequence[int], reason: str, accounts: Collection[SinkAccount]) -> None:
        """Count events of these levels as failed for every sink, because no slice could be made of them."""
        count = len(levels)
        with self.lock:
            self.lost_levels.update((FAILED, level) for level in levels)
            self.passed += count
            self.handed = self.passed
            self.failed[reason] += count
            for account in accounts:
                account.offered += count
                account.settled += count
                account.failed[reason] += count

    def settle(
        self, piece: Slice, indexes: Sequence[int], account: SinkAccount, outcome: str, reason: str = ""
    ) -> None:
        """Say what became of some events of a slice at one sink; each event once for each sink."""
        with self.lock:
            account.settled += len(indexes)
            if outcome == DELIVERED:
                account.delivered += len(indexes)
            else:
                (account.failed if outcome == FAILED else account.dropped)[reason] += len(indexes)
                for index in indexes:
                    if outcome == FAILED or index not in piece.lost:
                        piece.lost[index] = (outcome, reason)
            if reason == SHUTDOWN_TIMEOUT:
                # Counted as lost here, and left to whoever keeps a journal of it.
                piece.claim = None
            done = piece.settled(indexes)
            piece.done(len(done))
            if piece.lost:
                done = self._lose(piece, done)
            if done:
                self._deliver(piece, done)

    def _deliver(self, piece: Slice, indexes: Sequence[int]) -> None:
        self.delivered += len(indexes)
        levels = piece.levels
        count_levels(self._levels, levels if len(indexes) == len(levels) else [levels[index] for index in indexes])

    def _lose(self, piece: Slice, done: Sequence[int]) -> Sequence[int]:
        """Count what some sink has lost of events that all have settled; return the others."""
        lost = piece.lost
        for index in done:
            if index in lost:
                outcome, reason = lost[index]
                (self.failed if outcome == FAILED else self.dropped)[reason] += 1
                self.lost_levels[outcome, piece.levels[index]] += 1
        return [index for index in done if index not in lost]

    def keep(self, account: SinkAccount, outcome: str, count: int, reason: str) -> None:
        """Note what became of events that a sink has taken only to keep them until its receiver takes them.

        They count as in flight meanwhile. The engine knows nothing of single events any more: for it those wait that
        the fullest of the spools holds, and those are lost that the worst of the sinks has lost.

        Args:
            account: The sink's.
            outcome: ``SPOOLED`` when the spool takes them, later ``DELIVERED``, ``DROPPED`` or ``FAILED``.
            count: How many.
            reason: Why they were dropped or failed.
        """
        with self.lock:
            if outcome == SPOOLED:
                account.spooled += count
                return
            count = min(count, account.spooled)
            account.spooled -= count
            if outcome in (DROPPED, FAILED):
                account.kept.lose(outcome, reason, count)
                more = account.kept.reported - self.kept.reported
                if more > 0:
                    # Of what others have lost before nobody knows whether it was the same.
                    self.kept.lose(outcome, reason, more)

    def timed(self, account: SinkAccount, seconds: float, events: int) -> None:
        """Note how long a sink had a batch of so many events."""
        with self.lock:
            account.durations.record(seconds)
            account.latest.append(seconds)
            account.sizes.record(events)

    def figures(self, submitted: int, dropped_before: Counter[str]) -> dict[str, Any]:
        """Return all figures, for the engine and for each sink, as plain values.

        Args:
            submitted: Events submitted to the engine, read under the same lock.
            dropped_before: Events dropped before they reached any channel, by reason.
        """
        with self.lock:
            dropped_before = dropped_before + self.withheld
            spooled = max((account.spooled for account in self.sinks.values()), default=0)
            waiting = self.kept.catch_up(self.delivered, spooled)
            dropped = self.dropped + dropped_before
            whole = _row(submitted, self.kept, waiting, self.filtered, dropped, self.failed)
            whole["sinks"] = {
                name: {
                    **_row(
                        submitted,
                        account.kept,
                        account.kept.catch_up(account.delivered, account.spooled),
                        self.filtered + account.elsewhere,
                        account.dropped + dropped_before,
                        account.failed,
                    ),
                    "last_error": account.last_error,
                }
                for name, account in self.sinks.items()
            }
        return whole

    def delivered_levels(self) -> dict[int, int]:
        """Return by level how many were delivered, as many as :meth:`figures` said last; each only grows.

        While some wait on disk it is not known which: then the levels share what has arrived in proportion. Exact again
        once the disk is empty, but for the levels of what was lost there.
        """
        with self.lock:
            arrived = self._arrived_levels
            more = self.kept.arrived - arrived.total()
            if more:
                pool = {level: count - arrived[level] for level, count in self._levels.items()}
                arrived.update(shared_out(pool, more))
            return dict(arrived)


def _row(
    submitted: int, kept: Kept, waiting: int, filtered: Counter[str], dropped: Counter[str], failed: Counter[str]
) -> dict[str, Any]:
    dropped, failed = Counter(dropped), Counter(failed)
    for (outcome, reason), count in kept.lost.items():
        (failed if outcome == FAILED else dropped)[reason] += count
    return {
        "submitted": submitted,
        "delivered": kept.arrived,
        "filtered": dict(filtered),
        "dropped": dict(dropped),
        "failed": dict(failed),
        "in_flight": submitted - kept.arrived - filtered.total() - dropped.total() - failed.total(),
        "spooled": waiting,
    }
