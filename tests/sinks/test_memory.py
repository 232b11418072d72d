"""MemorySink: bounded, counted, readable at any time."""

import asyncio
import threading

import pytest

from fapilog.errors import ConfigError
from fapilog.protocols import Batch
from fapilog.sinks.memory import MemorySink
from fapilog.testing.contracts import SINK_CHECKS, SinkTarget
from tests.sinks.support import opened


def _batch(*numbers: int) -> Batch:
    return Batch([], lambda: [{"n": number} for number in numbers], len(numbers))


@pytest.mark.parametrize("check", SINK_CHECKS, ids=lambda check: check.__name__)
@pytest.mark.asyncio
async def test_contract(check):
    """A memory sink is a sink."""
    await check(SinkTarget(MemorySink))


def test_keeps_the_last_events_and_counts_those_that_left():
    """Never more than ``max_events`` are kept, the newest of all batches, and every other is counted."""
    with opened(MemorySink(max_events=3)) as sink:
        sink.write(_batch(1, 2))
        assert (sink.events, sink.evicted) == ([{"n": 1}, {"n": 2}], 0)
        sink.write(_batch(3, 4))
        assert (sink.events, sink.evicted) == ([{"n": 2}, {"n": 3}, {"n": 4}], 1)
        sink.write(_batch(*range(5, 15)))
        assert (sink.events, sink.evicted) == ([{"n": 12}, {"n": 13}, {"n": 14}], 11)


def test_clear_forgets_and_counts_nothing():
    """What a test clears has not been evicted."""
    with opened(MemorySink()) as sink:
        sink.write(_batch(1))
        sink.clear()

        assert (sink.events, sink.evicted) == ([], 0)


def test_events_stay_over_close_and_open():
    """A drained engine closes its sinks; what they hold can still be read."""
    sink = MemorySink()
    with opened(sink):
        sink.write(_batch(1))
    with opened(sink):
        sink.write(_batch(2))

    assert sink.events == [{"n": 1}, {"n": 2}]


def test_what_is_read_is_the_readers():
    """Changing a kept event changes nothing that other sinks were given."""
    events = [{"n": 1}]
    with opened(MemorySink()) as sink:
        sink.write(Batch([], lambda: events, 1))
        sink.events[0]["n"] = 2
        sink.events.clear()

    assert events == [{"n": 1}]
    assert len(sink.events) == 1


def test_several_threads_write_and_read():
    """Nothing is lost or counted twice between threads."""
    sink = MemorySink(max_events=50)
    start = threading.Barrier(5)

    def work():
        start.wait()
        for number in range(500):
            sink.write(_batch(number))
            assert len(sink.events) <= 50

    threads = [threading.Thread(target=work) for _ in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(sink.events) + sink.evicted == 2500


def test_open_frees_a_lock_that_a_fork_left_held():
    """In a forked child the lock may be held by a thread that does not exist there."""
    sink = MemorySink()
    sink._lock.acquire()
    asyncio.run(sink.open())

    sink.write(_batch(1))

    assert sink.events == [{"n": 1}]


@pytest.mark.parametrize("given", [0, -1, 1.5, "10", None, True])
def test_a_wrong_bound_is_refused(given):
    """The error says what was given and what is allowed."""
    with pytest.raises(ConfigError, match=r"max_events.*above zero"):
        MemorySink(max_events=given)
