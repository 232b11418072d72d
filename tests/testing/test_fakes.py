"""The fakes do what they say, under the real engine."""

import asyncio
import threading

import pytest

from fapilog import _runtime
from fapilog.clock import Clock
from fapilog.delivery.buffer import BatchOptions
from fapilog.diagnostics import Diagnostics
from fapilog.engine.channels import Output
from fapilog.engine.engine import Engine, EngineParts
from fapilog.errors import SinkError
from fapilog.logger.capture import submit
from fapilog.protocols import Sink
from fapilog.testing import (
    AsyncHangingSink,
    FailingSink,
    FakeClock,
    HangingSink,
    RecordingSink,
    SlowSink,
    make_batch,
    make_events,
)


def make_engine(*sinks: Sink, timeout: float = 5.0) -> Engine:
    levels = _runtime.origin("root").queue.levels
    return Engine(
        EngineParts(
            levels,
            0,
            [Output(sink, None) for sink in sinks],
            batch=BatchOptions(max_age_seconds=0.01),
            shutdown_timeout_seconds=timeout,
            diagnostics=Diagnostics(write=lambda _: None),
        )
    )


def log(engine: Engine, *messages: str) -> None:
    for message in messages:
        submit(engine.origin("app"), 20, message, {})


def test_clock_moves_only_when_told() -> None:
    """Both clocks advance together; the wall clock alone can be stepped, also back."""
    clock: Clock = FakeClock(time_ns=5_000_000_000, monotonic=7.0)
    assert isinstance(clock, FakeClock)

    clock.advance(1.5)
    clock.step(-3)

    assert (clock.time_ns(), clock.monotonic()) == (3_500_000_000, 8.5)
    with pytest.raises(ValueError, match="forward"):
        clock.advance(-1)


def test_clock_is_exact_under_threads() -> None:
    """No step of any thread is lost."""
    clock = FakeClock(time_ns=0, monotonic=0.0)

    threads = [threading.Thread(target=lambda: [clock.advance(1) for _ in range(200)]) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert (clock.monotonic(), clock.time_ns()) == (1_600.0, 1_600_000_000_000)


def test_recording_sink_keeps_all() -> None:
    """Events, lines and life cycle are there to be looked at."""
    sink = RecordingSink()
    engine = make_engine(sink)

    log(engine, "a", "b")
    result = engine.drain()

    assert sink.messages == ["a", "b"]
    assert (sink.opened, sink.closed, result.delivered) == (1, 1, 2)


def test_recording_sink_gives_lines() -> None:
    """What was serialised can be read line by line."""
    sink = RecordingSink()

    sink.write(make_batch(make_events(2)))
    sink.write(make_batch(make_events(1, start=2)))

    assert [line.endswith(b'"n":%d}\n' % number) for number, line in enumerate(sink.lines)] == [True] * 3


def test_failing_sink_fails_as_often_as_told() -> None:
    """It raises what it was given, then works; the others get everything."""
    failing = FailingSink(lambda: SinkError("no"), times=1)
    other = RecordingSink()
    engine = make_engine(failing, other)

    log(engine, "a")
    engine.flush()
    log(engine, "b")
    result = engine.drain()

    assert (failing.attempts, failing.messages, other.messages) == (2, ["b"], ["a", "b"])
    assert (result.delivered, result.failed) == (1, 1)


def test_hanging_sink_hangs_until_released() -> None:
    """Its own thread hangs; a drain gives up in time; nothing is left after the release."""
    hanging, other = HangingSink(), RecordingSink("other")
    engine = make_engine(hanging, other, timeout=0.2)

    log(engine, "a")
    assert hanging.entered.wait(5)
    result = engine.drain()
    hanging.release()

    assert result.timed_out
    assert other.messages == ["a"]


def test_asynchronous_hanging_sink() -> None:
    """Its write is awaited until the release; a drain gives up in time."""
    hanging = AsyncHangingSink()
    engine = make_engine(hanging, timeout=0.2)

    log(engine, "a")
    assert hanging.entered.wait(5)
    assert engine.drain().timed_out
    hanging.release()
    log(engine, "b")
    engine.drain(5.0)

    assert hanging.messages[-1] == "b"


@pytest.mark.asyncio
async def test_cancelled_write_is_counted() -> None:
    """A write that is cancelled while it hangs keeps nothing."""
    hanging = AsyncHangingSink()
    task = asyncio.create_task(hanging.write(make_batch(make_events(1))))
    await asyncio.sleep(0)

    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task

    assert (hanging.cancelled, hanging.batches) == (1, [])


def test_slow_sink_takes_the_clock_s_time_not_the_test_s() -> None:
    """An hour passes by the fake clock alone."""
    clock = FakeClock(monotonic=0.0)
    sink = SlowSink(clock, 3_600)

    sink.write(make_batch(make_events(1)))

    assert clock.monotonic() == 3_600
    assert sink.messages == ["event 0"]
