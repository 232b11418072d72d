"""What the wrappers share, and what they come to together."""

import asyncio
import threading
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fapilog.delivery.breaker import Breaker, BreakerOptions
from fapilog.delivery.retry import Retry, RetryOptions
from fapilog.delivery.splitting import Splitting
from fapilog.delivery.wrapping import Honest, Plain, Threaded, figures_of, health_of
from fapilog.errors import ConfigError, RejectedError, SinkError
from fapilog.protocols import Batch
from fapilog.testing.fakes import FakeClock
from tests.delivery.receivers import PlainReceiver, Receiver, Sleeper, batch_of


@pytest.mark.asyncio
@pytest.mark.parametrize("error", [ValueError("v"), KeyboardInterrupt(), SystemExit(3)], ids=repr)
async def test_whatever_a_sink_raises_is_a_sink_error(error: BaseException) -> None:
    """Not retryable, about all events, counted under the name of what was raised."""
    with pytest.raises(SinkError) as caught:
        await Honest(Receiver(error)).write(batch_of(range(2)))  # type: ignore[arg-type]

    assert caught.value.reason == type(error).__name__
    assert caught.value.failed_indexes == {0, 1}
    assert not caught.value.retryable


@pytest.mark.asyncio
async def test_a_sink_error_stays_as_it_is() -> None:
    """What the sink says of itself is what the others decide on."""
    error = SinkError("down", retryable=True, retry_after=3)

    with pytest.raises(SinkError) as caught:
        await Honest(Receiver(error)).write(batch_of([1]))

    assert caught.value is error


@pytest.mark.asyncio
@pytest.mark.parametrize(
    ("error", "retryable"),
    [(OSError("no route"), True), (ConfigError("add_x(y): no"), False), (SinkError("wrong password"), False)],
    ids=repr,
)
async def test_an_open_that_fails_tells_whether_trying_again_may_help(error: Exception, retryable: bool) -> None:
    """A configuration error does not pass by itself, a network error does."""
    receiver = Receiver()
    receiver.open_error = error

    with pytest.raises(SinkError) as caught:
        await Honest(receiver).open()

    assert caught.value.retryable == retryable


@pytest.mark.asyncio
async def test_cancelling_a_write_cancels_the_sinks_own_work() -> None:
    """Nothing goes on behind everybody's back."""
    begun, ended = asyncio.Event(), asyncio.Event()

    class Hanging(Receiver):
        async def write(self, batch: Batch) -> None:
            begun.set()
            try:
                await asyncio.Event().wait()
            finally:
                ended.set()

    writing = asyncio.ensure_future(Retry(Splitting(Honest(Hanging())), RetryOptions()).write(batch_of([1])))
    await begun.wait()
    writing.cancel()
    await asyncio.wait({writing})

    assert writing.cancelled()
    await ended.wait()


def test_wrappers_of_a_synchronous_sink_do_their_work_at_once() -> None:
    """``Plain`` needs no event loop, and raises what they raise."""
    receiver = PlainReceiver(None, SinkError("no", retryable=True))
    plain = Plain(Breaker(Honest(receiver, waits=False), BreakerOptions(), FakeClock()))

    assert plain.write(batch_of([1])) is None  # type: ignore[func-returns-value]
    with pytest.raises(SinkError, match="no"):
        plain.write(batch_of([2]))

    assert receiver.numbers == [1]


def test_a_synchronous_sink_that_waits_after_all_is_said_so() -> None:
    """Its events are counted as failed; nothing hangs."""

    class Waits(PlainReceiver):
        def write(self, batch: Batch) -> Any:  # type: ignore[override]
            return asyncio.sleep(0)

    with pytest.raises(SinkError, match="waits for something"):
        Plain(Honest(Waits(), waits=False)).write(batch_of([1]))


def test_figures_and_health_are_those_of_all_layers() -> None:
    """One that fails decides; texts and numbers alone are shown."""
    receiver = Receiver()
    receiver.figures = {"requests": 3, "secret": "x"}  # type: ignore[attr-defined]
    receiver.health = lambda: {"status": "ok", "connected": True, "object": object()}  # type: ignore[attr-defined]
    breaker = Breaker(receiver, BreakerOptions(1), FakeClock())
    breaker.state = "open"
    stack = Retry(breaker, RetryOptions())

    assert figures_of(stack) == {"requests": 3, "circuit_openings": 0, "circuit_refused": 0, "retries": 0}
    assert health_of(stack) == {"status": "failing", "connected": True, "circuit": "open"}


