"""The books: what became of every event, per sink and for the engine.

The identity ``submitted = delivered + filtered + dropped + failed + in_flight`` holds whenever the lock is free. For
one sink an event is settled when its channel says so; for the engine when every channel has, and the worst of the
outcomes counts: failed, then dropped, then delivered.
"""

import threading
from collections import Counter
from collections.abc import Collection, Sequence
from typing import Any

from fapilog.delivery.identity import EventIds
from fapilog.delivery.slices import Slice

DELIVERED = "delivered"
DROPPED = "dropped"
FAILED = "failed"
SPOOLED = "spooled"
BUFFER_FULL = "sink_buffer_full"
SHUTDOWN_TIMEOUT = "shutdown_timeout"
ROUTING = "routing"


class SinkAccount:
    """What became of the events of one sink, between its channel and its end."""

    __slots__ = (
        "delivered",
        "dropped",
        "elsewhere",
        "failed",
        "last_error",
        "late",
        "mark",
        "offered",
        "settled",
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
        self.late: Counter[tuple[str, str]] = Counter()
        self.last_error: str | None = None


class Accounts:
    """The counters of one engine. Thread-safe; a forked child starts new ones."""

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
        self._ids = EventIds()

    def open_slice(
        self,
        piece: Slice,
        taken: int,
        filtered: Counter[str],
        accounts: Collection[SinkAccount],
        withheld: Counter[str] | None = None,
    ) -> None:
        """Begin to account for a slice that goes to these sinks, and give its events their ids.

        Args:
            piece: What the stages left of the events taken; may be empty.
            taken: How many were taken from the queue.
            filtered: How many the stages held back, by name.
            accounts: The sinks' accounts.
            withheld: How many the stages dropped, by reason.
        """
        with self.lock:
            piece.ids = self._ids.take(len(piece))
            self.passed += taken
            self.filtered.update(filtered)
            self.withheld.update(withheld or ())
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
                self.delivered += len(piece)
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

    def write_off(self, count: int, reason: str, accounts: Collection[SinkAccount]) -> None:
        """Count events as failed for every sink, because no slice could be made of them."""
        with self.lock:
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
            lost = [piece.lost[index] for index in done if index in piece.lost] if piece.lost else ()
            self.delivered += len(done) - len(lost)
            for its_outcome, its_reason in lost:
                (self.failed if its_outcome == FAILED else self.dropped)[its_reason] += 1

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
                account.delivered -= count
                (account.failed if outcome == FAILED else account.dropped)[reason] += count
                account.late[outcome, reason] += count

    def figures(self, submitted: int, dropped_before: Counter[str]) -> dict[str, Any]:
        """Return all figures, for the engine and for each sink, as plain values.

        Args:
            submitted: Events submitted to the engine, read under the same lock.
            dropped_before: Events dropped before they reached any channel, by reason.
        """
        with self.lock:
            dropped_before = dropped_before + self.withheld
            spooled = max((account.spooled for account in self.sinks.values()), default=0)
            late = max((account.late for account in self.sinks.values()), key=Counter.total, default=Counter())
            dropped, failed = self.dropped + dropped_before, Counter(self.failed)
            for (outcome, reason), count in late.items():
                (failed if outcome == FAILED else dropped)[reason] += count
            delivered = self.delivered - late.total()
            whole = _row(submitted, delivered, self.filtered, dropped, failed, spooled)
            whole["sinks"] = {
                name: {
                    **_row(
                        submitted,
                        account.delivered,
                        self.filtered + account.elsewhere,
                        account.dropped + dropped_before,
                        account.failed,
                        account.spooled,
                    ),
                    "last_error": account.last_error,
                }
                for name, account in self.sinks.items()
            }
        return whole


def _row(
    submitted: int, delivered: int, filtered: Counter[str], dropped: Counter[str], failed: Counter[str], spooled: int
) -> dict[str, Any]:
    # What was just put on disk may not have been settled yet.
    spooled = min(spooled, delivered)
    delivered -= spooled
    in_flight = submitted - delivered - filtered.total() - dropped.total() - failed.total()
    return {
        "submitted": submitted,
        "delivered": delivered,
        "filtered": dict(filtered),
        "dropped": dict(dropped),
        "failed": dict(failed),
        "in_flight": in_flight,
        "spooled": spooled,
    }
