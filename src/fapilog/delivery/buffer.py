"""What waits in front of one sink: pieces of slices, in order, bounded in events and in bytes."""

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass

from fapilog import checks
from fapilog.delivery.slices import Piece, Slice, has_lines, join
from fapilog.errors import ConfigError
from fapilog.levels import ERROR
from fapilog.protocols import Batch, Format
from fapilog.units import parse_duration, parse_size

_RACING_THREADS = 1_000


@dataclass(frozen=True)
class BatchOptions:
    """How much goes to a sink at once. Whole slices to a synchronous sink, at most so much to an asynchronous one.

    Attributes:
        max_events: Events in a batch. Default 500.
        max_bytes: Bytes in a batch; a single larger event goes alone. Default 1 MB.
        max_age_seconds: How long an event may wait for others. Default 0.25.
        max_in_flight: How many batches an asynchronous sink may be given before it has taken the first; above 1, the
            default, a batch may overtake another one.
    """

    max_events: int = 500
    max_bytes: int | str = "1 MB"
    max_age_seconds: float | str = 0.25
    max_in_flight: int = 1

    def __post_init__(self) -> None:
        """Check the values.

        Raises:
            ConfigError: If one cannot be used.
        """
        if isinstance(self.max_events, bool) or not isinstance(self.max_events, int) or self.max_events < 1:
            raise ConfigError.wrong("with_batch(max_events)", self.max_events, "a whole number of at least 1")
        parse_size(self.max_bytes, "with_batch(max_bytes)")
        parse_duration(self.max_age_seconds, "with_batch(max_age_seconds)")
        checks.whole(self.max_in_flight, "with_batch(max_in_flight)", 1)


@dataclass(frozen=True)
class BufferBounds:
    """How much may wait in front of one sink.

    Attributes:
        events: Events of any level.
        reserve: More events of ERROR and above.
        size_bytes: Serialised bytes.
        pressed_events: How many events are so much that callers should wait.
        pressed_bytes: How many bytes are.
    """

    events: int
    reserve: int
    size_bytes: int
    pressed_events: int
    pressed_bytes: int


def bounds_for(capacity: int, reserve: int, max_bytes: int, *, wait: bool) -> BufferBounds:
    """Return the bounds of a sink's buffer behind a queue of these bounds.

    Under drop they are the queue's. When callers wait they are held back at those, and the buffer is larger by what may
    be on its way at that moment: a whole queue as one slice before anybody looked, another one behind it, and a record
    of each thread that was just logging.
    """
    if not wait:
        return BufferBounds(capacity, reserve, max_bytes, capacity, max_bytes)
    on_the_way = 2 * (capacity + reserve) + _RACING_THREADS
    return BufferBounds(capacity + on_the_way, reserve, 3 * max_bytes, capacity, max_bytes)


class Buffer:
    """The events that one sink has not been given yet. Not thread-safe: its channel's lock guards it."""

    def __init__(self, bounds: BufferBounds, form: Format | None) -> None:
        """Start empty."""
        self._bounds = bounds
        self._form = form
        self._lines = has_lines(form)
        self._pieces: deque[tuple[Slice, Sequence[int], int]] = deque()
        self.events = 0
        self.size_bytes = 0

    def offer(self, piece: Slice, indexes: Sequence[int]) -> Sequence[int]:
        """Take what there is room for, errors first in line for the reserve; return the indexes that found none."""
        whole = len(indexes) == len(piece)
        size = piece.batch(self._form).size_bytes if whole else sum(self._size_of(piece, index) for index in indexes)
        room = self._bounds.events - self.events
        if len(indexes) <= room and (not self.events or self.size_bytes + size <= self._bounds.size_bytes):
            self._push(piece, indexes, size)
            return ()
        kept: list[int] = []
        held = 0
        for index in indexes:
            limit = self._bounds.events + (self._bounds.reserve if piece.levels[index] >= ERROR else 0)
            line = self._size_of(piece, index)
            fits = self.size_bytes + held + line <= self._bounds.size_bytes
            if self.events + len(kept) < limit and (fits or self.events + len(kept) == 0):
                kept.append(index)
                held += line
        if kept:
            self._push(piece, kept, held)
        taken = set(kept)
        return [index for index in indexes if index not in taken]

    def next_pieces(self, max_events: int, max_bytes: int) -> list[Piece]:
        """Remove and return the pieces of the next batch, at least one event if there is any."""
        pieces: list[Piece] = []
        events = size = 0
        while self._pieces and events < max_events and (not pieces or size < max_bytes):
            piece, indexes, held = self._pieces.popleft()
            fit, taken = self._fit(piece, indexes, held, max_events - events, max_bytes - size, first=not pieces)
            if fit < len(indexes):
                self._pieces.appendleft((piece, indexes[fit:], held - taken))
            if not fit:
                break
            pieces.append((piece, indexes[:fit]))
            events += fit
            size += taken
            self.events -= fit
            self.size_bytes -= taken
        return pieces

    def pressed(self, *, was: bool) -> bool:
        """Tell whether so much waits that callers should: over the bound to begin, over half of it to go on."""
        share = 0.5 if was else 1.0
        bounds = self._bounds
        return self.events > bounds.pressed_events * share or self.size_bytes > bounds.pressed_bytes * share

    def fill(self) -> float:
        """Return how full it is, by events or bytes, whichever is more; 1 is where callers should wait."""
        bounds = self._bounds
        return max(self.events / bounds.pressed_events, self.size_bytes / bounds.pressed_bytes)

    def join(self, pieces: Sequence[Piece]) -> Batch:
        """Return the pieces as one batch in the sink's format."""
        return join(pieces, self._form)

    def clear(self) -> list[Piece]:
        """Remove and return everything."""
        pieces = [(piece, indexes) for piece, indexes, _ in self._pieces]
        self._pieces.clear()
        self.events = self.size_bytes = 0
        return pieces

    def _fit(
        self, piece: Slice, indexes: Sequence[int], held: int, events: int, size: int, *, first: bool
    ) -> tuple[int, int]:
        """Return how many of the indexes, and bytes, fit in what is left; one event always fits an empty batch."""
        if len(indexes) <= events and held <= size:
            return len(indexes), held
        fit = used = 0
        for index in indexes[:events]:
            line = self._size_of(piece, index)
            if used + line > size and not (first and fit == 0):
                break
            used += line
            fit += 1
        return fit, used

    def _size_of(self, piece: Slice, index: int) -> int:
        return len(piece.batch(self._form).line(index)) if self._lines else 0

    def _push(self, piece: Slice, indexes: Sequence[int], size: int) -> None:
        self._pieces.append((piece, indexes, size))
        self.events += len(indexes)
        self.size_bytes += size