def test_a_health_that_raises_tells_nothing() -> None:
    """The page is shown all the same."""
    receiver = Receiver()
    receiver.health = lambda: 1 // 0  # type: ignore[attr-defined]

    assert health_of(receiver) == {}


_OUTCOMES = st.lists(
    st.tuples(
        st.sampled_from(["ok", "down", "part", "refused", "reject"]), st.sets(st.integers(0, 19)), st.integers(0, 5)
    ),
    max_size=12,
)


@settings(max_examples=300)
@given(st.integers(1, 20), _OUTCOMES, st.sets(st.integers(0, 19), max_size=3))
def test_every_event_ends_once(count: int, outcomes: list[Any], poison: set[int]) -> None:
    """The law of the wrappers together: an honest receiver gets each event once, or it is refused, or named as left."""
    left = list(outcomes)

    def answer(batch: Batch) -> Exception | None:
        if any(event["number"] in poison for event in batch.events):
            return SinkError("poison")
        kind, places, _ = left.pop(0) if left else ("ok", set(), 0)
        named = sorted(place for place in places if place < len(batch))
        if kind == "ok" or (kind in ("part", "reject") and not named):
            return None
        if kind == "down":
            return SinkError("down", retryable=True)
        if kind == "part":
            return SinkError("part", retryable=True, failed_indexes=named)
        if kind == "reject":
            return SinkError("reject", retryable=True, failed_indexes=named, rejected={named[0]: "never"})
        return SinkError("refused") if len(batch) > 1 else None

    receiver = Receiver(answer=answer)
    clock = FakeClock()
    retry = Retry(
        Splitting(Breaker(Honest(receiver), BreakerOptions(2, 1), clock)),
        RetryOptions(first_seconds=1, max_seconds=1, budget_seconds=20),
        clock=clock,
        sleep=Sleeper(clock),
        share=lambda: 1.0,
    )
    refused: set[int] = set()
    unsent: set[int] = set()

    async def write() -> None:
        try:
            await retry.write(batch_of(range(count)))
        except RejectedError as error:
            refused.update(error.rejected)
        except SinkError as error:
            refused.update(error.rejected)
            unsent.update(error.failed_indexes or ())

    asyncio.run(write())

    taken = receiver.numbers
    assert len(taken) == len(set(taken))
    assert set(taken) | refused | unsent == set(range(count))
    assert not set(taken) & (refused | unsent)
    assert {number for number in poison if number < count} <= refused | unsent


@pytest.mark.asyncio
async def test_a_threaded_sink_is_called_by_one_thread_of_its_own() -> None:
    """Its blocking calls hold up no loop, what it raises comes back, and a plain ``open`` and ``close`` work, too."""
    names: list[str] = []

    class Blocking(PlainReceiver):
        def write(self, batch: Batch) -> None:  # type: ignore[override]
            names.append(threading.current_thread().name)
            super().write(batch)

    receiver = Blocking(None, SinkError("busy", retryable=True))
    sink = Threaded(receiver)
    await sink.open()
    await sink.write(batch_of([1]))
    with pytest.raises(SinkError, match="busy"):
        await sink.write(batch_of([2]))
    await sink.close()

    assert names == ["fapilog-receiver"] * 2
    assert (receiver.opened, receiver.closed, receiver.numbers) == (1, 1, [1])


@pytest.mark.asyncio
@pytest.mark.parametrize(
    "nonsense",
    [
        {"failed_indexes": [9999]},
        {"failed_indexes": [-1]},
        {"failed_indexes": ["a", 1]},
        {"failed_indexes": [True]},
        {"rejected": {-5: "x"}, "failed_indexes": [0, 1, 2]},
        {"rejected": {"x": "y"}, "failed_indexes": [0, 1, 2]},
        {"retry_after": "5"},
        {"retry_after": float("nan")},
        {"retry_after": -3},
    ],
    ids=repr,
)
async def test_what_makes_no_sense_in_an_error_is_left_out(nonsense: dict[str, Any]) -> None:
    """It is about all events then: none counts as delivered by mistake, and the next attempt delivers them."""
    receiver = Receiver(None)
    errors = [SinkError("odd", retryable=True, **nonsense)]

    class Odd(Receiver):
        async def write(self, batch: Batch) -> None:
            if errors:
                raise errors.pop()
            await receiver.write(batch)

    clock = FakeClock()
    retry = Retry(Splitting(Honest(Odd())), RetryOptions(), clock=clock, sleep=Sleeper(clock))
    await retry.write(batch_of(range(3)))

    assert receiver.numbers == [0, 1, 2]
