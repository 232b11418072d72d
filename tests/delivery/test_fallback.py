"""What a sink could not deliver goes to another one."""

import asyncio
from typing import Any

import pytest

from fapilog.delivery.fallback import Fallback, FallbackOptions, Late, Target
from fapilog.delivery.wrapping import Honest, Plain, health_of
from fapilog.errors import CircuitOpenError, ConfigError, SinkError
from fapilog.levels import LevelTable
from fapilog.protocols import Batch
from fapilog.serializers.logfmt import LogfmtFormat
from fapilog.testing.fakes import FakeClock, RecordingSink
from tests.delivery.receivers import PlainReceiver, Receiver, batch_of


def falling_back(receiver: Receiver, other: Any, form: Any = None, **parts: Any) -> Fallback:
    parts = {"here": False, "takes_rejected": True, "clock": FakeClock(), **parts}
    return Fallback(Honest(receiver), Target(other, form), **parts)


@pytest.mark.asyncio
async def test_only_what_was_not_taken_falls_back() -> None:
    """In order, counted; the write counts as done."""
    other = PlainReceiver(name="other")
    fallback = falling_back(Receiver(SinkError("down", retryable=True, failed_indexes=[1, 3])), other)
    await fallback.open()

    await fallback.write(batch_of(range(5)))
    await fallback.close()

    assert other.numbers == [1, 3]
    assert other.opened == other.closed == 1
    assert fallback.figures == {"fell_back": 2}


@pytest.mark.asyncio
async def test_the_other_sink_gets_its_own_format() -> None:
    """The events are serialised anew; what was redacted stays so."""
    other = RecordingSink("other", "logfmt")
    fallback = falling_back(Receiver(SinkError("down")), other, LogfmtFormat(LevelTable(), {}))
    await fallback.open()

    await fallback.write(batch_of([7]))
    await fallback.close()

    assert b"number=7" in other.lines[0]


@pytest.mark.asyncio
async def test_what_a_file_keeps_does_not_fall_back() -> None:
    """With dead letters the refused event stays refused; the others go on."""
    error = SinkError("x", retryable=True, failed_indexes=[0, 1], rejected={0: "bad"})
    other = PlainReceiver(name="other")
    fallback = falling_back(Receiver(error), other, takes_rejected=False)
    await fallback.open()

    with pytest.raises(SinkError) as caught:
        await fallback.write(batch_of(range(3)))
    await fallback.close()

    assert other.numbers == [1]
    assert caught.value.failed_indexes == {0}


@pytest.mark.asyncio
async def test_what_neither_takes_has_failed() -> None:
    """The error names both reasons and every event."""
    fallback = falling_back(
        Receiver(SinkError("down")), PlainReceiver(SinkError("full", failed_indexes=[1]), name="other")
    )
    await fallback.open()

    with pytest.raises(SinkError, match=r"down; and the fallback other: full") as caught:
        await fallback.write(batch_of(range(3)))
    await fallback.close()

    assert caught.value.failed_indexes == {1}


@pytest.mark.asyncio
async def test_a_sink_that_cannot_be_opened_falls_back_and_is_tried_again() -> None:
    """At most once a second; then it gets the events itself."""
    clock = FakeClock()
    receiver, other = Receiver(), PlainReceiver(name="other")
    receiver.open_error = SinkError("no network", retryable=True)
    said: list[str] = []
    fallback = falling_back(receiver, other, clock=clock, say=said.append)
    await fallback.open()

    await fallback.write(batch_of([1]))
    receiver.open_error = None
    await fallback.write(batch_of([2]))
    clock.advance(1)
    await fallback.write(batch_of([3]))
    await fallback.close()

    assert other.numbers == [1, 2]
    assert receiver.numbers == [3]
    assert said == ["cannot be opened, events go to other: no network"]


@pytest.mark.asyncio
async def test_a_sink_whose_events_fall_back_is_failing() -> None:
    """Although they count as delivered; with the cause, not that a breaker is open; until it takes something again."""
    answers = [ValueError("disk"), CircuitOpenError("open"), SinkError("x", failed_indexes=[0]), SinkError("y"), None]
    fallback = falling_back(Receiver(*answers), PlainReceiver(name="other"))
    await fallback.open()
    told = []
    for _ in answers:
        await fallback.write(batch_of(range(2)))
        told.append(health_of(fallback))
    await fallback.close()

    failing = {"status": "failing", "last_error": "ValueError: disk"}
    assert told == [failing, failing, {}, {"status": "failing", "last_error": "y"}, {}]


