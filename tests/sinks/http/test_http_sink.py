"""HttpSink: a batch is a request; what an answer means; what a real server gets."""

import asyncio
import json

import pytest

from fapilog.sinks.http.options import HttpOptions
from fapilog.sinks.http.sink import HttpSink
from fapilog.testing.contracts import SINK_CHECKS, SinkTarget
from tests.services.http import HttpServer
from tests.sinks.http.peers import (
    NO_CONTENT,
    Authority,
    answer,
    answering,
    events_batch,
    opened,
    peer,
    refused,
    server_context,
)
from tests.sinks.support import run_program

pytestmark = pytest.mark.requires_service("uvicorn", module="uvicorn")


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    """Run one receiver for all tests of this file."""
    with HttpServer(tmp_path_factory.mktemp("receiver")) as running:
        yield running


@pytest.mark.parametrize("check", SINK_CHECKS, ids=lambda check: check.__name__)
@pytest.mark.asyncio
async def test_contract(check, server):
    """An HTTP sink is a sink, and what a receiver keeps are the lines as they are."""
    path = server.folder / "events.jsonl"
    await check(SinkTarget(lambda: HttpSink(HttpOptions(server.url)), lambda: path.read_bytes().splitlines(True)))


@pytest.mark.parametrize("compression", ["none", "gzip", "zstd"])
@pytest.mark.parametrize("form", ["jsonl", "array"])
@pytest.mark.parametrize("method", ["POST", "PUT"])
@pytest.mark.asyncio
async def test_a_batch_arrives_in_every_form(server, compression, form, method):
    """Whatever the form, method and compression, a server gets the events in order, and is told what they are."""
    before = len(server.received())
    async with opened(server.url, compression=compression, format=form, method=method) as sink:
        await sink.write(events_batch(3, text="ä€😀\n"))

    arrived, request = server.received()[before:], server.requests()[-1]
    assert [event["event_id"] for event in arrived] == [f"5f0c1de2a9b07c44-{number}" for number in range(3)]
    assert {event["text"] for event in arrived} == {"ä€😀\n"}
    assert (request["method"], request["path"], request["events"]) == (method, "/ingest", 3)
    assert request["headers"]["content-type"] == {"jsonl": "application/x-ndjson", "array": "application/json"}[form]
    assert request["headers"].get("content-encoding", "none") == compression


@pytest.mark.asyncio
async def test_a_batch_that_is_sent_again_has_the_same_key_and_no_other_has_it():
    """A receiver can tell a batch that comes again, and never takes another one for it."""
    async with peer(answering(answer(503), NO_CONTENT)) as receiver, opened(receiver.url) as sink:
        batch = events_batch(3)
        await refused(sink, batch)
        await sink.write(batch)
        await sink.write(events_batch(3))
        for places in ([0, 2], [0, 1], [0, 1, 2]):
            await sink.write(events_batch(3, text="more").only(places))

    keys = [request.headers["idempotency-key"] for request in receiver.requests]
    assert keys[0] == keys[1] == keys[2]
    assert len(set(keys)) == 4


@pytest.mark.asyncio
async def test_one_connection_serves_all_batches():
    """Connections are kept: the second batch pays no handshake."""
    async with peer(answering(NO_CONTENT)) as receiver, opened(receiver.url) as sink:
        for _ in range(5):
            await sink.write(events_batch(2))
        assert (receiver.connections, len(receiver.requests)) == (1, 5)


@pytest.mark.asyncio
async def test_batches_may_be_written_at_the_same_time():
    """With several batches in flight each has a connection of its own, and all arrive."""
    both = asyncio.Barrier(3)

    async def play(told, reader, writer):
        await both.wait()
        await answering(NO_CONTENT)(told, reader, writer)

    async with peer(play) as receiver, opened(receiver.url) as sink:
        await asyncio.gather(*(sink.write(events_batch(2, start=2 * number)) for number in range(3)))
        sent = [json.loads(line)["n"] for request in receiver.requests for line in request.body.splitlines()]
        assert (receiver.connections, sorted(sent)) == (3, list(range(6)))


