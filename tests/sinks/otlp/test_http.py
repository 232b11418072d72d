"""OTLP over HTTP: what goes over the wire, and what each answer means."""

import asyncio
import gzip
from email.utils import formatdate
from pathlib import Path

import pytest
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest

from fapilog.delivery.splitting import Splitting
from fapilog.errors import RejectedError
from fapilog.testing.fakes import FakeClock
from tests.services.otlp import events_of
from tests.sinks.http.peers import (
    Authority,
    answer,
    answering,
    peer,
    read_request,
    refused,
    reset,
    server_context,
)
from tests.sinks.otlp.support import SECRET, grpc_peer, numbered, opened, response, taken

pytestmark = pytest.mark.asyncio
OK = answer(200, content_type="application/x-protobuf")
LATER = {429, 502, 503, 504}
LOGIN = {401, 403, 407}
SPLIT = {400, 413, 422}


async def test_a_batch_is_one_request_of_the_protocol() -> None:
    """One POST of protobuf with the headers that were chosen, to the path of the endpoint."""
    async with peer(answering(OK), path="/v1/logs") as told, opened(told.url, headers={"api-key": SECRET}) as sink:
        await sink.write(numbered(500))
        assert sink.figures == {"requests": 1, "partial_rejected": 0}
    (request,) = told.requests
    assert request.line == "POST /v1/logs HTTP/1.1"
    assert (request.headers["content-type"], request.headers["api-key"]) == ("application/x-protobuf", SECRET)
    found = events_of(ExportLogsServiceRequest.FromString(request.body))
    assert [event["sequence"] for event in found] == list(range(500))


async def test_a_body_may_be_compressed() -> None:
    """gzip is said in the header and is what the body is."""
    async with peer(answering(OK)) as told, opened(told.url, compression="gzip") as sink:
        await sink.write(numbered(50))
    (request,) = told.requests
    assert request.headers["content-encoding"] == "gzip"
    assert len(events_of(ExportLogsServiceRequest.FromString(gzip.decompress(request.body)))) == 50


async def test_the_observed_time_is_when_it_was_sent() -> None:
    """The observed time is the sink's clock."""
    clock = FakeClock()
    async with peer(answering(OK)) as told, opened(told.url, clock) as sink:
        await sink.write(numbered(1))
    request = ExportLogsServiceRequest.FromString(told.requests[0].body)
    assert request.resource_logs[0].scope_logs[0].log_records[0].observed_time_unix_nano == clock.time_ns()


async def test_an_empty_batch_asks_nobody() -> None:
    """No request for no events."""
    async with peer(answering(OK)) as told, opened(told.url) as sink:
        await sink.write(numbered(0))
    assert told.requests == []


async def test_every_status_means_what_the_protocol_says() -> None:
    """2xx is taken; 429, 502, 503, 504 come again; a login waits; 400, 413, 422 are split; all else is refused."""
    statuses = [*range(200, 204), *range(205, 304), *range(305, 600)]
    async with peer(answering(*(answer(status) for status in statuses))) as told, opened(told.url) as sink:
        for status in statuses:
            if status < 300:
                await sink.write(numbered(2))
                continue
            error = await refused(sink, numbered(2))
            assert error.retryable == (status in LATER | LOGIN), status
            assert error.retry_after == (30 if status in LOGIN else None), status
            whole = None if status in LATER | LOGIN | SPLIT else frozenset({0, 1})
            assert error.failed_indexes == whole, status
            assert str(status) in str(error)
    assert len(told.requests) == len(statuses)


@pytest.mark.parametrize(
    ("header", "seconds"),
    [("2", 2), ("0", 0), ("-5", 0), ("1e9", None), ("99999999999", 300), ("soon", None), ("", None)],
)
async def test_retry_after_is_handed_on(header: str, seconds: float | None) -> None:
    """What the receiver asks to wait reaches the delivery, kept between nothing and five minutes."""
    async with peer(answering(answer(429, retry_after=header))) as told, opened(told.url) as sink:
        error = await refused(sink, numbered(1))
    assert (error.retryable, error.retry_after) == (True, seconds)