@pytest.mark.asyncio
async def test_a_sink_that_is_not_open_is_failing() -> None:
    """With the cause, before an event has come and after; until it is open."""
    receiver = Receiver()
    receiver.open_error = OSError("no network")
    fallback = falling_back(receiver, PlainReceiver(name="other"))
    await fallback.open()

    failing = {"status": "failing", "last_error": "OSError: no network"}
    assert health_of(fallback) == failing
    await fallback.write(batch_of([1]))
    assert health_of(fallback) == failing
    receiver.open_error = None
    await fallback.open()
    assert health_of(fallback) == {}
    await fallback.close()


@pytest.mark.asyncio
async def test_an_asynchronous_sink_can_be_the_other_one() -> None:
    """It is written to on the same loop."""
    other = Receiver(name="other")
    fallback = falling_back(Receiver(SinkError("down")), other)
    await fallback.open()

    await fallback.write(batch_of([1]))
    await fallback.close()

    assert other.numbers == [1]


def test_a_synchronous_sink_falls_back_at_once() -> None:
    """Without a loop and without a thread."""
    other = PlainReceiver(name="other")
    plain = Plain(falling_back(PlainReceiver(SinkError("closed")), other, here=True))
    plain.inner._opened = True  # type: ignore[attr-defined]

    plain.write(batch_of([1]))

    assert other.numbers == [1]


@pytest.mark.asyncio
async def test_a_late_sink_is_made_when_it_is_needed() -> None:
    """Before that there is not even its directory; one that cannot be made fails with its own words."""
    made: list[PlainReceiver] = []

    def make() -> PlainReceiver:
        made.append(PlainReceiver(name="late"))
        return made[-1]

    fallback = falling_back(Receiver(None, SinkError("down")), Late("late", make))
    await fallback.open()
    await fallback.write(batch_of([1]))
    assert made == []
    await fallback.write(batch_of([2]))
    await fallback.close()

    assert made[0].numbers == [2]


@pytest.mark.asyncio
async def test_a_late_sink_that_cannot_be_made_is_no_worse_than_none() -> None:
    """The events have failed, with both reasons."""

    def make() -> Any:
        raise ConfigError("add_file(path): no")

    fallback = falling_back(Receiver(SinkError("down")), Late("late", make))
    await fallback.open()

    with pytest.raises(SinkError, match="down; and the fallback late: add_file"):
        await fallback.write(batch_of([1]))
    await fallback.close()


@pytest.mark.asyncio
async def test_several_sinks_share_one_other_sink() -> None:
    """It is opened once, and gets one batch at a time, in whatever tasks they write."""

    class Busy(Receiver):
        busy = most = 0

        async def write(self, batch: Batch) -> None:
            self.busy += 1
            self.most = max(self.most, self.busy)
            await asyncio.sleep(0)
            self.busy -= 1
            await super().write(batch)

    other = Busy(name="other")
    target = Target(other, None)
    sinks = [
        Fallback(Honest(Receiver(SinkError("down"), name=f"s{number}")), target, here=False, takes_rejected=True)
        for number in range(5)
    ]
    await asyncio.gather(*(sink.open() for sink in sinks))
    await asyncio.gather(*(sink.write(batch_of([number])) for number, sink in enumerate(sinks)))
    for sink in sinks:
        await sink.close()

    assert (other.opened, other.closed, other.most) == (1, 1, 1)
    assert sorted(other.numbers) == list(range(5))


@pytest.mark.asyncio
async def test_refused_events_that_the_other_sink_takes_are_delivered() -> None:
    """Only what neither has taken is named, with its reason."""
    refused = SinkError("no", failed_indexes=range(5), rejected=dict.fromkeys(range(5), "no"))
    other = PlainReceiver(SinkError("one", failed_indexes=[2]), name="other")
    fallback = falling_back(Receiver(refused), other)
    await fallback.open()

    with pytest.raises(SinkError) as caught:
        await fallback.write(batch_of(range(5)))
    await fallback.close()

    assert other.numbers == [0, 1, 3, 4]
    assert caught.value.failed_indexes == {2}
    assert fallback.figures == {"fell_back": 4}


def test_a_synchronous_sink_whose_open_waits_is_opened_all_the_same() -> None:
    """On a loop of its own, in the thread that writes."""

    class Waiting(PlainReceiver):
        async def open(self) -> None:
            await asyncio.sleep(0)
            await super().open()

    receiver = Waiting()
    other = PlainReceiver(name="other")
    plain = Plain(Fallback(Honest(receiver, waits=False), Target(other, None), here=True, takes_rejected=True))

    plain.write(batch_of([1]))

    assert receiver.numbers == [1]
    assert other.numbers == []


@pytest.mark.parametrize("to", ["", None, 3])
def test_a_wrong_name_is_refused(to: Any) -> None:
    """The error names the method."""
    with pytest.raises(ConfigError, match="with_fallback"):
        FallbackOptions(to)


def test_a_slash_makes_a_file_of_it() -> None:
    """Names of sinks have none."""
    assert FallbackOptions("logs/x.log").path == "logs/x.log"
    assert FallbackOptions("errors").path is None
