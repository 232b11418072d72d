"""A refused batch is halved until the events to blame are alone."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fapilog.delivery.splitting import Splitting
from fapilog.errors import RejectedError, SinkError
from fapilog.protocols import Batch
from tests.delivery.receivers import Receiver, batch_of


def refusing(*bad: int) -> Receiver:
    def answer(batch: Batch) -> Exception | None:
        return SinkError("bad batch") if any(event["number"] in bad for event in batch.events) else None

    return Receiver(answer=answer)


@pytest.mark.asyncio
async def test_the_bad_event_is_found_and_the_others_arrive_in_order() -> None:
    """One of a hundred: refused with the reason, in about twice log2(100) writes."""
    receiver = refusing(77)
    splitting = Splitting(receiver)

    with pytest.raises(RejectedError) as caught:
        await splitting.write(batch_of(range(100)))

    assert receiver.numbers == [number for number in range(100) if number != 77]
    assert caught.value.rejected == {77: "bad batch"}
    assert len(receiver.writes) < 20
    assert splitting.figures["rejected"] == 1


@pytest.mark.asyncio
async def test_a_batch_that_is_only_too_large_gets_through() -> None:
    """413: nothing is refused in the end."""
    receiver = Receiver(answer=lambda batch: SinkError("too large") if len(batch) > 3 else None)

    await Splitting(receiver).write(batch_of(range(10)))

    assert receiver.numbers == list(range(10))


@pytest.mark.asyncio
async def test_an_error_that_may_pass_ends_the_search() -> None:
    """Everything that was not taken is named: what is left, and what was found to be refused."""
    receiver = refusing(1)

    def answer(batch: Batch) -> Exception | None:
        numbers = [event["number"] for event in batch.events]
        if 6 in numbers and len(numbers) <= 4:
            return SinkError("down", retryable=True, retry_after=3)
        return SinkError("bad batch") if {1, 7} & set(numbers) else None

    receiver._answer = answer

    with pytest.raises(SinkError) as caught:
        await Splitting(receiver).write(batch_of(range(8)))

    assert receiver.numbers == [0, 2, 3]
    assert caught.value.retryable
    assert caught.value.retry_after == 3
    assert caught.value.rejected == {1: "bad batch"}
    assert caught.value.failed_indexes == {1, 4, 5, 6, 7}


@pytest.mark.asyncio
async def test_a_sink_that_names_the_bad_ones_is_not_asked_again() -> None:
    """The others were taken by the same write."""
    receiver = Receiver(SinkError("no", failed_indexes=[2]))

    with pytest.raises(RejectedError) as caught:
        await Splitting(receiver).write(batch_of(range(4)))

    assert receiver.writes == [4]
    assert caught.value.rejected == {2: "no"}


@given(st.integers(1, 60), st.sets(st.integers(0, 59)))
def test_every_event_is_taken_or_refused_once(count: int, bad: set[int]) -> None:
    """The law, whichever events are bad: those alone are refused, the others arrive once, in order."""
    receiver = refusing(*bad)
    refused: set[int] = set()
    work = Splitting(receiver).write(batch_of(range(count)))
    try:
        work.send(None)
    except StopIteration:
        pass
    except RejectedError as error:
        refused = set(error.rejected)

    assert refused == {number for number in bad if number < count}
    assert receiver.numbers == [number for number in range(count) if number not in bad]
    assert len(receiver.writes) <= 2 * count
