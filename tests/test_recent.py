"""The ring of the last events."""

from collections.abc import Sequence

from hypothesis import given
from hypothesis import strategies as st

from fapilog.levels import ERROR, INFO
from fapilog.protocols import Batch
from fapilog.recent import ERRORS_SHARE, Chunk, Recent


def batch(*texts: str) -> Batch:
    """Return a batch of lines."""
    return Batch([text.encode() + b"\n" for text in texts], list)


def take(recent: Recent, *texts: str, level: int = INFO) -> None:
    """Have the ring take lines of one level."""
    recent.take(batch(*texts), [level] * len(texts))


def numbered(chunks: Sequence[Chunk]) -> dict[int, str]:
    """Return the lines by their numbers."""
    return {
        chunk.first + place: line.decode() for chunk in chunks for place, line in enumerate(chunk.data.splitlines())
    }


def test_it_numbers_what_comes_from_one_on() -> None:
    """Numbers are given in order, without a gap, across batches."""
    recent = Recent(1000)
    take(recent, "a", "b")
    take(recent)
    take(recent, "c")

    assert numbered(recent.chunks()) == {1: "a", 2: "b", 3: "c"}
    assert (recent.start, recent.end) == (1, 4)


def test_the_oldest_leave_first_and_a_reader_learns_how_many_it_has_missed() -> None:
    """The ring stays within its bytes, and says what is not there any more."""
    recent = Recent(8)
    for text in "abcdefgh":
        take(recent, text)

    lost, chunks = recent.since(2)

    assert recent.describe() == {"events": 4, "bytes": 8, "max_bytes": 8, "oldest_number": 5}
    assert (lost, numbered(chunks)) == (3, {5: "e", 6: "f", 7: "g", 8: "h"})


def test_one_event_larger_than_the_ring_is_kept_alone() -> None:
    """It is not lost for being large."""
    recent = Recent(10)
    take(recent, "a")
    take(recent, "x" * 100)

    assert numbered(recent.chunks()) == {2: "x" * 100}


def test_a_large_batch_is_bounded_as_many_small_ones_are() -> None:
    """The worker may bring five hundred large events at a time: neither do they all stay, nor do they all leave."""
    recent = Recent(80)
    take(recent, *["x" * 9] * 20, "y" * 100, *["z" * 9] * 6)
    assert recent.describe() == {"events": 6, "bytes": 60, "max_bytes": 80, "oldest_number": 22}

    take(recent, *"abcdefghijk")
    assert recent.describe() == {"events": 16, "bytes": 72, "max_bytes": 80, "oldest_number": 23}
    assert numbered(recent.chunks())[22 + 6] == "a"


@given(st.lists(st.integers(1, 40), min_size=1, max_size=60), st.integers(1, 400))
def test_a_batch_in_pieces_is_the_same_events(sizes: list[int], max_bytes: int) -> None:
    """Numbers and lines stay together, and what is kept fits, or is one event."""
    recent = Recent(max_bytes)
    texts = [f"{number}".ljust(size, ".") for number, size in enumerate(sizes, 1)]
    take(recent, *texts)

    kept = numbered(recent.chunks())
    assert kept == dict(list(enumerate(texts, 1))[-len(kept) :])
    assert recent.end == len(texts) + 1
    assert len(kept) == 1 or sum(len(text) + 1 for text in kept.values()) <= max_bytes


def test_chatter_does_not_push_errors_out() -> None:
    """What is grave has a place of its own, which is bounded, too."""
    recent = Recent(8 * ERRORS_SHARE)
    take(recent, "bad", level=ERROR)
    for number in range(1000):
        take(recent, f"chatter {number}")
    assert recent.errors() == [(1, b"bad\n")]

    take(recent, "worse", level=ERROR)
    assert recent.errors() == [(1002, b"worse\n")]


def test_a_fork_begins_under_another_name() -> None:
    """Numbers of the parent mean nothing in the child."""
    recent = Recent(100)
    take(recent, "a")
    before = recent.boot
    recent.reset()

    assert recent.boot != before
    assert (recent.start, recent.end, recent.chunks(), recent.errors()) == (1, 1, [], [])


@given(
    batches=st.lists(st.lists(st.text("abc", min_size=1, max_size=5), min_size=1, max_size=4), max_size=30),
    max_bytes=st.integers(1, 60),
    step=st.integers(1, 40),
)
def test_a_reader_that_asks_again_and_again_sees_all_that_is_kept_once_in_order(
    batches: list[list[str]], max_bytes: int, step: int
) -> None:
    """Whatever comes between: each event is read once, or counted as missed."""
    recent = Recent(max_bytes)
    cursor, seen, missed = 1, [], 0
    texts = [text for each in batches for text in each]
    for place, each in enumerate(batches):
        take(recent, *each)
        if place % 3 == 2:
            lost, chunks = recent.since(cursor, step)
            found = numbered(chunks)
            assert list(found) == list(range(cursor + lost, cursor + lost + len(found)))
            missed += lost
            seen += found.values()
            cursor += lost + len(found)
    while cursor < recent.end:
        lost, chunks = recent.since(cursor, step)
        missed += lost
        seen += numbered(chunks).values()
        cursor += lost + sum(chunk.count for chunk in chunks)

    assert missed + len(seen) == len(texts)
    if not missed:
        assert seen == texts
