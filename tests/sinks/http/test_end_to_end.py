"""From the log call to a receiver with moods: through the engine and its delivery, what arrives and what is counted."""

import asyncio
import json
from itertools import chain

import pytest

from fapilog import LoggerBuilder
from fapilog.sinks.http.options import HttpOptions
from fapilog.sinks.http.sink import HttpSink
from fapilog.sinks.webhook.options import WebhookOptions
from fapilog.sinks.webhook.signing import verify
from fapilog.sinks.webhook.sink import WebhookSink
from tests.sinks.http.peers import NO_CONTENT, answer, answering, peer, read_request

SECRET = "secret-of-the-receiver"


async def _logged(sink, count, dead=None, **fields):
    """Log as many events, and return the sink's figures after a drain."""
    builder = LoggerBuilder().with_retry(first_seconds="1ms").add_sink(sink)
    if dead is not None:
        builder = builder.with_dead_letters(dead)
    logger = builder.build()
    for number in range(count):
        logger.error("event", number=number, **fields)
    return (await logger.stop_and_drain(30)).sinks[sink.name]


def _numbers(request):
    return [json.loads(line)["number"] for line in request.body.splitlines()]


@pytest.mark.asyncio
async def test_a_receiver_that_comes_and_goes_gets_everything_in_order():
    """Resets, 500s and throttling: the batch comes again with the key it had, until it is taken."""

    async def cut(told, reader, writer):
        told.requests.append(await read_request(reader))

    moody = answering(answer(500), answer(429, Retry_After="0"), answer(401, Retry_After="0"), NO_CONTENT)
    async with peer(cut, cut, moody) as receiver:
        sums = await _logged(HttpSink(HttpOptions(receiver.url)), 200)

    taken = receiver.requests[5:]
    assert list(chain(*map(_numbers, taken))) == list(range(200))
    assert len({request.headers["idempotency-key"] for request in receiver.requests[:6]}) == 1
    assert (sums["delivered"], sums["failed"], sums["in_flight"]) == (200, {}, 0)


@pytest.mark.parametrize("status", [400, 413, 422])
@pytest.mark.asyncio
async def test_one_bad_event_costs_only_itself(status, tmp_path):
    """The receiver refuses whatever it is in: all others arrive, in order, and it is a dead letter, with the reason."""

    async def play(told, reader, writer):
        while (request := await read_request(reader)) is not None:
            bad = 77 in _numbers(request)
            if not bad:
                told.requests.append(request)
            writer.write(answer(status, b"bad number") if bad else NO_CONTENT)

    async with peer(play) as receiver:
        sums = await _logged(HttpSink(HttpOptions(receiver.url)), 100, tmp_path / "dead.jsonl")

    assert list(chain(*map(_numbers, receiver.requests))) == [number for number in range(100) if number != 77]
    assert (sums["delivered"], sum(sums["failed"].values())) == (99, 1)
    dead = (tmp_path / "dead.jsonl").read_text()
    assert dead.count("\n") == 1
    assert "bad number" in dead
    assert '"number":77' in dead


@pytest.mark.asyncio
async def test_a_receiver_of_small_batches_gets_everything():
    """413 for more than ten events is no event's fault: halves of halves get through, in order."""

    async def play(told, reader, writer):
        while (request := await read_request(reader)) is not None:
            fits = len(_numbers(request)) <= 10
            if fits:
                told.requests.append(request)
            writer.write(NO_CONTENT if fits else answer(413))

    async with peer(play) as receiver:
        sums = await _logged(HttpSink(HttpOptions(receiver.url)), 100)

    assert list(chain(*map(_numbers, receiver.requests))) == list(range(100))
    assert sums["delivered"] == 100


@pytest.mark.asyncio
async def test_a_wrong_url_fails_at_once_and_keeps_the_events_as_dead_letters(tmp_path):
    """Nothing is tried again or split: the configuration is to blame, and the file says so."""
    async with peer(answering(answer(404))) as receiver:
        sums = await _logged(HttpSink(HttpOptions(receiver.url)), 50, tmp_path / "dead.jsonl")

    assert sum(sums["failed"].values()) == 50
    assert len(receiver.requests) <= 2
    assert (tmp_path / "dead.jsonl").read_text().count("\n") == 50


@pytest.mark.asyncio
async def test_calls_of_a_webhook_are_made_once_each_in_order():
    """Where a call fails, those before it are not made again, and those behind it wait."""
    calls = answering(NO_CONTENT, NO_CONTENT, answer(503), answer(500), NO_CONTENT)
    async with peer(calls) as receiver:
        sums = await _logged(WebhookSink(WebhookOptions(receiver.url, SECRET)), 20)

    numbers = [json.loads(request.body)["number"] for request in receiver.requests]
    ids = [verify(request.body, request.headers, SECRET) for request in receiver.requests]
    assert numbers == [0, 1, 2, 2, *range(2, 20)]
    assert len(set(ids)) == 20
    assert sums["delivered"] == 20


@pytest.mark.asyncio
async def test_a_hanging_receiver_holds_up_no_drain():
    """A drain gives up in its time and says what is still under way; when the receiver is back, that arrives."""
    release = asyncio.Event()

    async def hang(told, reader, writer):
        await release.wait()

    async with peer(hang, answering(NO_CONTENT)) as receiver:
        sink = HttpSink(HttpOptions(receiver.url, timeout="1h"))
        logger = LoggerBuilder().with_retry(first_seconds="1ms").add_sink(sink).build()
        logger.error("event", number=1)
        async with asyncio.timeout(30):
            first = await logger.stop_and_drain("300ms")
        release.set()
        second = await logger.stop_and_drain(30)

    assert (first.timed_out, first.delivered, first.in_flight) == (True, 0, 1)
    assert (second.timed_out, second.delivered, second.in_flight) == (False, 1, 0)
    assert [_numbers(request) for request in receiver.requests] == [[1]]
    assert sink.health()["status"] == "closed"
