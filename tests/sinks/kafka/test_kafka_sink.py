"""KafkaSink with librdkafka's mock cluster: what arrives and where, what open finds out, forks, silence."""

import asyncio
import socket

import pytest

from fapilog.errors import SinkError
from fapilog.sinks.kafka.options import KafkaOptions
from fapilog.sinks.kafka.sink import KafkaSink
from tests.services.kafka import KafkaServer
from tests.sinks.kafka.support import batch_of_events, events_batch, opened
from tests.sinks.support import run_program

pytestmark = pytest.mark.requires_service("the mock cluster of librdkafka", module="confluent_kafka")
SECRET = "canary-sesame"


async def _refused(servers, **options):
    """Return the error of an open."""
    with pytest.raises(SinkError) as caught:
        async with opened(servers, **options):
            pass
    assert SECRET not in str(caught.value)
    return caught.value


@pytest.fixture
def closed_port():
    """Return the address of a port where nobody listens."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        yield f"127.0.0.1:{free.getsockname()[1]}"


@pytest.mark.asyncio
async def test_events_arrive_as_they_were_written(server):
    """Every event is a message: its line, its key, and in headers what a consumer chooses by."""
    async with opened(server.servers) as sink:
        await sink.write(events_batch(1, request_id="r-ä", trace_id="t" * 32))
        await sink.write(events_batch(2, start=1))

    first, second, third = sorted(server.messages(), key=lambda message: message["headers"]["event_id"])
    assert first["value"].startswith('{"level": "INFO", "logger": "shop",')
    assert first["value"].endswith("}")
    assert (first["key"], second["key"]) == ("r-ä", "shop")
    assert second["headers"] == {"event_id": "id-1", "level": "INFO", "content-type": "application/json"}
    assert (third["partition"], third["offset"]) == (second["partition"], second["offset"] + 1)
    assert dict(sink.figures) == {"batches": 2, "events": 3, "failed": 0, "rejected": 0, "producers": 1}
    assert sink.health()["status"] == "closed"


@pytest.mark.asyncio
async def test_one_request_is_in_order_in_one_partition(server):
    """Events of many requests are spread over the partitions, those of one request are in one, in order."""
    events = [
        {"message": "m", "request_id": f"r-{number % 20}", "event_id": str(number), "sequence": number}
        for number in range(2000)
    ]
    async with opened(server.servers) as sink:
        for start in range(0, 2000, 400):
            await sink.write(batch_of_events(events[start : start + 400]))

    messages, found = server.messages(), server.received()
    assert len(found) == 2000
    assert len({message["partition"] for message in messages}) > 1
    for request in {event["request_id"] for event in events}:
        own = [index for index, event in enumerate(found) if event["request_id"] == request]
        assert len({messages[index]["partition"] for index in own}) == 1
        assert [found[index]["sequence"] for index in own] == [
            e["sequence"] for e in events if e["request_id"] == request
        ]


@pytest.mark.asyncio
@pytest.mark.parametrize(
    ("key", "expected"),
    [
        ("request", ["r", "r", "t", "shop", None]),
        ("trace", ["t", "r", "t", "shop", None]),
        ("logger", ["shop", "shop", "shop", "shop", None]),
        ("none", [None] * 5),
    ],
)
async def test_the_key_is_what_was_chosen(server, key, expected):
    """Request id, trace id or logger, one for the other where it is missing; other values are no keys."""
    both = {"logger": "shop", "request_id": "r", "trace_id": "t"}
    kinds = [both, both | {"trace_id": None}, both | {"request_id": ""}, {"logger": "shop"}, {"request_id": 5}]
    events = [{"event_id": str(number), **kind} for number, kind in enumerate(kinds)]
    async with opened(server.servers, key=key) as sink:
        await sink.write(batch_of_events(events))

    found = sorted(server.messages(), key=lambda message: message["headers"]["event_id"])
    assert [message["key"] for message in found] == expected


@pytest.mark.asyncio
@pytest.mark.parametrize("compression", ["gzip", "snappy", "lz4", "zstd"])
async def test_compressed_events_are_the_same(server, compression):
    """The codec is between producer and consumer only."""
    async with opened(server.servers, compression=compression) as sink:
        await sink.write(events_batch(100))

    assert [event["sequence"] for event in server.received()] == list(range(100))


@pytest.mark.asyncio
async def test_a_closed_port_is_tried_again(closed_port):
    """Brokers that are not there yet are not a mistake."""
    error = await _refused(closed_port, timeout="1s")

    assert error.retryable
    assert "did not acknowledge in time (_TRANSPORT)" in str(error)


@pytest.mark.asyncio
async def test_a_topic_that_is_not_there_is_said_and_waited_for(server):
    """A topic may be created later: the error tells its name, and when to ask again."""
    server.topic_fails(3)

    error = await _refused(server.servers)

    assert (error.retryable, error.retry_after) == (True, 30)
    assert "Kafka has no topic 'fapilog'" in str(error)


@pytest.mark.asyncio
async def test_a_topic_without_permission_is_a_mistake(server):
    """A user who may not write there is told before the first event."""
    server.topic_fails(29)

    error = await _refused(server.servers)

    assert not error.retryable
    assert "does not permit this user" in str(error)


@pytest.mark.asyncio
@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"config": {"linger.seconds": SECRET}}, "librdkafka has no property 'linger.seconds'"),
        ({"config": {"linger.ms": SECRET}}, "librdkafka refuses the value of 'queue.buffering.max.ms'"),
        ({"config": {"statistics.interval.ms": "-5"}}, "'statistics.interval.ms'"),
        ({"tls": True, "ca_file": "/nowhere/ca.pem"}, "refuses the value of 'ssl.ca.location'"),
        ({"config": {"max.in.flight": "50"}}, "librdkafka refuses"),
    ],
)
async def test_what_librdkafka_does_not_take_is_said_by_name(closed_port, options, words):
    """A property that librdkafka does not know, or a value it refuses, is a mistake; the value is not told."""
    error = await _refused(closed_port, **options)

    assert not error.retryable
    assert words in str(error)


@pytest.mark.asyncio
async def test_a_sink_that_is_not_open_is_quiet(server):
    """Close may come without an open and twice, open twice; a write before the open is tried again."""
    sink = KafkaSink(KafkaOptions(server.servers, "fapilog"))
    await sink.close()
    with pytest.raises(SinkError) as caught:
        await sink.write(events_batch(1))
    assert caught.value.retryable
    assert sink.health()["status"] == "closed"
    await sink.open()
    await sink.open()
    await sink.write(events_batch(1))
    assert sink.health() == {
        "status": "ok",
        "connected": True,
        "servers": server.servers,
        "topic": "fapilog",
        "last_error": "",
    }
    await sink.close()
    await sink.close()
    await sink.open()
    await sink.close()


def test_nothing_is_said_on_standard_error(tmp_path):
    """librdkafka writes its log to standard error unless it is told not to; the toolkit's voice is its own."""
    with KafkaServer(tmp_path) as server:
        done = run_program(
            """
            import asyncio, sys
            from fapilog.errors import SinkError
            from tests.sinks.kafka.support import events_batch, opened

            async def main(good, bad):
                async with opened(good) as sink:
                    await sink.write(events_batch(1))
                try:
                    async with opened(bad, timeout="1s", config={"group.id": "x"}):
                        pass
                except SinkError as error:
                    print(error.retryable)

            asyncio.run(main(*sys.argv[1:]))
            """,
            server.servers,
            "127.0.0.1:1",
        )

    assert (done.returncode, done.stdout, done.stderr) == (0, b"True\n", b"")