@pytest.mark.asyncio
async def test_headers_and_credentials_are_sent():
    """What was chosen is on the request; a content type of one's own replaces the usual one."""
    headers = {"X-Api-Key": "canary", "content-type": "application/json-seq"}
    async with peer(answering(NO_CONTENT)) as receiver:
        async with opened(receiver.url, headers=headers, bearer="token.canary") as sink:
            await sink.write(events_batch(1))
        async with opened(receiver.url, username="user", password="pa:ss ö") as sink:
            await sink.write(events_batch(1))
        async with opened(receiver.url.replace("://", "://user:pa%3Ass%20%C3%B6@")) as sink:
            await sink.write(events_batch(1))

    first, second, third = (request.headers for request in receiver.requests)
    assert (first["x-api-key"], first["content-type"]) == ("canary", "application/json-seq")
    assert first["authorization"] == "Bearer token.canary"
    assert second["authorization"] == third["authorization"] == "Basic dXNlcjpwYTpzcyDDtg=="
    assert first["accept-encoding"] == "identity"
    assert first["user-agent"].startswith("fapilog/")


@pytest.mark.asyncio
async def test_figures_and_health_tell_how_it_goes():
    """Closed, ok, failing with its reason, ok again; requests and bytes are counted."""
    async with peer(answering(answer(500, b"no\x1b[31m room"), NO_CONTENT)) as receiver:
        sink = HttpSink(HttpOptions(receiver.url))
        shown = receiver.url.removesuffix("/ingest")
        assert sink.health() == {"status": "closed", "url": shown}
        await sink.open()
        assert sink.health() == {"status": "ok", "url": shown}
        batch = events_batch(2)
        await refused(sink, batch)
        assert sink.health() == {"status": "failing", "url": shown, "last_error": f"{shown} answered 500: no [31m room"}
        await sink.write(batch)
        assert sink.health() == {"status": "ok", "url": shown}
        assert sink.figures == {"requests": 2, "request_bytes": 2 * batch.size_bytes, "refused_requests": 1}
        await sink.close()
        assert sink.health()["status"] == "closed"


@pytest.mark.asyncio
async def test_a_write_before_open_may_succeed_later():
    """Nothing is lost to an order of calls."""
    error = await refused(HttpSink(HttpOptions("http://127.0.0.1:9/")), events_batch(1))

    assert error.retryable


@pytest.mark.asyncio
async def test_what_a_receiver_acknowledged_is_there_after_a_kill(tmp_path):
    """The receiver of these tests keeps its word, so that what is missing later was lost by us."""
    with HttpServer(tmp_path) as receiver:
        async with opened(receiver.url) as sink:
            await sink.write(events_batch(3))
            receiver.kill()
            with (tmp_path / "events.jsonl").open("ab") as kept:
                kept.write(b'{"torn":')
            error = await refused(sink, events_batch(2, start=3))
            receiver.start()
            await sink.write(events_batch(2, start=3))

        assert error.retryable
        assert [event["n"] for event in receiver.received()] == [0, 1, 2, 3, 4]
        assert [request["events"] for request in receiver.requests()] == [3, 2]


FORKING = """
import asyncio, os, sys
from tests.sinks.http.peers import HttpOptions, HttpSink, events_batch

sink = HttpSink(HttpOptions(sys.argv[1], ca_file=sys.argv[2] or None))
with asyncio.Runner() as runner:
    runner.run(sink.open())
    runner.run(sink.write(events_batch(1)))
    child = os.fork()
    if child == 0:
        async def begin_anew():
            await sink.open()
            await sink.write(events_batch(1, start=1))
            await sink.close()

        with asyncio.Runner() as other:
            other.run(begin_anew())
        os._exit(0)
    assert os.waitpid(child, 0)[1] == 0
    runner.run(sink.write(events_batch(1, start=2)))
    runner.run(sink.close())
"""


@pytest.mark.parametrize("secure", [False, True])
@pytest.mark.asyncio
async def test_a_forked_child_has_connections_of_its_own(secure, tmp_path):
    """It opens the sink anew; the parent goes on over the connection it had, TLS state and all."""
    authority = Authority(tmp_path)
    context = server_context(authority.issue("forked")) if secure else None
    async with peer(answering(NO_CONTENT), context=context) as receiver:
        done = await asyncio.to_thread(run_program, FORKING, receiver.url, authority.file if secure else "")

    assert (done.returncode, done.stderr) == (0, b"")
    assert [json.loads(request.body)["n"] for request in receiver.requests] == [0, 1, 2]
    assert receiver.connections == 2
