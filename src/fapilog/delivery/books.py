"""A sink's part in the accounts, and the voice that says what went wrong with it."""

from collections.abc import Callable, Sequence

from fapilog.delivery.accounts import DELIVERED, DROPPED, FAILED, Accounts, SinkAccount
from fapilog.delivery.slices import Piece
from fapilog.diagnostics import Diagnostics, attempt
from fapilog.errors import SinkError
from fapilog.protocols import Batch, Sink

OnDelivery = Callable[[str, float, int], object]
"""Told of each batch: the sink's name, the seconds, and how many events. In whichever thread delivers."""


class Books:
    """A sink, its account, and the engine's diagnostics.

    Attributes:
        spools: Whether the sink is fed from a spool, which then is what times its batches.
    """

    def __init__(
        self, sink: Sink, accounts: Accounts, diagnostics: Diagnostics, on_delivery: OnDelivery | None = None
    ) -> None:
        """Open the sink's account."""
        self.sink = sink
        self.spools = False
        self._on_delivery = on_delivery
        self.accounts = accounts
        self.diagnostics = diagnostics
        self.account = accounts.sinks.setdefault(sink.name, SinkAccount())

    def settle(self, pieces: Sequence[Piece], error: BaseException | None) -> None:
        """Settle what one write did: all delivered, all failed, or the named ones failed."""
        failed = frozenset[int]()
        if error is not None:
            failed = _failed_places(error, sum(len(indexes) for _, indexes in pieces))
            self.say(self.diagnostics.describe(error))
        offset = 0
        reason = error.reason if isinstance(error, SinkError) else type(error).__name__
        for piece, indexes in pieces:
            bad = [index for place, index in enumerate(indexes, offset) if place in failed] if failed else []
            good = indexes if not bad else [index for place, index in enumerate(indexes, offset) if place not in failed]
            offset += len(indexes)
            if bad:
                self.accounts.settle(piece, bad, self.account, FAILED, reason)
            if good:
                self.accounts.settle(piece, good, self.account, DELIVERED)
                self.account.failing = False

    def drop(self, pieces: Sequence[Piece], reason: str) -> None:
        """Settle pieces that the sink will not be given."""
        for piece, indexes in pieces:
            if indexes:
                self.accounts.settle(piece, indexes, self.account, DROPPED, reason)

    def abandon(self, pieces: Sequence[Piece], batch: Callable[[], Batch], reason: str) -> None:
        """Settle pieces that the sink has no time for: a fallback takes them if there is one, else they are dropped."""
        rescue = getattr(self.sink, "rescue", None)
        if pieces and rescue is not None and attempt(lambda: rescue(batch()))[0]:
            self.settle(pieces, None)
        else:
            self.drop(pieces, reason)

    def keep(self, outcome: str, count: int, reason: str) -> None:
        """Note what became of events that the sink keeps on disk; see ``Accounts.keep``."""
        self.accounts.keep(self.account, outcome, count, reason)

    def timed(self, seconds: float, events: int) -> None:
        """Note how long a batch took until the sink had taken it or given it up; once a batch."""
        self.accounts.timed(self.account, seconds, events)
        if self._on_delivery is not None:
            attempt(self._on_delivery, self.sink.name, seconds, events)

    def say(self, text: str) -> None:
        """Report what went wrong at this sink, and keep it as its last error, both without secrets."""
        text = self.diagnostics.scrubbed(text)
        self.account.last_error = text
        self.account.failing = True
        self.diagnostics.report(f"sink {self.sink.name}", text)


def _failed_places(error: BaseException, count: int) -> frozenset[int]:
    """Return which of ``count`` events an error is about: all of them if it names none, or one that is not there."""
    whole = frozenset(range(count))
    named = error.failed_indexes if isinstance(error, SinkError) else None
    return named if named is not None and named <= whole else whole
