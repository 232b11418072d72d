"""Receivers that hang, break off, stream without end, redirect: nothing counts as taken, and nothing waits for ever."""

import asyncio
import resource
import socket

import pytest

from fapilog.sinks.http.client import MOST_ANSWER_BYTES, HttpClient
from fapilog.testing.fakes import FakeClock
from tests.sinks.http.peers import (
    NO_CONTENT,
    answer,
    answering,
    events_batch,
    opened,
    peer,
    read_request,
    refused,
    reset,
)


async def _hang(told, reader, writer):
    await reader.read()


async def _reset_in_the_request(told, reader, writer):
    await reader.readexactly(100)
    reset(writer)


async def _reset_in_the_answer(told, reader, writer):
    told.requests.append(await read_request(reader))
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf")
    await writer.drain()
    reset(writer)


async def _cut_in_the_answer(told, reader, writer):
    told.requests.append(await read_request(reader))
    writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n")
    await writer.drain()


async def _end_before_the_status(told, reader, writer):
    told.requests.append(await read_request(reader))


async def _close_at_once(told, reader, writer):
    writer.close()


async def _nonsense(told, reader, writer):
    await read_request(reader)
    writer.write(b"SSH-2.0-OpenSSH_9.9\r\n")
    await writer.drain()


async def _endless_headers(told, reader, writer):
    await read_request(reader)
    writer.write(b"HTTP/1.1 200 OK\r\n")
    while True:
        writer.write(b"X-More: " + b"x" * 1000 + b"\r\n")
        await writer.drain()


async def _slowly(told, reader, writer):
    await read_request(reader)
    for byte in NO_CONTENT * 100:
        writer.write(bytes([byte]))
        await writer.drain()
        await asyncio.sleep(0.05)


async def _slow_body(told, reader, writer):
    await read_request(reader)
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n")
    while True:
        writer.write(b"x")
        await writer.drain()
        await asyncio.sleep(0.05)


BROKEN = {
    "reset in the request": _reset_in_the_request,
    "reset in the answer": _reset_in_the_answer,
    "cut in the answer": _cut_in_the_answer,
    "end before the status": _end_before_the_status,
    "closed at once": _close_at_once,
    "nonsense": _nonsense,
    "endless headers": _endless_headers,
}


@pytest.mark.parametrize("script", BROKEN.values(), ids=BROKEN)
@pytest.mark.asyncio
async def test_a_broken_exchange_is_made_again_with_the_same_key(script):
    """Nobody can tell whether the events were taken: they are sent again, recognisably, and the next answer counts."""
    async with peer(script, answering(NO_CONTENT)) as receiver, opened(receiver.url) as sink:
        batch = events_batch(3000)
        error = await refused(sink, batch)
        await sink.write(batch)

    assert (error.retryable, error.failed_indexes) == (True, None)
    assert receiver.connections == 2
    assert len({request.headers["idempotency-key"] for request in receiver.requests}) == 1
    assert receiver.requests[-1].body == batch.lines


@pytest.mark.parametrize("script", [_hang, _slowly, _slow_body])
@pytest.mark.asyncio
async def test_the_deadline_is_for_all_of_it(script):
    """A receiver that says something now and then holds a batch no longer than one that says nothing."""
    async with peer(script, answering(NO_CONTENT)) as receiver, opened(receiver.url, timeout="300ms") as sink:
        error = await refused(sink, events_batch(1))
        sink._client._timeout = 60.0  # this machine may be busy
        await sink.write(events_batch(1))

    assert error.retryable
    assert "0.3 s" in str(error)


@pytest.mark.asyncio
async def test_a_receiver_that_reads_nothing_is_given_up():
    """The deadline holds while the body is sent, too: buffers fill, and nothing reads them."""
    stop = asyncio.Event()

    async def deaf(told, reader, writer):
        writer.transport.pause_reading()
        await stop.wait()

    async with peer(deaf) as receiver, opened(receiver.url, timeout="300ms") as sink:
        error = await refused(sink, events_batch(100, text="x" * 200_000))
        stop.set()

    assert error.retryable


