"""KafkaSink and what goes wrong: brokers that are gone, refuse, hang; events that are too large; cancelled writes."""

import asyncio

import pytest

from fapilog.errors import SinkError
from tests.sinks.kafka.support import batch_of_events, events_batch, opened

pytestmark = pytest.mark.requires_service("the mock cluster of librdkafka", module="confluent_kafka")
_TOO_LARGE, _TOPIC_AUTHORIZATION_FAILED, _NOT_ENOUGH_REPLICAS, _INVALID_RECORD = 10, 29, 19, 87
_OUT_OF_ORDER = 45
DEADLINE_SECONDS = 20.0


async def _refused(sink, batch):
    """Return the error of a write."""
    with pytest.raises(SinkError) as caught:
        await sink.write(batch)
    return caught.value


async def _until_taken(sink, batch):
    """Write a batch until it is taken: a client needs a moment to find brokers again that were gone or refused."""
    async with asyncio.timeout(DEADLINE_SECONDS):
        while True:
            try:
                await sink.write(batch)
            except SinkError:
                await asyncio.sleep(0.02)
            else:
                return


@pytest.mark.asyncio
async def test_what_was_acknowledged_survives_a_restart(server):
    """While the brokers are gone a batch is refused for later; when they are back it goes on where it was."""
    async with opened(server.servers, timeout="1s") as sink:
        await sink.write(events_batch(100))
        server.kill()
        error = await _refused(sink, events_batch(100, start=100))
        assert sink.health()["status"] == "failing"
        server.start()
        await _until_taken(sink, events_batch(100, start=100))
        assert sink.health()["status"] == "ok"

    assert (error.retryable, error.failed_indexes, error.rejected) == (True, None, {})
    assert [event["sequence"] for event in server.received()] == list(range(200))


@pytest.mark.asyncio
async def test_brokers_that_are_back_in_time_are_no_failure(server):
    """A short absence is bridged by the producer itself: everything is there once, and in order."""
    async with opened(server.servers) as sink:
        await sink.write(events_batch(100))
        server.kill()
        task = asyncio.create_task(sink.write(events_batch(100, start=100)))
        await asyncio.sleep(0)
        server.start()
        await task

    assert [event["sequence"] for event in server.received()] == list(range(200))
    assert sink.figures["producers"] == 1


@pytest.mark.asyncio
async def test_nothing_is_delivered_after_it_was_given_up(server):
    """What was not acknowledged in time is purged: brokers that come back later get only what is sent again."""
    async with opened(server.servers, timeout="1s") as sink:
        await sink.write(events_batch(1))
        server.kill()
        await _refused(sink, events_batch(50, start=1))
        server.start()
        await _until_taken(sink, events_batch(1, start=51))

    assert [event["sequence"] for event in server.received()] == [0, 51]
    assert sink.figures["producers"] == 1


@pytest.mark.asyncio
async def test_brokers_that_hang_are_given_up(server):
    """Brokers that answer after the timeout end the write in time, and the next one is taken.

    By a new producer if we gave up first, by the same one if librdkafka did: both have the same time.
    """
    async with opened(server.servers, timeout="1s") as sink:
        await sink.write(events_batch(1))
        server.slow(3000)
        error = await _refused(sink, events_batch(5, start=1))
        server.slow(0)
        await _until_taken(sink, events_batch(1, start=6))

    assert error.retryable
    assert "did not acknowledge in time" in str(error)


@pytest.mark.asyncio
async def test_a_cancelled_write_is_purged(server):
    """Cancelled while the brokers are gone, a batch is not delivered behind the back of the next one."""
    async with opened(server.servers) as sink:
        await sink.write(events_batch(1))
        server.kill()
        task = asyncio.create_task(sink.write(events_batch(50, start=1)))
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        server.start()
        await sink.write(events_batch(1, start=51))

    assert [event["sequence"] for event in server.received()] == [0, 51]


@pytest.mark.asyncio
async def test_a_write_that_is_cancelled_while_it_waits_sends_nothing(server):
    """Cancelled behind another call that still runs in the thread, a batch is never produced."""
    async with opened(server.servers) as sink:
        await sink.write(events_batch(1))
        server.slow(300)
        for start in (100, 200):
            task = asyncio.create_task(sink.write(events_batch(10, start=start)))
            await asyncio.sleep(0)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
        server.slow(0)
        await _until_taken(sink, events_batch(1, start=1))

    assert not {event["sequence"] for event in server.received()} & set(range(200, 210))


