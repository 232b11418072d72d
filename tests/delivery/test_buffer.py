"""What waits in front of a sink: in order, bounded, and nothing lost without being named."""

from collections.abc import Sequence

from hypothesis import given, settings
from hypothesis import strategies as st

from fapilog.delivery.buffer import Buffer, BufferBounds, bounds_for
from fapilog.delivery.slices import Piece, Slice
from fapilog.event import EventDict
from fapilog.levels import LevelTable
from fapilog.serializers.json import JsonFormat

FORM = JsonFormat(LevelTable(), {})


def slice_of(levels: list[int], first: int, text: str = "") -> Slice:
    events: list[EventDict] = [{"n": first + i, "t": text} for i in range(len(levels))]
    return Slice(None, events, levels, lambda _: [])


def offered(buffer: Buffer, piece: Slice) -> Sequence[int]:
    return buffer.offer(piece, range(len(piece)))


def numbers(pieces: list[Piece]) -> list[int]:
    return [piece.events()[index]["n"] for piece, indexes in pieces for index in indexes]


@given(
    st.lists(st.lists(st.sampled_from([20, 40]), min_size=1, max_size=12), max_size=8),
    st.integers(1, 30),
    st.integers(0, 10),
    st.integers(1, 7),
    st.integers(1, 200),
    st.integers(20, 2_000),
)
@settings(deadline=None, max_examples=150)
def test_a_buffer_conserves_events_in_order(
    slices: list[list[int]], events: int, reserve: int, batch: int, batch_bytes: int, size: int
) -> None:
    """What is offered is refused by index or comes out once, in order; bounds hold; nothing is left."""
    buffer = Buffer(BufferBounds(events, reserve, size, events, size), FORM)
    first, refused, taken = 0, [], []
    for levels in slices:
        piece = slice_of(levels, first)
        gone = offered(buffer, piece)
        refused += [first + index for index in gone]
        first += len(levels)
        assert buffer.events <= events + reserve
        if first % 3 == 0:
            taken += numbers(buffer.next_pieces(batch, batch_bytes))
    while pieces := buffer.next_pieces(batch, batch_bytes):
        joined = buffer.join(pieces)
        assert len(joined) <= batch
        assert joined.size_bytes <= batch_bytes or len(joined) == 1
        assert joined.lines.count(b"\n") == len(joined) == len(joined.events)
        taken += numbers(pieces)
    assert taken == sorted(taken)
    assert sorted(taken + refused) == list(range(first))
    assert (buffer.events, buffer.size_bytes) == (0, 0)


def test_errors_are_the_last_to_be_refused() -> None:
    """The reserve is for ERROR and above."""
    buffer = Buffer(bounds_for(3, 2, 10_000, wait=False), FORM)
    refused = offered(buffer, slice_of([20, 20, 20, 20, 40, 20, 40, 40], 0))
    assert refused == [3, 5, 7]


def test_pressure_has_hysteresis() -> None:
    """It begins over the bound and ends at half of it."""
    buffer = Buffer(bounds_for(10, 0, 10**6, wait=True), FORM)
    offered(buffer, slice_of([20] * 10, 0))
    assert not buffer.pressed(was=False)
    offered(buffer, slice_of([20], 10))
    assert buffer.pressed(was=False)
    buffer.next_pieces(5, 10**6)
    assert buffer.pressed(was=True)
    buffer.next_pieces(1, 10**6)
    assert not buffer.pressed(was=True)


def test_clearing_returns_what_was_not_taken() -> None:
    """So that it can be counted."""
    buffer = Buffer(bounds_for(10, 0, 10**6, wait=False), FORM)
    offered(buffer, slice_of([20] * 8, 0))
    buffer.next_pieces(3, 10**6)
    assert numbers(buffer.clear()) == [3, 4, 5, 6, 7]
    assert not buffer.next_pieces(3, 10**6)