@pytest.mark.asyncio
async def test_a_full_backlog_is_given_up():
    """A machine that answers no SYN holds up a batch no longer than its deadline: nobody accepts, the queue is full."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        fillers = [socket.socket() for _ in range(3)]
        for filler in fillers:
            filler.setblocking(False)
            filler.connect_ex(listener.getsockname())
        async with opened(f"http://127.0.0.1:{listener.getsockname()[1]}/", timeout="300ms") as sink:
            assert (await refused(sink, events_batch(1))).retryable
        for filler in fillers:
            filler.close()


@pytest.mark.asyncio
async def test_an_answer_without_end_is_read_to_a_limit():
    """64 KiB of an endless answer are enough; the connection is dropped and memory stays where it was."""

    async def endless(told, reader, writer):
        await read_request(reader)
        writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        while True:
            writer.write(b"10000\r\n" + b"x" * 0x10000 + b"\r\n")
            await writer.drain()

    async with peer(endless, answering(answer(200, b"y" * 3))) as receiver:
        client = HttpClient(receiver.url)
        await client.open()
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        first = await client.post(b"1", "text/plain")
        second = await client.post(b"2", "text/plain")
        await client.close()

    assert (first.status, len(first.text)) == (200, MOST_ANSWER_BYTES)
    assert second.text == "yyy"
    assert receiver.connections == 2
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 20_000


@pytest.mark.asyncio
async def test_a_compressed_answer_is_not_unpacked():
    """An answer that says it is compressed is text like any other: 1 KB cannot become 1 GB."""
    packed = answer(400, b"\x1f\x8b not really", Content_Encoding="gzip")
    async with peer(answering(packed)) as receiver, opened(receiver.url) as sink:
        error = await refused(sink, events_batch(1))

    assert "not really" in str(error)
    assert not error.retryable


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
@pytest.mark.parametrize(
    "target", ["another host", "file:///etc/passwd", "/ingest", "http://[", "https://169.254.169.254/"]
)
@pytest.mark.asyncio
async def test_a_redirect_is_never_followed(status, target):
    """Neither events nor credentials go where an answer says; the error says what to do and not where it pointed."""
    async with peer(answering(NO_CONTENT)) as other:
        location = other.url if target == "another host" else target
        redirect = answering(answer(status, Location=location))
        async with peer(redirect) as receiver, opened(receiver.url, bearer="canary") as sink:
            error = await refused(sink, events_batch(2))

    assert (error.retryable, error.failed_indexes) == (False, {0, 1})
    assert "redirect" in str(error)
    assert location not in str(error)
    assert other.connections == 0
    assert len(receiver.requests) == 1


@pytest.mark.asyncio
async def test_a_connection_that_ended_while_idle_is_not_used():
    """A server that closes idle connections costs no batch."""
    idle = asyncio.Event()

    async def once(told, reader, writer):
        told.requests.append(await read_request(reader))
        writer.write(NO_CONTENT)
        await writer.drain()
        writer.close()
        await writer.wait_closed()
        idle.set()

    async with peer(once) as receiver, opened(receiver.url) as sink:
        for _ in range(3):
            idle.clear()
            await sink.write(events_batch(1))
            await idle.wait()

    assert (receiver.connections, len(receiver.requests)) == (3, 3)


@pytest.mark.asyncio
async def test_a_connection_is_renewed_now_and_then():
    """A connection does not live for ever: the name may lead to another address by now."""
    clock = FakeClock()
    async with peer(answering(NO_CONTENT)) as receiver, opened(receiver.url, clock) as sink:
        for _ in range(6):
            await sink.write(events_batch(1))
            clock.advance(300.0)

    assert [request.headers.get("connection") for request in receiver.requests] == [
        None,
        None,
        "close",
        None,
        "close",
        None,
    ]
    assert receiver.connections == 3


@pytest.mark.asyncio
async def test_a_cancelled_write_leaves_the_next_one_whole():
    """Cancelled at any of its awaits, a write takes its connection with it and nothing of it gets into another."""
    async with peer(answering(answer(200, b"x" * 100))) as receiver, opened(receiver.url) as sink:
        for steps in range(40):
            task = asyncio.create_task(sink.write(events_batch(200, start=1000 * steps)))
            for _ in range(steps):
                await asyncio.sleep(0)
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            await sink.write(events_batch(2, start=steps))
            assert receiver.requests[-1].body == events_batch(2, start=steps).lines


@pytest.mark.asyncio
async def test_close_is_quick_and_open_begins_anew():
    """Closing waits for nobody, also twice and while the receiver hangs; a sink is opened again after it."""
    async with peer(_hang, answering(NO_CONTENT)) as receiver:
        async with opened(receiver.url) as sink:
            writing = asyncio.create_task(sink.write(events_batch(1)))
            while not receiver.connections:
                await asyncio.sleep(0.01)
            async with asyncio.timeout(10):
                await sink.close()
                await sink.close()
            writing.cancel()
            await asyncio.gather(writing, return_exceptions=True)
            await sink.open()
            await sink.write(events_batch(1))

        assert len(receiver.requests) == 1


@pytest.mark.asyncio
async def test_close_does_not_wait_for_connections_that_do_not_close():
    """What cannot be closed properly is left to the operating system."""

    class Stuck:
        async def aclose(self):
            await asyncio.Event().wait()

    client = HttpClient("http://127.0.0.1:9/")
    client._pool = Stuck()
    async with asyncio.timeout(20):
        await client.close()


@pytest.mark.parametrize("url", ["http://127.0.0.1:{port}/", "http://no-such-host.invalid/"])
@pytest.mark.asyncio
async def test_nobody_there_is_told_and_tried_again(url, unused_port):
    """A refused connection and an unknown name are errors that may pass, in words an operator knows."""
    async with opened(url.format(port=unused_port)) as sink:
        error = await refused(sink, events_batch(1))

    assert error.retryable
    assert "Connection refused" in str(error) or "name" in str(error).lower()


@pytest.fixture
def unused_port():
    """Return a port on which nobody listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@pytest.mark.asyncio
async def test_the_environment_has_no_say(monkeypatch, tmp_path):
    """Proxies and netrc files of the environment are not used: events go where the options say, with their headers."""
    (tmp_path / "netrc").write_text("default login canary password canary\n")
    async with peer(answering(NO_CONTENT)) as proxy, peer(answering(NO_CONTENT)) as receiver:
        for name in ("HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "ALL_PROXY", "all_proxy"):
            monkeypatch.setenv(name, proxy.url)
        monkeypatch.delenv("NO_PROXY", raising=False)
        monkeypatch.delenv("no_proxy", raising=False)
        monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
        monkeypatch.setenv("HOME", str(tmp_path))
        async with opened(receiver.url) as sink:
            await sink.write(events_batch(1))

    assert proxy.connections == 0
    assert "authorization" not in receiver.requests[0].headers


@pytest.mark.asyncio
async def test_cookies_are_not_kept():
    """A receiver cannot mark its sender."""
    async with peer(answering(answer(200, Set_Cookie="a=b"))) as receiver, opened(receiver.url) as sink:
        await sink.write(events_batch(1))
        await sink.write(events_batch(1))

    assert all("cookie" not in request.headers for request in receiver.requests)
