"""How far everything is settled, against a model that looks at every position."""

from hypothesis import given
from hypothesis import strategies as st

from fapilog.engine.journal.frontier import PATIENCE_SECONDS, SIZE_BITS, Frontier


def ticket(start: int, size: int = 8) -> int:
    return start << SIZE_BITS | size


@given(st.data())
def test_the_watermark_is_the_lowest_position_that_is_not_settled(data):
    """Whatever the order in which records arrive, are claimed, are passed over and are settled."""
    sizes = data.draw(st.lists(st.integers(1, 9).map(lambda n: n * 8), min_size=1, max_size=20))
    starts = [sum(sizes[:index]) for index in range(len(sizes))]
    order = data.draw(st.permutations(range(len(sizes))))
    frontier = Frontier(0, 0.0)
    done: set[int] = set()
    open_claims = []
    while order:
        taken, order = order[: (count := data.draw(st.integers(1, 4)))], order[count:]
        if data.draw(st.booleans()):
            open_claims.append((frontier.claim([ticket(starts[i], sizes[i]) for i in taken], 0.0), taken))
        else:
            for index in taken:
                frontier.pass_over(starts[index], starts[index] + sizes[index])
            done.update(taken)
        for claim, its in data.draw(st.lists(st.sampled_from(open_claims), max_size=2)) if open_claims else ():
            claim.settle()
            done.update(its)
        assert frontier.advance(0.0) is None
        missing = [starts[index] for index in range(len(sizes)) if index not in done]
        # A claim is settled as a whole, so that the watermark may be lower, and never higher.
        assert frontier.settled <= min(missing, default=sum(sizes))
    for claim, _ in open_claims:
        claim.settle()
    frontier.advance(0.0)
    assert frontier.settled == sum(sizes)


def test_a_record_that_is_late_is_waited_for():
    """Two threads took positions in one order and reached the queue in the other."""
    frontier = Frontier(0, 0.0)
    frontier.claim([ticket(8)], 0.0).settle()
    assert frontier.advance(PATIENCE_SECONDS) is None
    assert frontier.settled == 0

    frontier.claim([ticket(0)], PATIENCE_SECONDS).settle()
    assert frontier.advance(PATIENCE_SECONDS) is None
    assert frontier.settled == 16


def test_a_record_that_never_comes_is_given_up():
    """A log call was interrupted by an exception; what comes after it must not be kept for ever."""
    frontier = Frontier(0, 0.0)
    frontier.claim([ticket(8), ticket(24)], 100.0).settle()

    assert frontier.advance(100.0 + PATIENCE_SECONDS) is None
    assert frontier.advance(101.0 + PATIENCE_SECONDS) == (0, 8)
    assert frontier.settled == 16
    assert frontier.advance(102.0 + PATIENCE_SECONDS) is None
    assert frontier.advance(102.0 + 2 * PATIENCE_SECONDS) == (16, 24)
    assert frontier.settled == 32


def test_patience_begins_with_the_first_that_overtakes():
    """After an hour without events nothing is given up early."""
    frontier = Frontier(0, 0.0)
    frontier.claim([ticket(0)], 0.0).settle()
    frontier.claim([ticket(16)], 3600.0)

    assert frontier.advance(3601.0) is None


def test_a_slow_sink_is_waited_for_without_end():
    """Only what never reached the worker is given up, not what it has taken."""
    frontier = Frontier(0, 0.0)
    slow = frontier.claim([ticket(0)], 0.0)
    frontier.claim([ticket(8)], 0.0).settle()

    assert frontier.advance(1e6) is None
    assert frontier.settled == 0
    slow.settle()
    frontier.advance(1e6)
    assert frontier.settled == 16


def test_who_comes_after_having_been_given_up_changes_nothing():
    """The watermark never goes back."""
    frontier = Frontier(0, 0.0)
    frontier.claim([ticket(8)], 0.0).settle()
    frontier.advance(2 * PATIENCE_SECONDS)
    frontier.claim([ticket(0)], 0.0)
    frontier.advance(2 * PATIENCE_SECONDS)

    assert frontier.settled == 16


def test_an_empty_claim_holds_nothing_up():
    """A slice of events that were all refused by the journal has no tickets."""
    frontier = Frontier(64, 0.0)
    frontier.claim([], 0.0)
    frontier.claim([ticket(64)], 0.0).settle()
    frontier.advance(0.0)

    assert frontier.settled == 72
