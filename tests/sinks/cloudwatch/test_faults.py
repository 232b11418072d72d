"""The sink under faults: killed servers, hangs, cancellation, forks, and its own library's debug lines."""

import asyncio
import logging
import socket
import threading

import pytest

from fapilog.context import OWN_WORK, current
from fapilog.errors import SinkError
from fapilog.sinks.cloudwatch.client import LogsClient
from fapilog.sinks.cloudwatch.sink import CloudwatchSink
from fapilog.testing.contracts import make_batch, make_events
from tests.services.cloudwatch import ACCESS_KEY_ID, REGION, SECRET_ACCESS_KEY, CloudwatchServer
from tests.sinks.cloudwatch.conftest import NOW_MS
from tests.sinks.cloudwatch.support import opened
from tests.sinks.support import run_program

pytestmark = [pytest.mark.requires_service("moto", module="moto"), pytest.mark.asyncio]


async def test_a_killed_server_costs_no_event(tmp_path):
    """What was acknowledged before a SIGKILL is kept, what was not is sent again, and the stream is made anew."""
    with CloudwatchServer(tmp_path, NOW_MS) as own:
        async with opened(CloudwatchSink(own.options(timeout="5s"))) as sink:
            await sink.write(make_batch(make_events(100)))
            own.kill()
            with pytest.raises(SinkError) as caught:
                await sink.write(make_batch(make_events(100, start=100)))
            assert caught.value.retryable
            assert caught.value.failed_indexes is None
            own.start()
            await sink.write(make_batch(make_events(100, start=100)))

        assert [event["n"] for event in own.received()] == list(range(200))


async def test_nobody_there_is_retryable_and_leaves_no_thread(server, group):
    """An unreachable service at the start is tried again; who could not open need not close."""
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{nobody.getsockname()[1]}"
        sink = CloudwatchSink(server.options(group, endpoint_url=url))
        for _ in range(3):
            with pytest.raises(SinkError, match="cannot be reached") as caught:
                await sink.open()
            assert caught.value.retryable
        with pytest.raises(SinkError, match="not open"):
            await sink.write(make_batch(make_events(1)))


async def test_a_service_that_never_answers_ends_with_the_timeout(server, group):
    """A connection that is accepted and never served is a retryable error, and closing does not wait for it."""
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen(16)
        url = f"http://127.0.0.1:{silent.getsockname()[1]}"
        sink = CloudwatchSink(server.options(group, endpoint_url=url, timeout="200ms"))
        with pytest.raises(SinkError) as caught:
            await sink.open()
        await sink.close()

    assert caught.value.retryable


async def test_calls_that_outlive_the_timeout_are_left_behind_four_at_most(server, group, monkeypatch):
    """A call that trickles for ever holds a thread of its own, and no more than four are ever left; then it goes on."""
    release, put = threading.Event(), LogsClient.put
    monkeypatch.setattr(LogsClient, "put", lambda self, events: release.wait() and put(self, events))
    async with opened(CloudwatchSink(server.options(group, timeout="10s"))) as sink:
        sink._timeout = 0.02
        for _ in range(20):
            with pytest.raises(SinkError) as caught:
                await sink.write(make_batch(make_events(1)))
            assert caught.value.retryable
        assert "have not ended" in str(caught.value)
        assert sink.health()["hanging_calls"] <= 4
        assert sum(thread.name == "fapilog-cloudwatch" for thread in threading.enumerate()) <= 4
        release.set()
        sink._timeout = 10.0
        while sink.health()["hanging_calls"]:
            await asyncio.sleep(0)
        await sink.write(make_batch(make_events(1, start=1)))

    assert server.received(group)[-1]["n"] == 1


async def test_a_hang_between_two_calls_names_what_was_not_taken(server, group, monkeypatch):
    """The first call was acknowledged: only the events of the second are sent again."""
    release, put, calls = threading.Event(), LogsClient.put, []

    def second_hangs(self, events):
        calls.append(events)
        if len(calls) == 2:
            release.wait()
        return put(self, events)

    batch = make_batch([{**event, "text": "x" * 600_000} for event in make_events(2)])
    async with opened(CloudwatchSink(server.options(group))) as sink:
        monkeypatch.setattr(LogsClient, "put", second_hangs)
        sink._timeout = 1.0
        with pytest.raises(SinkError, match="did not answer within 1 s") as caught:
            await sink.write(batch)
        release.set()

        assert (caught.value.retryable, caught.value.failed_indexes) == (True, {1})
        assert (sink.figures["events"], sink.figures["timeouts"]) == (1, 1)


