"""Of what a sink took: what has arrived, what waits on disk, and what was lost there.

    taken ─┬─ waiting on disk ─┬─► arrived
           │                   ╰─► lost late
           ╰─ not by way of a disk ──► arrived

A spool takes an event before anybody can know whether it will arrive. Arrived and lost are counters that collectors
read: they only grow, and together they are never more than what was taken, in whatever order the news comes. A spool
may even tell of an event before its batch is settled; then the news waits until it is.
"""

from collections import Counter


class Kept:
    """The reckoning of one sink, or of the engine for the worst of its sinks. Used under the lock of the accounts.

    Attributes:
        arrived: How many have been delivered for good.
        lost: How many were lost after they had been taken, by outcome and reason.
        reported: How many losses were told, those included for which there was no event yet.
    """

    __slots__ = ("_owed", "arrived", "lost", "reported")

    def __init__(self) -> None:
        """Start at zero."""
        self.arrived = 0
        self.lost: Counter[tuple[str, str]] = Counter()
        self.reported = 0
        self._owed: Counter[tuple[str, str]] = Counter()

    def lose(self, outcome: str, reason: str, count: int) -> None:
        """Take note of a late loss."""
        self._owed[outcome, reason] += count
        self.reported += count

    def catch_up(self, taken: int, waiting: int) -> int:
        """Bring the figures up to date, and return how many still wait.

        Args:
            taken: How many were settled as delivered so far, wherever they are.
            waiting: How many are on disk; more than were taken while a batch is about to be settled.
        """
        if self._owed:
            self._settle_losses(taken - self.arrived - self.lost.total())
        self.arrived = max(self.arrived, taken - self.reported - waiting)
        return taken - self.arrived - self.lost.total()

    def _settle_losses(self, room: int) -> None:
        """Count the losses that were told, as far as there are events that they can be about."""
        for cause, count in list(self._owed.items()):
            fits = min(count, room)
            self.lost[cause] += fits
            self._owed[cause] -= fits
            room -= fits
        self._owed = +self._owed
