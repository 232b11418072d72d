"""The life cycle of the sink, the same over both transports."""

import asyncio
import logging
from pathlib import Path
from typing import Any

import pytest

from fapilog import LoggerBuilder
from fapilog.errors import SinkError
from fapilog.protocols import Sink
from fapilog.sinks.otlp.options import OtlpOptions
from fapilog.sinks.otlp.sink import OtlpSink
from tests.services.otlp import OtlpServer
from tests.sinks.otlp.support import SECRET, numbered
from tests.sinks.support import run_program

PROTOCOLS = ["http/protobuf", "grpc"]


def endpoint(server: OtlpServer, protocol: str) -> str:
    return server.grpc_url if protocol == "grpc" else server.url


def sink_for(url: str, protocol: Any, **options: Any) -> OtlpSink:
    return OtlpSink(OtlpOptions(url, protocol, **options), environ={})


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_a_sink_is_opened_closed_and_opened_again_on_another_loop(tmp_path: Path, protocol: str) -> None:
    """Opening twice, closing twice and another event loop are all fine; a closed sink says so and takes nothing."""
    with OtlpServer(tmp_path) as server:
        sink = sink_for(endpoint(server, protocol), protocol)
        assert isinstance(sink, Sink)
        assert sink.health()["status"] == "closed"

        async def run(start: int) -> None:
            await sink.close()
            await sink.open()
            await sink.open()
            await sink.write(numbered(1, start))
            assert sink.health()["status"] == "ok"
            await sink.close()
            await sink.close()
            assert sink.health()["status"] == "closed"
            with pytest.raises(SinkError, match="not open") as caught:
                await sink.write(numbered(1))
            assert caught.value.retryable
            assert sink.health()["status"] == "closed"

        asyncio.run(run(1))
        asyncio.run(run(2))
        assert [event["sequence"] for event in server.received()] == [1, 2]


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_close_cancels_what_hangs(protocol: str) -> None:
    """Closing while a write waits for a receiver that is not there ends at once; the write ends with an error."""

    async def run() -> None:
        async def hang(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            reached.set()
            await release.wait()
            writer.close()

        reached, release = asyncio.Event(), asyncio.Event()
        server = await asyncio.start_server(hang, "127.0.0.1", 0)
        url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        sink = sink_for(url, protocol, timeout=20)
        await sink.open()
        task = asyncio.ensure_future(sink.write(numbered(1)))
        await reached.wait()
        async with asyncio.timeout(5):
            await sink.close()
            task.cancel()
            result = (await asyncio.gather(task, return_exceptions=True))[0]
        assert isinstance(result, SinkError | asyncio.CancelledError)
        assert sink.health()["status"] == "closed"
        release.set()
        server.close()

    asyncio.run(run())


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_a_forked_child_sends_after_its_own_open(tmp_path: Path, protocol: str) -> None:
    """A child of a process that has sent opens the sink anew and sends; the parent goes on with its own connection."""
    program = """
        import asyncio, os, sys
        from tests.sinks.otlp.support import numbered
        from tests.sinks.otlp.test_sink import sink_for

        async def send(number):
            await sink.open()
            await sink.write(numbered(1, number))

        sink = sink_for(sys.argv[1], sys.argv[2], timeout=20)
        asyncio.run(send(1))
        child = os.fork()
        if child == 0:
            code = 1
            try:
                asyncio.run(send(2))
                code = 0
            finally:
                os._exit(code)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
        asyncio.run(sink.write(numbered(1, 3)) if sys.argv[2] == "grpc" else send(3))
    """
    with OtlpServer(tmp_path) as server:
        result = run_program(program, endpoint(server, protocol), protocol)
        assert (result.returncode, [event["sequence"] for event in server.received()]) == (0, [1, 2, 3]), result.stderr


def test_nothing_that_is_shown_holds_a_secret() -> None:
    """Neither repr nor health show headers, user, password or path."""
    url = f"https://me:{SECRET}@localhost:4318/{SECRET}"
    sink = sink_for(url, "http/protobuf", headers={"api-key": SECRET})
    assert SECRET not in f"{sink!r} {sink.health()} {sink.figures} {vars(sink)}"
    assert sink.health()["endpoint"] == "https://localhost:4318"


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_a_logger_sends_each_event_once_and_none_of_its_own(tmp_path: Path, protocol: Any) -> None:
    """Through a whole engine each event arrives once, with an id, also with a handler on the root of ``logging``.

    What HTTP and gRPC libraries log about the sending neither reaches that handler's events nor feeds itself.
    """
    seen: list[logging.LogRecord] = []
    handler = logging.Handler(logging.DEBUG)
    handler.emit = seen.append  # type: ignore[method-assign]
    root = logging.getLogger()
    level = root.level
    root.addHandler(handler)
    root.setLevel(logging.DEBUG)
    try:
        with OtlpServer(tmp_path) as server:
            logger = LoggerBuilder().with_name("shop").add_otlp(endpoint(server, protocol), protocol).build()
            for number in range(300):
                logger.info("Order placed", sequence=number)
            result = logger.drain(20)
            found = server.received()
    finally:
        root.removeHandler(handler)
        root.setLevel(level)
    assert (result.delivered, result.failed, result.dropped) == (300, 0, 0)
    assert [event["sequence"] for event in found] == list(range(300))
    assert len({event["event_id"] for event in found}) == 300
    assert not [record for record in seen if "Order placed" in record.getMessage()]