def test_a_forked_child_has_a_producer_of_its_own(server):
    """Parent and child write through the same sink object after a fork, and neither disturbs the other."""
    done = run_program(
        """
        import asyncio, os, sys
        from tests.sinks.kafka.support import events_batch, opened

        async def child(sink):
            await sink.open()
            await sink.write(events_batch(1, start=10))
            await sink.close()

        async def main(servers):
            async with opened(servers) as sink:
                await sink.write(events_batch(1))
                pid = os.fork()
                if pid == 0:
                    asyncio._set_running_loop(None)
                    asyncio.new_event_loop().run_until_complete(child(sink))
                    os._exit(0)
                assert os.waitpid(pid, 0)[1] == 0
                await sink.write(events_batch(1, start=1))
                assert sink.figures["producers"] == 1, sink.figures

        asyncio.run(main(*sys.argv[1:]))
        """,
        server.servers,
    )

    assert done.returncode == 0, done.stderr.decode()
    assert [event["sequence"] for event in server.received()] == [0, 10, 1]


@pytest.mark.asyncio
async def test_the_loop_goes_on_while_a_write_waits(server):
    """librdkafka's calls block a thread and not the loop."""
    server.slow(200)
    turns = 0
    async with opened(server.servers) as sink:
        task = asyncio.create_task(sink.write(events_batch(10)))
        while not task.done():
            await asyncio.sleep(0)
            turns += 1
        await task

    assert turns > 100
