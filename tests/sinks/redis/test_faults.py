"""RedisSink and what goes wrong on the way: cut connections, hangs, odd answers, cancelled writes."""

import asyncio

import pytest

from fapilog.errors import SinkError
from tests.services.redis import COMMAND
from tests.sinks.redis.peers import answering, events_batch, forwarding, opened, peer

pytestmark = pytest.mark.requires_service("redis-server", command=COMMAND)
CANARY = "canary-sesame"


def _server_that_says(answers):
    """Return a peer that takes what open sends and answers the commands of a write as told."""
    writing = []

    def answer(command):
        if command[0] == b"DISCARD":
            writing.append(True)
            return b"+OK\r\n"
        return answers(command) if writing else b"+OK\r\n"

    return answering(answer)


def _failing_exec(line):
    return _server_that_says(lambda command: line if command[0] == b"EXEC" else b"+QUEUED\r\n")


@pytest.mark.asyncio
@pytest.mark.parametrize("size", [0, 1, 2_000, 20_000, 40_000])
async def test_a_batch_that_is_cut_on_its_way_is_not_there(server, key, size):
    """Wherever the connection breaks in a batch, nothing of it is applied; sent again it is there once."""
    batch = events_batch(500)
    async with peer(forwarding(server.port, 1_000_000, size)) as url, opened(url, key=key) as sink:
        await sink._let_go()
        with pytest.raises(SinkError) as caught:
            await sink.write(batch)
        assert server.received(key) == []
        await sink.write(batch)

    assert (caught.value.retryable, caught.value.failed_indexes) == (True, None)
    assert [event["sequence"] for event in server.received(key)] == list(range(500))


@pytest.mark.asyncio
async def test_a_batch_whose_answer_is_lost_is_sent_again_with_its_ids(server, key):
    """Applied, and then the connection breaks: the batch is there twice, whole, and its ids tell so."""
    batch = events_batch(50)
    async with peer(forwarding(server.port, lose_transaction=True)) as url, opened(url, key=key) as sink:
        with pytest.raises(SinkError) as caught:
            await sink.write(batch)
        await sink.write(batch)

    assert (caught.value.retryable, caught.value.failed_indexes) == (True, None)
    assert [event["event_id"] for event in server.received(key)] == [f"id-{number % 50}" for number in range(100)]


@pytest.mark.asyncio
async def test_a_server_that_hangs_is_given_up():
    """A server that takes everything and says nothing ends the write at the timeout, and close does not wait for it."""
    async with peer(_server_that_says(lambda command: None)) as url, opened(url, timeout="200ms") as sink:
        with pytest.raises(SinkError, match=r"did not answer within 0\.2 s") as caught:
            await sink.write(events_batch(10))
        assert sink.figures["timeouts"] == 1
        assert sink.health()["status"] == "failing"

    assert caught.value.retryable


@pytest.mark.asyncio
async def test_a_server_that_hangs_at_once_is_tried_again():
    """The same when it hangs already while it is opened."""
    async with peer(answering(lambda command: None)) as url:
        with pytest.raises(SinkError, match="did not answer") as caught:
            async with opened(url, timeout="200ms"):
                pass

    assert caught.value.retryable


@pytest.mark.asyncio
@pytest.mark.parametrize("code", ["LOADING", "CLUSTERDOWN", "TRYAGAIN", "MISCONF", "NOREPLICAS", "MASTERDOWN", "BUSY"])
@pytest.mark.parametrize("where", [b"XADD", b"EXEC"])
async def test_not_now_is_tried_again_soon(code, where):
    """What passes by itself is retryable at once, whether it is said of a command or of the transaction."""
    line = f"-{code} not now {CANARY}\r\n".encode()

    def answers(command):
        return line if command[0] == where else b"-EXECABORT no\r\n" if command[0] == b"EXEC" else b"+QUEUED\r\n"

    async with peer(_server_that_says(answers)) as url, opened(url) as sink:
        with pytest.raises(SinkError, match=rf"takes nothing now: .*\({code}\)") as caught:
            await sink.write(events_batch(2, message=CANARY))

    assert (caught.value.retryable, caught.value.retry_after) == (True, None)
    assert CANARY not in str(caught.value)


@pytest.mark.asyncio
@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("MOVED 3999 127.0.0.1:6381", "another node"),
        ("NOAUTH Authentication required.", "refuses the user name or password"),
        ("WRONGPASS invalid", "refuses the user name or password"),
        (f"ERR unknown command {CANARY}", "refuses a command"),
    ],
)
async def test_what_a_person_must_mend_waits(line, words):
    """In a write the events are not to blame and wait half a minute; in an open it is said as a mistake."""
    async with peer(_server_that_says(lambda command: f"-{line}\r\n".encode())) as url, opened(url) as sink:
        with pytest.raises(SinkError, match=words) as caught:
            await sink.write(events_batch(2, message=CANARY))
    async with peer(answering(lambda command: f"-{line}\r\n".encode())) as url:
        with pytest.raises(SinkError, match=words) as refused:
            async with opened(url):
                pass

    assert (caught.value.retryable, caught.value.retry_after) == (True, 30)
    assert not refused.value.retryable
    assert CANARY not in f"{caught.value} {refused.value}"


@pytest.mark.asyncio
async def test_what_the_server_did_not_apply_is_named():
    """Where a server applies only some commands of a transaction, the others are named and go again."""
    some = b"*4\r\n$3\r\n1-0\r\n-ERR no\r\n$3\r\n2-0\r\n:0\r\n"

    def answers(command):
        return some if command[0] == b"EXEC" else b"+QUEUED\r\n"

    async with peer(_server_that_says(answers)) as url, opened(url) as sink:
        with pytest.raises(SinkError) as caught:
            await sink.write(events_batch(3))

    assert (caught.value.retryable, caught.value.failed_indexes) == (True, {1})


@pytest.mark.asyncio
async def test_nonsense_is_tried_again():
    """What is no answer of Redis's at all gives the connection up, and nothing counts as taken."""
    async with peer(_server_that_says(lambda command: b"HTTP/1.1 400 Bad Request\r\n\r\n")) as url, opened(url) as sink:
        with pytest.raises(SinkError) as caught:
            await sink.write(events_batch(3))

    assert caught.value.retryable


@pytest.mark.asyncio
async def test_a_cancelled_write_does_not_disturb_the_next():
    """Cancelled while the server has not answered, a write leaves no answer behind that the next one could take."""
    began, answered = asyncio.Event(), []

    def answers(command):
        began.set()
        if not answered:
            return None
        return b"*2\r\n$3\r\n1-0\r\n:0\r\n" if command[0] == b"EXEC" else b"+QUEUED\r\n"

    async with peer(_server_that_says(answers)) as url, opened(url) as sink:
        task = asyncio.create_task(sink.write(events_batch(3)))
        await began.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert sink.health()["status"] == "failing"
        answered.append(True)
        await sink.write(events_batch(1))

    assert sink.figures["connections"] == 2