async def test_a_cancelled_open_leaves_nothing(server, group, monkeypatch):
    """Stopping while the sink is being opened leaves no thread once the call has ended, though nobody closes it."""
    started, release, prepare = threading.Event(), threading.Event(), LogsClient.prepare

    def slow(self):
        started.set()
        release.wait()
        prepare(self)

    monkeypatch.setattr(LogsClient, "prepare", slow)
    sink = CloudwatchSink(server.options(group))
    opening = asyncio.create_task(sink.open())
    await asyncio.to_thread(started.wait)
    opening.cancel()
    await asyncio.wait([opening])
    release.set()

    assert opening.cancelled()
    assert sink.health()["status"] == "closed"


async def test_a_cancelled_write_leaves_the_next_one_whole(server, group, monkeypatch):
    """Whoever cancels gets control back at once; the next batch waits for the call that runs, and arrives after it."""
    started, release, put = threading.Event(), threading.Event(), LogsClient.put

    def slow(self, events):
        started.set()
        release.wait()
        return put(self, events)

    async with opened(CloudwatchSink(server.options(group))) as sink:
        monkeypatch.setattr(LogsClient, "put", slow)
        first = asyncio.create_task(sink.write(make_batch(make_events(1))))
        await asyncio.to_thread(started.wait)
        never = asyncio.create_task(sink.write(make_batch(make_events(1, start=7))))
        await asyncio.sleep(0)
        first.cancel()
        never.cancel()
        await asyncio.wait([first, never])
        assert first.cancelled()
        release.set()
        await sink.write(make_batch(make_events(1, start=1)))

    assert [event["n"] for event in server.received(group)] == [0, 1]


async def test_what_boto3_logs_is_own_work(server, group):
    """Debug lines of botocore and urllib3 come from our thread, marked so that captured logging does not take them."""
    seen = []

    class Spy(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            seen.append((record.name.partition(".")[0], current.get().request is OWN_WORK))

    spy, root = Spy(), logging.getLogger()
    level = root.level
    root.addHandler(spy)
    root.setLevel(logging.DEBUG)
    try:
        async with opened(CloudwatchSink(server.options(group))) as sink:
            await sink.write(make_batch(make_events(1)))
    finally:
        root.setLevel(level)
        root.removeHandler(spy)

    theirs = {own for name, own in seen if name in ("boto3", "botocore", "urllib3")}
    assert theirs == {True}


async def test_a_forked_child_has_a_stream_and_a_connection_of_its_own(server, group):
    """The child opens without a close, and parent and child write to different streams over different connections."""
    program = """
        import asyncio, os, sys
        from fapilog.sinks.cloudwatch.options import CloudwatchOptions
        from fapilog.sinks.cloudwatch.sink import CloudwatchSink
        from fapilog.testing.contracts import make_batch, make_events
        group, url, region, key, secret = sys.argv[1:]
        sink = CloudwatchSink(
            CloudwatchOptions(group, region=region, endpoint_url=url, access_key_id=key, secret_access_key=secret)
        )
        asyncio.run(sink.open())
        asyncio.run(sink.write(make_batch(make_events(1))))
        child = os.fork()
        if child == 0:
            asyncio.run(sink.open())
        asyncio.run(sink.write(make_batch(make_events(1, start=1 if child else 2))))
        asyncio.run(sink.close())
        if child:
            sys.exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
        os._exit(0)
    """

    done = run_program(program, group, server.endpoint_url, REGION, ACCESS_KEY_ID, SECRET_ACCESS_KEY)

    assert done.returncode == 0, done.stderr
    by_stream: dict[str, list[int]] = {}
    for call in server.calls(group):
        by_stream.setdefault(call["stream"], []).append(len(call["events"]))
    assert sorted(by_stream.values()) == [[1], [1, 1]]


async def test_an_open_that_fails_leaves_the_sink_closed(server, group):
    """Also one that was open before: what could not be prepared is not written to."""
    async with opened(CloudwatchSink(server.options(group))) as sink:
        server.order({"operation": "CreateLogStream", "status": 503, "body": {"__type": "ServiceUnavailableException"}})
        with pytest.raises(SinkError, match="ServiceUnavailableException"):
            await sink.open()
        with pytest.raises(SinkError, match="not open"):
            await sink.write(make_batch(make_events(1)))
        await sink.open()
        await sink.write(make_batch(make_events(1)))


async def test_the_health_of_a_closed_sink(server, group):
    """Closed before the first open and after close; closing twice is harmless."""
    sink = CloudwatchSink(server.options(group))
    assert sink.health()["status"] == "closed"
    async with opened(sink):
        assert sink.health() == {
            "status": "ok",
            "connected": True,
            "group": group,
            "stream": sink.health()["stream"],
            "last_error": "",
            "hanging_calls": 0,
        }
    await sink.close()
    assert sink.health()["status"] == "closed"
