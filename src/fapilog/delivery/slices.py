"""A slice of the queue after the stages: some events in order, their bytes made once for each format."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

from fapilog.delivery.identity import IdRange, Numbered, event_with_id, line_with_id
from fapilog.event import EventDict, identities
from fapilog.protocols import Batch, Format


class Claimed(Protocol):
    """Who waits for the events of a slice to be settled."""

    def settle(self) -> None:
        """Take note that they are. Any thread."""
        ...


class Slice:
    """Some events on their way to the sinks.

    It holds either captured records, when no stage wanted to see a dict, or flat dicts. Written by the worker; the
    accounting attributes belong to :class:`fapilog.delivery.accounts.Accounts` and its lock.

    Attributes:
        ids: The events' ids; None if no sink asks for them.
        claim: Told when all sinks have settled all events; None if nobody asks, or they are not to be forgotten.
        places: For each sink the indexes of the events that are routed to it; None: all events go to all sinks.
        shares: For each format, by name, the indexes of the events that are needed in it; None: all of them.
    """

    __slots__ = (
        "_batches", "_events", "_left", "_parts", "_records", "_to_events", "_whole", "claim", "ids", "levels",
        "lost", "places", "shares", "sinks",
    )  # fmt: skip

    def __init__(
        self,
        records: Sequence[Any] | None,
        events: list[EventDict] | None,
        levels: Sequence[int],
        to_events: Callable[[Sequence[Any]], list[EventDict]],
    ) -> None:
        """Hold records or events.

        Args:
            records: Captured records, or None.
            events: Flat dicts, or None.
            levels: The level number of each.
            to_events: Makes the dicts of the records.
        """
        self._records = records
        self._events = events
        self._to_events = to_events
        self._batches: dict[str, Batch] = {}
        self.levels = levels
        self.sinks = 0
        self._whole = 0
        self._left = len(levels)
        self._parts: bytearray | None = None
        self.ids: IdRange | None = None
        self.claim: Claimed | None = None
        self.places: list[list[int]] | None = None
        self.shares: Mapping[str, Sequence[int]] | None = None
        self.lost: dict[int, tuple[str, str]] = {}

    def __len__(self) -> int:
        """Return the number of events."""
        return len(self.levels)

    def skip(self, indexes: Sequence[int]) -> None:
        """Note that one sink will not be given these events, before any of them is settled."""
        parts = self._parts = self._parts or bytearray(len(self.levels))
        for index in indexes:
            parts[index] += 1

    def done(self, count: int) -> None:
        """Note that so many more events are settled at all sinks; tell the claim when none is left."""
        self._left -= count
        if self._left == 0 and self.claim is not None:
            self.claim.settle()
            self.claim = None

    def settled(self, indexes: Sequence[int]) -> Sequence[int]:
        """Note that one more sink has settled these events; return those that all sinks have now."""
        if len(indexes) == len(self.levels):
            self._whole += 1
            missing = self.sinks - self._whole
            if self._parts is None:
                return () if missing else indexes
            return [index for index, count in enumerate(self._parts) if count == missing]
        parts = self._parts = self._parts or bytearray(len(self.levels))
        for index in indexes:
            parts[index] += 1
        return [index for index in indexes if parts[index] + self._whole == self.sinks]

    def events(self) -> list[EventDict]:
        """Return the flat dicts, made at the first use."""
        if self._events is None:
            self._events = self._to_events(self._records or ())
        return self._events

    def identities(self) -> Sequence[EventDict]:
        """Return for each event a dict with its request and trace ids, which may be the flat dict."""
        return identities(self._records) if self._events is None and self._records is not None else self.events()

    def batch(self, form: Format | None) -> Batch:
        """Return the whole slice as a batch in a format, or without lines; made once.

        The line of an event that no sink of this format is given is empty.
        """
        name = form.name if form is not None else ""
        batch = self._batches.get(name)
        if batch is None:
            lines = [] if form is None else self._lines(form)
            flat = self._numbered if isinstance(form, Numbered) else self.events
            reshape = None if form is None else form.reshape
            events = flat if reshape is None else lambda: self._shaped(reshape, form)
            batch = self._batches[name] = Batch(lines, events, len(self), flat, self.identities)
        return batch

    def whole(self, form: Format) -> Batch:
        """Return all events in a format, also those that are routed to no sink of it."""
        if self.shares is None:
            return self.batch(form)
        return Batch(self._encode(form, self._records, self._events), self.events, len(self))

    def _numbered(self) -> list[EventDict]:
        """Return the flat dicts with their ids."""
        return [event_with_id(event, self._id(index)) for index, event in enumerate(self.events())]

    def _shaped(self, reshape: Callable[[EventDict], EventDict], form: Format | None) -> list[EventDict]:
        events = [reshape(event) for event in self.events()]
        if not isinstance(form, Numbered):
            return events
        return [event_with_id(event, self._id(index)) for index, event in enumerate(events)]

    def _id(self, index: int) -> str:
        return "" if self.ids is None else self.ids.at(index)

    def _lines(self, form: Format) -> list[bytes]:
        if not isinstance(form, Numbered):
            return self._share_of(form, form.name)
        if form.base is None:
            return []
        made = self._batches.get(form.base.name) if self.shares is None else None
        lines = self._share_of(form.base, form.name) if made is None else [made.line(i) for i in range(len(self))]
        return [line_with_id(line, self._id(index)) for index, line in enumerate(lines)]

    def _share_of(self, form: Format, name: str) -> list[bytes]:
        """Return the lines in a format of the events that some sink needs in it, empty ones for the others."""
        share = None if self.shares is None else self.shares[name]
        if share is None or len(share) == len(self):
            return self._encode(form, self._records, self._events)
        some = [None if all_ is None else [all_[index] for index in share] for all_ in (self._records, self._events)]
        lines = [b""] * len(self)
        for index, line in zip(share, self._encode(form, *some), strict=True):
            lines[index] = line
        return lines

    @staticmethod
    def _encode(form: Format, records: Sequence[Any] | None, events: list[EventDict] | None) -> list[bytes]:
        return form.encode_events(events or ()) if records is None else form.encode_records(records)


Piece = tuple[Slice, Sequence[int]]
"""Some events of a slice, by index, in order."""


def size_of(pieces: Sequence[Piece]) -> int:
    """Return how many events there are in some pieces."""
    return sum(len(indexes) for _, indexes in pieces)


def has_lines(form: Format | None) -> bool:
    """Tell whether batches in a format have lines."""
    return form is not None and not (isinstance(form, Numbered) and form.base is None)


def join(pieces: Sequence[Piece], form: Format | None) -> Batch:
    """Return one batch of all the pieces, in order."""
    if len(pieces) == 1 and len(pieces[0][1]) == len(pieces[0][0]):
        return pieces[0][0].batch(form)
    lines = [piece.batch(form).line(i) for piece, indexes in pieces for i in indexes] if has_lines(form) else []
    return Batch(
        lines,
        lambda: [piece.batch(form).events[i] for piece, indexes in pieces for i in indexes],
        size_of(pieces),
        lambda: [piece.batch(form).flat[i] for piece, indexes in pieces for i in indexes],
        lambda: [ids[i] for piece, indexes in pieces for ids in (piece.identities(),) for i in indexes],
    )