async def test_retry_after_may_be_a_date() -> None:
    """A date is turned into seconds by the sink's clock."""
    clock = FakeClock()
    when = formatdate(clock.time_ns() // 10**9 + 7, usegmt=True)
    async with peer(answering(answer(503, retry_after=when))) as told, opened(told.url, clock) as sink:
        error = await refused(sink, numbered(1))
    assert error.retry_after is not None
    assert 6 <= error.retry_after <= 7


async def test_a_partial_success_is_counted_and_never_sent_again() -> None:
    """Records that were not kept are counted and told in the health; a warning is no rejection."""
    answers = [answer(200, response(3, "too old")), answer(200, response(0, "slow down")), OK]
    async with peer(answering(*answers)) as told, opened(told.url) as sink:
        await sink.write(numbered(10))
        assert sink.figures["partial_rejected"] == 3
        assert sink.health()["last_warning"] == f"{sink.health()['endpoint']} did not keep 3 of 10 records: too old"
        assert sink.health()["status"] == "ok"
        await sink.write(numbered(10))
        assert sink.figures["partial_rejected"] == 3
        assert sink.health()["last_warning"] == "slow down"
        await sink.write(numbered(10))
    assert len(told.requests) == 3


async def test_a_partial_success_that_kept_nothing_refuses_the_batch() -> None:
    """If all were rejected it is known which: they are refused for good, with the receiver's reason."""
    async with peer(answering(answer(200, response(10, "no such tenant")))) as told, opened(told.url) as sink:
        with pytest.raises(RejectedError, match="no such tenant") as caught:
            await Splitting(sink).write(numbered(10))
    assert caught.value.failed_indexes == frozenset(range(10))
    assert len(told.requests) == 1


@pytest.mark.parametrize("rejected", [-1, 11, 1 << 62])
async def test_a_count_of_rejected_records_is_kept_within_the_batch(rejected: int) -> None:
    """A receiver cannot make the figures say nonsense."""
    async with peer(answering(answer(200, response(rejected)))) as told, opened(told.url) as sink:
        if rejected > 0:
            await refused(sink, numbered(10))
        else:
            await sink.write(numbered(10))
        assert sink.figures["partial_rejected"] == (10 if rejected > 0 else 0)


@pytest.mark.parametrize("body", [b"{}", b"<html>ok</html>", b"\xff" * 100, b"x" * 60_000])
async def test_an_answer_that_is_no_response_is_taken_all_the_same(body: bytes) -> None:
    """200 acknowledges the request, whatever a proxy made of the body."""
    async with peer(answering(answer(200, body))) as told, opened(told.url) as sink:
        await sink.write(numbered(3))
        assert sink.figures["partial_rejected"] == 0


async def test_a_bad_event_is_found_and_the_others_arrive() -> None:
    """Of a batch that is refused with 400 all events arrive but the one to blame, in order."""

    async def play(told, reader, writer):
        while (request := await read_request(reader)) is not None:
            found = [event["sequence"] for event in events_of(ExportLogsServiceRequest.FromString(request.body))]
            if 5 in found:
                writer.write(answer(400, b"cannot decode"))
            else:
                told.requests.append(found)
                writer.write(OK)
            await writer.drain()

    async with peer(play) as told, opened(told.url) as sink:
        with pytest.raises(RejectedError, match="cannot decode") as caught:
            await Splitting(sink).write(numbered(10))
    assert caught.value.failed_indexes == {5}
    assert [number for found in told.requests for number in found] == [0, 1, 2, 3, 4, 6, 7, 8, 9]


async def test_what_a_receiver_echoes_is_not_shown() -> None:
    """A header's value in an answer, an error's text or a warning is masked; binary answers are one readable line."""
    echo = f"\x08\x03\x12\x20bad token {SECRET} \x00\n".encode()
    answers = [answer(400, echo), answer(401, echo), answer(200, response(1, f"{SECRET} is bad"))]
    headers = {"api-key": SECRET, "authorization": f"Bearer {SECRET}"}
    async with peer(answering(*answers)) as told, opened(told.url, headers=headers) as sink:
        errors = [await refused(sink, numbered(2)), await refused(sink, numbered(2))]
        await sink.write(numbered(2))
        shown = f"{errors} {sink.health()} {sink!r}"
    assert SECRET not in shown
    assert "bad token ***" in str(errors[0])
    assert len(str(errors[0]).splitlines()) == 1


async def _hang(told, reader, writer):
    await reader.read()


async def _reset(told, reader, writer):
    await read_request(reader)
    reset(writer)


@pytest.mark.parametrize("script", [_hang, _reset])
async def test_a_receiver_that_does_not_answer_is_tried_again_later(script) -> None:
    """A hang ends with the timeout, a reset at once; both are retryable and seen in the health."""
    async with peer(script) as told, opened(told.url, timeout=0.2) as sink:
        error = await refused(sink, numbered(1))
        assert error.retryable
        assert (sink.health()["status"], sink.health()["last_error"]) == ("failing", str(error))


async def test_a_write_that_was_cancelled_does_not_disturb_the_next_one() -> None:
    """A cancelled request's connection is not used again."""
    seen = asyncio.Event()

    async def first(told, reader, writer):
        await read_request(reader)
        seen.set()
        await reader.read()

    async with peer(first, answering(OK)) as told, opened(told.url) as sink:
        task = asyncio.ensure_future(sink.write(numbered(1)))
        await seen.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await sink.write(numbered(1, 7))
        assert sink.health()["status"] == "ok"
    assert [
        events_of(ExportLogsServiceRequest.FromString(request.body))[0]["sequence"] for request in told.requests
    ] == [7]


async def test_http_to_a_grpc_port_is_an_error_that_may_pass() -> None:
    """The wrong port is no acknowledgement: events wait until the endpoint is put right."""
    with grpc_peer(taken) as told:
        async with opened(f"{told.url}/v1/logs", timeout=2) as sink:
            error = await refused(sink, numbered(1))
    assert error.retryable
    assert told.requests == []


async def test_tls_is_verified(tmp_path: Path) -> None:
    """A certificate of an authority that was named is accepted; of another one it is not, and nothing is sent."""
    authority = Authority(tmp_path)
    context = server_context(authority.issue("server"))
    async with peer(answering(OK), context=context) as told:
        async with opened(told.url, ca_file=str(authority.file)) as sink:
            await sink.write(numbered(1))
        async with opened(told.url) as sink:
            error = await refused(sink, numbered(1))
    assert (error.retryable, error.retry_after) == (True, 30)
    assert "certificate" in str(error)
    assert len(told.requests) == 1