@pytest.mark.asyncio
async def test_an_event_that_is_too_large_is_named(server):
    """What the producer itself finds too large is rejected for good; the rest is there, in order."""
    events = [{"message": "m", "event_id": str(number), "sequence": number} for number in range(10)]
    events[4]["message"] = "x" * 1_100_000
    async with opened(server.servers) as sink:
        error = await _refused(sink, batch_of_events(events))
        assert sink.health()["status"] == "ok"

    assert (error.retryable, set(error.rejected), error.failed_indexes) == (False, {4}, {4})
    assert "never take 1 events: 1 larger than" in str(error)
    assert {"rejected": 1, "events": 9, "failed": 0}.items() <= sink.figures.items()
    assert [event["sequence"] for event in server.received()] == [0, 1, 2, 3, 5, 6, 7, 8, 9]


@pytest.mark.asyncio
@pytest.mark.parametrize("code", [_TOO_LARGE, _INVALID_RECORD])
async def test_what_a_broker_says_of_many_is_found_out_of_each(server, code):
    """A broker refuses all messages that came together for one of them: each is sent alone, and none is rejected."""
    async with opened(server.servers) as sink:
        await sink.write(events_batch(1))
        server.fail(code)
        await sink.write(events_batch(20, start=1))

    assert [event["sequence"] for event in server.received()] == list(range(21))


@pytest.mark.asyncio
async def test_an_event_that_the_broker_finds_too_large_is_named(server):
    """Refused also when it is alone, an event is rejected with the reason."""
    async with opened(server.servers) as sink:
        await sink.write(events_batch(1))
        server.fail(_TOO_LARGE, times=2)
        error = await _refused(sink, events_batch(5, start=1))

    assert (error.retryable, set(error.rejected)) == (False, {0})
    assert [event["sequence"] for event in server.received()] == [0, 2, 3, 4, 5]


@pytest.mark.asyncio
async def test_events_wait_for_a_permission(server):
    """A permission that was taken away is not the events' fault: they wait half a minute between tries."""
    async with opened(server.servers) as sink:
        await sink.write(events_batch(1))
        server.fail(_TOPIC_AUTHORIZATION_FAILED)
        error = await _refused(sink, events_batch(5, start=1))
        await _until_taken(sink, events_batch(5, start=1))

    assert (error.retryable, error.retry_after, error.rejected) == (True, 30, {})
    assert "does not permit this user" in str(error)
    assert [event["sequence"] for event in server.received()] == list(range(6))


@pytest.mark.asyncio
async def test_what_passes_by_itself_is_bridged(server):
    """Too few replicas for a moment: the producer tries again, and everything is there once."""
    async with opened(server.servers) as sink:
        await sink.write(events_batch(1))
        server.fail(_NOT_ENOUGH_REPLICAS, times=3)
        await sink.write(events_batch(5, start=1))

    assert [event["sequence"] for event in server.received()] == list(range(6))


@pytest.mark.asyncio
async def test_a_producer_that_failed_for_good_is_replaced(server):
    """A fatal error of the idempotent producer costs one try: the next one has a new producer."""
    async with opened(server.servers) as sink:
        await sink.write(events_batch(1))
        server.fail(_OUT_OF_ORDER)
        error = await _refused(sink, events_batch(5, start=1))
        await sink.write(events_batch(5, start=1))

    assert (error.retryable, error.rejected) == (True, {})
    assert [event["sequence"] for event in server.received()] == list(range(6))
    assert sink.figures["producers"] == 2


@pytest.mark.asyncio
async def test_what_failed_in_part_is_named(server):
    """Where one partition's broker refuses, only the events that lie there are named, and the others are there."""
    events = [{"message": "m", "request_id": f"r-{n}", "event_id": str(n), "sequence": n} for n in range(40)]
    async with opened(server.servers) as sink:
        await sink.write(batch_of_events([{"message": "m", "sequence": -1}]))
        server.fail(_TOPIC_AUTHORIZATION_FAILED)
        error = await _refused(sink, batch_of_events(events))
        there = {event["sequence"] for event in server.received()} - {-1}
        await _until_taken(sink, batch_of_events([events[index] for index in sorted(error.failed_indexes)]))

    assert error.retryable
    assert 0 < len(error.failed_indexes) < 40
    assert set(error.failed_indexes) == set(range(40)) - there
    assert sorted(event["sequence"] for event in server.received()) == [-1, *range(40)]


@pytest.mark.asyncio
async def test_a_full_local_queue_is_waited_for(server):
    """A batch that is larger than librdkafka's own queue goes through all the same."""
    async with opened(server.servers, config={"queue.buffering.max.messages": "10"}) as sink:
        await sink.write(events_batch(100))

    assert [event["sequence"] for event in server.received()] == list(range(100))
