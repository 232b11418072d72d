"""A sink is asked again for what may succeed later, and for nothing else."""

from typing import Any

import pytest

from fapilog.delivery.retry import Retry, RetryOptions
from fapilog.errors import CircuitOpenError, ConfigError, RejectedError, SinkError
from fapilog.testing.fakes import FakeClock
from tests.delivery.receivers import Receiver, Sleeper, batch_of

pytestmark = pytest.mark.asyncio


def retrying(receiver: Receiver, **parts: Any) -> tuple[Retry, Sleeper]:
    clock = FakeClock()
    sleeper = Sleeper(clock)
    options = parts.pop("options", RetryOptions(first_seconds=1, max_seconds=8, budget_seconds=100))
    return Retry(receiver, options, clock=clock, sleep=sleeper, share=parts.pop("share", lambda: 1.0), **parts), sleeper


def down(**more: Any) -> SinkError:
    return SinkError("down", retryable=True, **more)


async def test_the_ceiling_doubles_up_to_its_bound() -> None:
    """With a share of one the waits are the ceilings themselves."""
    receiver = Receiver(*[down() for _ in range(6)])
    retry, sleeper = retrying(receiver)

    await retry.write(batch_of(range(3)))

    assert sleeper.waits == [1, 2, 4, 8, 8, 8]
    assert receiver.numbers == [0, 1, 2]
    assert retry.figures == {"retries": 6}


async def test_the_jitter_is_full() -> None:
    """A share of nothing does not wait at all: the whole range below the ceiling is used."""
    retry, sleeper = retrying(Receiver(down(), down()), share=lambda: 0.0)

    await retry.write(batch_of([1]))

    assert sleeper.waits == [0, 0]


async def test_a_receiver_that_asks_for_time_gets_it() -> None:
    """``retry_after`` is waited for, at most five minutes; less than the jitter does not shorten it."""
    retry, sleeper = retrying(
        Receiver(down(retry_after=20), down(retry_after=0.1), down(retry_after=1e9)),
        options=RetryOptions(first_seconds=1, budget_seconds=1000),
    )

    await retry.write(batch_of([1]))

    assert sleeper.waits == [20, 2, 300]


async def test_the_budget_ends_it() -> None:
    """What is left is named, and the error may still be retried by somebody with more patience."""
    retry, sleeper = retrying(Receiver(answer=lambda _: down()))

    with pytest.raises(SinkError) as caught:
        await retry.write(batch_of(range(2)))

    assert sum(sleeper.waits) <= 100
    assert sum(sleeper.waits) > 100 - 8
    assert caught.value.retryable
    assert caught.value.failed_indexes == {0, 1}


async def test_a_budget_of_nothing_tries_once() -> None:
    """``budget_seconds=0`` is a word that can be said."""
    receiver = Receiver(down())
    retry, _ = retrying(receiver, options=RetryOptions(budget_seconds=0))

    with pytest.raises(SinkError):
        await retry.write(batch_of([1]))

    assert receiver.writes == [1]


async def test_an_endless_one_never_gives_up() -> None:
    """Behind a spool a batch waits for as long as it takes."""
    answers = [down() for _ in range(1000)]
    retry, sleeper = retrying(Receiver(*answers), endless=True)

    await retry.write(batch_of([1]))

    assert len(sleeper.waits) == 1000


async def test_only_what_failed_is_sent_again() -> None:
    """Partial success: the places of the parts are told in the whole batch's."""
    receiver = Receiver(down(failed_indexes=[1, 3, 4]), down(failed_indexes=[0, 2]))
    retry, _ = retrying(receiver)

    await retry.write(batch_of(range(5)))

    assert receiver.writes == [5, 3, 2]
    assert receiver.numbers == [0, 2, 3, 1, 4]


async def test_what_is_refused_is_not_sent_again() -> None:
    """Three of ten are to be tried again, one never: it is told at the end, by its place in the whole."""
    receiver = Receiver(down(failed_indexes=[2, 5, 7], rejected={9: "too long"}))
    retry, _ = retrying(receiver)

    with pytest.raises(RejectedError) as caught:
        await retry.write(batch_of(range(10)))

    assert receiver.writes == [10, 3]
    assert sorted(receiver.numbers) == [0, 1, 2, 3, 4, 5, 6, 7, 8]
    assert caught.value.rejected == {9: "too long"}
    assert not caught.value.retryable


async def test_an_error_that_cannot_pass_is_not_retried() -> None:
    """Everything it names is refused."""
    receiver = Receiver(SinkError("no"))
    retry, sleeper = retrying(receiver)

    with pytest.raises(RejectedError) as caught:
        await retry.write(batch_of(range(2)))

    assert sleeper.waits == []
    assert caught.value.rejected == {0: "no", 1: "no"}


async def test_an_open_circuit_is_passed_on_if_somebody_else_may_take_the_batch() -> None:
    """With a fallback nobody waits for the probe."""
    retry, sleeper = retrying(Receiver(CircuitOpenError("open", retryable=True, retry_after=9)), passes_open=True)

    with pytest.raises(CircuitOpenError):
        await retry.write(batch_of([1]))

    assert sleeper.waits == []


async def test_it_says_that_it_is_failing_while_it_is() -> None:
    """``health`` is ``failing`` from the first failure to the next success."""
    seen: list[dict[str, str]] = []
    receiver = Receiver()
    retry, _ = retrying(receiver)
    receiver._answer = lambda _: seen.append(retry.health()) or (down() if len(seen) < 3 else None)  # type: ignore[func-returns-value]

    await retry.write(batch_of([1]))

    assert seen == [{}, {"status": "failing"}, {"status": "failing"}]
    assert retry.health() == {}


@pytest.mark.parametrize(
    "options", [{"first_seconds": 0}, {"first_seconds": 5, "max_seconds": 1}, {"budget_seconds": -1}]
)
async def test_wrong_options_are_refused(options: dict[str, Any]) -> None:
    """The error names the method."""
    with pytest.raises(ConfigError, match="with_retry"):
        RetryOptions(**options)
