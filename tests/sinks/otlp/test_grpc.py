"""OTLP over gRPC: what goes over the wire, and what each status means."""

import asyncio
import threading
from contextlib import suppress
from pathlib import Path
from typing import Any

import grpc
import pytest
from google.protobuf.any_pb2 import Any as AnyMessage
from google.protobuf.duration_pb2 import Duration
from google.rpc.error_details_pb2 import RetryInfo
from google.rpc.status_pb2 import Status

from fapilog.delivery.splitting import Splitting
from fapilog.errors import SinkError
from tests.services.otlp import events_of, free_port
from tests.sinks.http.peers import Authority, answer, answering, peer, refused
from tests.sinks.otlp.support import SECRET, aborting, grpc_peer, numbered, opened, saying, taken

CODE = grpc.StatusCode
LATER = {CODE.CANCELLED, CODE.DEADLINE_EXCEEDED, CODE.ABORTED, CODE.UNAVAILABLE, CODE.OUT_OF_RANGE, CODE.DATA_LOSS}
LOGIN = {CODE.UNAUTHENTICATED, CODE.PERMISSION_DENIED}
SPLIT = {CODE.INVALID_ARGUMENT, CODE.RESOURCE_EXHAUSTED}
pytestmark = pytest.mark.asyncio


def opened_grpc(url: str, **options: Any) -> Any:
    return opened(url, protocol="grpc", **options)


def retry_info(seconds: float) -> bytes:
    info = RetryInfo(retry_delay=Duration(seconds=int(seconds), nanos=round((seconds % 1) * 10**9)))
    detail = AnyMessage()
    detail.Pack(info)
    return Status(code=8, details=[AnyMessage(type_url="x/unknown", value=b"\xff"), detail]).SerializeToString()


async def test_a_batch_is_one_call_with_its_metadata() -> None:
    """One Export with the headers that were chosen as metadata, events in order."""
    with grpc_peer(taken) as told:
        async with opened_grpc(told.url, headers={"Api-Key": SECRET}, compression="gzip") as sink:
            await sink.write(numbered(500))
            await sink.write(numbered(0))
            assert sink.figures == {"requests": 1, "partial_rejected": 0}
    (request,) = told.requests
    assert told.metadata[0]["api-key"] == SECRET
    assert told.metadata[0]["user-agent"].startswith("fapilog/")
    assert [event["sequence"] for event in events_of(request)] == list(range(500))


@pytest.mark.parametrize("code", [code for code in CODE if code is not CODE.OK])
async def test_every_status_means_what_the_protocol_says(code: grpc.StatusCode) -> None:
    """Only the statuses that OTLP calls retryable are tried again; a login waits; bad data is split."""
    with grpc_peer(aborting(code, "because")) as told:
        async with opened_grpc(told.url) as sink:
            error = await refused(sink, numbered(2))
    assert error.retryable == (code in LATER | LOGIN)
    assert error.retry_after == (30 if code in LOGIN else None)
    assert error.failed_indexes == (None if code in LATER | LOGIN | SPLIT else frozenset({0, 1}))
    if code not in LOGIN | {CODE.DEADLINE_EXCEEDED}:
        assert f"answered {code.name}: because" in str(error)


@pytest.mark.parametrize("seconds", [0, 2.5, 10**6])
async def test_a_retry_info_is_handed_on(seconds: float) -> None:
    """RetryInfo makes RESOURCE_EXHAUSTED retryable; the wait reaches the delivery, at most five minutes."""
    with grpc_peer(aborting(CODE.RESOURCE_EXHAUSTED, grpc_status_details_bin=retry_info(seconds))) as told:
        async with opened_grpc(told.url) as sink:
            error = await refused(sink, numbered(1))
    assert (error.retryable, error.retry_after) == (True, min(seconds, 300))


@pytest.mark.parametrize("details", [b"\xff\xff\xff", b"", Status(code=8).SerializeToString()])
async def test_details_that_say_nothing_are_no_retry_info(details: bytes) -> None:
    """Garbage in the details is no request to wait."""
    with grpc_peer(aborting(CODE.UNAVAILABLE, grpc_status_details_bin=details)) as told:
        async with opened_grpc(told.url) as sink:
            error = await refused(sink, numbered(1))
    assert (error.retryable, error.retry_after) == (True, None)


async def test_a_request_over_the_limit_of_a_server_is_split() -> None:
    """Servers answer OUT_OF_RANGE or RESOURCE_EXHAUSTED to a message over 4 MB; as it is it would never get through."""
    with grpc_peer(aborting(CODE.OUT_OF_RANGE, "decoded message length too large")) as told:
        async with opened_grpc(told.url) as sink:
            small = await refused(sink, numbered(1))
            large = await refused(sink, numbered(20_000))
    assert (small.retryable, large.retryable, large.failed_indexes) == (True, False, None)
    with grpc_peer(taken, limit=100_000) as told:
        async with opened_grpc(told.url) as sink:
            await Splitting(sink).write(numbered(1_000))
    assert [event["sequence"] for request in told.requests for event in events_of(request)] == list(range(1_000))


