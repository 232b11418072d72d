"""Up to which position everything is settled, whatever the order in which records arrive and are settled.

    positions   ████████████████░░░░████░░██░░░░░░░░░░░░
                                │   │     ╰ came, but one before it is still missing
                                │   ╰ arrived: all before it were seen by the worker
                                ╰ settled: all before it are done; the watermark

Threads take positions in one order and reach the queue in another, sinks finish in a third. A position whose record
never comes, because the log call was interrupted by an exception in between, is given up after some seconds.
"""

from collections import deque
from collections.abc import Iterable

PATIENCE_SECONDS = 10.0
SIZE_BITS = 32
_SIZE_MASK = (1 << SIZE_BITS) - 1


class Claim:
    """Some records that the worker has taken and that are not settled yet. :meth:`settle` may be called anywhere."""

    __slots__ = ("low", "open")

    def __init__(self, low: int) -> None:
        """Hold the lowest position among the records."""
        self.low = low
        self.open = True

    def settle(self) -> None:
        """Say that every sink has taken these records, or will never."""
        self.open = False


class Frontier:
    """The watermark's arithmetic. Used by the worker; :meth:`pass_over` by any thread."""

    def __init__(self, begin: int, now: float) -> None:
        """Begin at a position, at a moment of the monotonic clock."""
        self.settled = begin
        self._arrived = begin
        self._moved_at = now
        self._early: dict[int, int] = {}
        self._claims: deque[Claim] = deque()
        self._passed: deque[tuple[int, int]] = deque()

    def pass_over(self, start: int, end: int) -> None:
        """Note that no record will come from these positions. Thread-safe and re-entrant."""
        self._passed.append((start, end))

    def claim(self, tickets: Iterable[int], now: float) -> Claim:
        """Note that the worker has taken these records; see ``Journal.claim``."""
        spans = [(ticket >> SIZE_BITS, (ticket >> SIZE_BITS) + (ticket & _SIZE_MASK)) for ticket in tickets]
        claim = Claim(min((start for start, _ in spans), default=self._arrived))
        if spans:
            self._arrive(spans, now)
            self._claims.append(claim)
        return claim

    def advance(self, now: float) -> tuple[int, int] | None:
        """Move ``settled`` forward as far as it goes; return the positions that had to be given up, if any."""
        if self._passed:
            self._arrive([self._passed.popleft() for _ in range(len(self._passed))], now)
        given_up = None
        if self._early and now - self._moved_at > PATIENCE_SECONDS:
            given_up = (self._arrived, min(self._early))
            self._arrive([given_up], now)
        claims = self._claims
        while claims and not claims[0].open:
            claims.popleft()
        # Not only the first: two threads may have reached the queue in the other order than they took positions.
        low = min((claim.low for claim in claims if claim.open), default=self._arrived)
        self.settled = max(self.settled, min(low, self._arrived))
        return given_up

    def _arrive(self, spans: list[tuple[int, int]], now: float) -> None:
        early, arrived = self._early, self._arrived
        waited = bool(early)
        for start, end in spans:
            if start == arrived:
                arrived = end
            elif start > arrived:
                early[start] = end
        while early and (end := early.pop(arrived, 0)):
            arrived = end
        if arrived != self._arrived or not waited:
            self._arrived = arrived
            self._moved_at = now