async def test_a_partial_success_is_counted_and_never_sent_again() -> None:
    """Records that were not kept are counted and told in the health; a batch of which none was kept is refused."""
    with grpc_peer(saying(3, "too old"), saying(10, SECRET)) as told:
        async with opened_grpc(told.url, headers={"api-key": SECRET}) as sink:
            await sink.write(numbered(10))
            assert sink.figures["partial_rejected"] == 3
            assert "did not keep 3 of 10 records: too old" in sink.health()["last_warning"]
            error = await refused(sink, numbered(10))
    assert (error.retryable, error.failed_indexes) == (False, frozenset(range(10)))
    assert SECRET not in f"{error} {sink.health()}"
    assert len(told.requests) == 2


async def test_what_a_receiver_echoes_is_not_shown() -> None:
    """A token in a status's details is masked."""
    with grpc_peer(aborting(CODE.INVALID_ARGUMENT, f"bad {SECRET}\nhere")) as told:
        async with opened_grpc(told.url, headers={"authorization": f"Bearer {SECRET}"}) as sink:
            error = await refused(sink, numbered(2))
    assert str(error).endswith("answered INVALID_ARGUMENT: bad *** here")


async def test_a_hang_ends_with_the_timeout_and_the_next_call_is_a_new_connection() -> None:
    """A receiver that does not answer is retryable when the timeout is over; the one after it is asked anew."""
    release = threading.Event()

    def hang(request: Any, context: Any) -> Any:
        release.wait(20)
        return taken(request, context)

    with grpc_peer(hang, taken) as told:
        async with opened_grpc(told.url, timeout=0.2) as sink:
            error = await refused(sink, numbered(1))
            assert (error.retryable, sink.health()["status"]) == (True, "failing")
            assert "within 0.2 s" in str(error)
            release.set()
        async with opened_grpc(told.url) as sink:
            await sink.write(numbered(1))
            assert sink.health()["status"] == "ok"


async def test_a_write_that_was_cancelled_does_not_disturb_the_next_one() -> None:
    """A cancelled call is cancelled at the receiver, too."""
    loop, seen, release = asyncio.get_running_loop(), asyncio.Event(), threading.Event()

    def hang(request: Any, context: Any) -> Any:
        context.add_callback(release.set)
        loop.call_soon_threadsafe(seen.set)
        release.wait(30)
        return taken(request, context)

    with grpc_peer(hang, taken) as told:
        async with opened_grpc(told.url, timeout=60) as sink:
            task = asyncio.ensure_future(sink.write(numbered(1)))
            await seen.wait()
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            assert await asyncio.to_thread(release.wait, 10)
            await sink.write(numbered(1, 7))
            assert sink.health()["status"] == "ok"
    assert events_of(told.requests[1])[0]["sequence"] == 7


async def test_nobody_there_and_a_server_of_http_are_errors_that_may_pass() -> None:
    """A closed port and a port that speaks something else are UNAVAILABLE: events wait."""
    async with opened_grpc(f"http://127.0.0.1:{free_port()}", timeout=5) as sink:
        error = await refused(sink, numbered(1))
    assert (error.retryable, "UNAVAILABLE" in str(error)) == (True, True)
    async with peer(answering(answer(200)), path="") as told, opened_grpc(told.url, timeout=5) as sink:
        error = await refused(sink, numbered(1))
    assert error.retryable
    assert told.requests == []


async def test_a_receiver_that_comes_back_is_found_soon() -> None:
    """gRPC's own pause between connections, which grows to two minutes, is not waited for."""
    port = free_port()
    async with opened_grpc(f"http://127.0.0.1:{port}", timeout=5) as sink:
        for _ in range(20):
            assert (await refused(sink, numbered(1))).retryable
        with grpc_peer(taken, port=port) as told:
            async with asyncio.timeout(15):
                while not told.requests:
                    with suppress(SinkError):
                        await sink.write(numbered(1))
                    await asyncio.sleep(0.02)
        assert sink.health()["status"] == "ok"


async def test_tls_is_verified(tmp_path: Path) -> None:
    """A certificate of an authority that was named is accepted; of another one it is not, and nothing is sent."""
    authority = Authority(tmp_path)
    with grpc_peer(taken, certificate=authority.issue("server")) as told:
        async with opened_grpc(told.url, ca_file=str(authority.file)) as sink:
            await sink.write(numbered(1))
        other = Authority(tmp_path, "other")
        async with opened_grpc(told.url, ca_file=str(other.file)) as sink:
            error = await refused(sink, numbered(1))
    assert (error.retryable, error.retry_after) == (True, 30)
    assert len(told.requests) == 1


async def test_a_file_that_cannot_be_read_is_said_when_the_sink_is_opened(tmp_path: Path) -> None:
    """The option is named, nothing is retried by the sink."""
    with pytest.raises(SinkError, match=r"add_otlp\(ca_file\)") as caught:
        async with opened_grpc("https://127.0.0.1:1", ca_file=str(tmp_path / "no.pem")):
            pass
    assert not caught.value.retryable
