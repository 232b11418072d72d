"""WebhookSink: which events are sent, in which calls, and what becomes of those that are refused."""

import json
from contextlib import asynccontextmanager
from itertools import chain

import pytest

from fapilog.clock import SYSTEM_CLOCK
from fapilog.delivery.splitting import Splitting
from fapilog.errors import ConfigError, SinkError
from fapilog.levels import LevelTable
from fapilog.protocols import Batch
from fapilog.sinks.webhook.options import WebhookOptions
from fapilog.sinks.webhook.signing import verify
from fapilog.sinks.webhook.sink import WebhookSink
from fapilog.testing.contracts import SINK_CHECKS, SinkTarget, make_batch, make_events
from fapilog.testing.fakes import EPOCH_NS, FakeClock
from tests.services.http import HttpServer
from tests.sinks.http.peers import NO_CONTENT, answer, answering, peer, read_request, refused

SECRET = "canary-secret-of-the-receiver"
PREVIOUS = "canary-secret-before-that-one"
NOW = EPOCH_NS // 1_000_000_000


def _batch(*levels: str) -> Batch:
    events = make_events(len(levels))
    return make_batch(
        [
            {**event, "level": level, "event_id": f"5f0c-{number}"}
            for number, (event, level) in enumerate(zip(events, levels, strict=True))
        ]
    )


@asynccontextmanager
async def opened(url, clock=SYSTEM_CLOCK, levels=None, **options):
    """Open a sink for a URL, and close it."""
    sink = WebhookSink(WebhookOptions(url, SECRET, **options), clock, levels)
    await sink.open()
    try:
        yield sink
    finally:
        await sink.close()


def _numbers(receiver):
    """Return the numbers of the events in each call."""
    bodies = [json.loads(request.body) for request in receiver.requests]
    return [[event["n"] for event in (body if isinstance(body, list) else [body])] for body in bodies]


@pytest.mark.parametrize("batch", [False, True])
@pytest.mark.parametrize("check", SINK_CHECKS, ids=lambda check: check.__name__)
@pytest.mark.requires_service("uvicorn", module="uvicorn")
@pytest.mark.asyncio
async def test_contract(check, server, batch):
    """A webhook is a sink, with one call an event or a batch."""
    options = WebhookOptions(server.url, SECRET, min_level="DEBUG", batch=batch)
    path = server.folder / "events.jsonl"
    await check(SinkTarget(lambda: WebhookSink(options), lambda: path.read_bytes().splitlines(keepends=True)))


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    """Run one receiver for the tests of the contract."""
    with HttpServer(tmp_path_factory.mktemp("receiver")) as running:
        yield running


@pytest.mark.asyncio
async def test_each_event_is_a_signed_call_in_order():
    """The receiver can check each call, knows the event by its id, and gets the JSON object as it is."""
    async with peer(answering(NO_CONTENT)) as receiver, opened(receiver.url, FakeClock()) as sink:
        batch = _batch("WARNING", "ERROR", "CRITICAL")
        await sink.write(batch)

    assert [request.body + b"\n" for request in receiver.requests] == [batch.line(number) for number in range(3)]
    ids = [verify(request.body, request.headers, SECRET, now=NOW) for request in receiver.requests]
    assert ids == ["5f0c-0", "5f0c-1", "5f0c-2"]
    assert {request.headers["content-type"] for request in receiver.requests} == {"application/json"}
    assert receiver.connections == 1


@pytest.mark.asyncio
async def test_a_batch_may_be_one_signed_call():
    """With `batch` there is one array for all, whose id is the same when it is sent again, and no other's."""
    calls = answering(answer(503), NO_CONTENT)
    async with peer(calls) as receiver, opened(receiver.url, FakeClock(), batch=True) as sink:
        batch = _batch("INFO", "ERROR", "DEBUG", "WARNING")
        error = await refused(sink, batch)
        assert (error.retryable, error.failed_indexes) == (True, {1, 3})
        await sink.write(batch.only([1, 3]))
        await sink.write(_batch("ERROR"))

    assert _numbers(receiver) == [[1, 3], [1, 3], [0]]
    ids = [verify(request.body, request.headers, SECRET, now=NOW) for request in receiver.requests]
    assert ids[0] == ids[1] != ids[2]


@pytest.mark.asyncio
async def test_both_keys_sign_while_they_are_changed():
    """A receiver that still has the key before believes the call, too."""
    async with peer(answering(NO_CONTENT)) as receiver, opened(receiver.url, previous_secret=PREVIOUS) as sink:
        await sink.write(_batch("ERROR"))

    (request,) = receiver.requests
    for secret in (SECRET, PREVIOUS):
        verify(request.body, request.headers, secret)


@pytest.mark.asyncio
async def test_a_call_that_is_made_again_has_a_new_timestamp_and_the_same_id():
    """Waiting on disk for a day does not make a call too old, and the receiver knows the event again."""
    clock = FakeClock()
    async with peer(answering(answer(503), NO_CONTENT)) as receiver, opened(receiver.url, clock) as sink:
        await refused(sink, _batch("ERROR"))
        clock.advance(86_400)
        await sink.write(_batch("ERROR"))

    first, second = receiver.requests
    assert verify(first.body, first.headers, SECRET, now=NOW) == "5f0c-0"
    assert verify(second.body, second.headers, SECRET, now=NOW + 86_400) == "5f0c-0"


@pytest.mark.parametrize("batch", [False, True])
@pytest.mark.asyncio
async def test_events_below_the_level_are_not_sent_and_counted(batch):
    """They count as delivered; a batch of nothing else costs no call."""
    async with peer(answering(NO_CONTENT)) as receiver, opened(receiver.url, batch=batch) as sink:
        await sink.write(_batch("DEBUG", "INFO"))
        assert receiver.requests == []
        await sink.write(_batch("INFO", "WARNING", "DEBUG", "ERROR"))

        assert list(chain(*_numbers(receiver))) == [1, 3]
        assert sink.figures["below_level"] == 4


@pytest.mark.parametrize(
    ("least", "sent"),
    [("debug", [0, 1, 2, 3]), ("NOTICE", [1, 2, 3]), (30, [2, 3]), ("critical", [3]), ("WARN", [2, 3])],
)
@pytest.mark.asyncio
async def test_levels_of_ones_own_count(least, sent):
    """A registered level stands where its number says; one that nobody knows is sent rather than lost."""
    levels = LevelTable()
    levels.register("NOTICE", 25)
    async with peer(answering(NO_CONTENT)) as receiver, opened(receiver.url, levels=levels, min_level=least) as sink:
        await sink.write(_batch("INFO", "NOTICE", "ERROR", "UNHEARD_OF"))

    assert _numbers(receiver) == [[number] for number in sent]


@pytest.mark.parametrize("status", [500, 429, 401])
@pytest.mark.asyncio
async def test_what_was_not_taken_is_named(status):
    """Of five events two are taken; the delivery sends the other three again, in order, and none twice."""
    calls = answering(NO_CONTENT, NO_CONTENT, answer(status, Retry_After="7"), NO_CONTENT)
    async with peer(calls) as receiver, opened(receiver.url) as sink:
        batch = _batch(*["ERROR"] * 5)
        error = await refused(sink, batch)
        assert (error.retryable, error.retry_after, error.failed_indexes) == (True, 7.0, {2, 3, 4})
        await sink.write(batch.only(sorted(error.failed_indexes)))

    assert _numbers(receiver) == [[0], [1], [2], [2], [3], [4]]


@pytest.mark.asyncio
async def test_an_event_that_is_refused_for_good_holds_up_no_other():
    """It is named with the receiver's reason; those behind it are sent."""
    calls = answering(NO_CONTENT, answer(422, b"no such channel"), NO_CONTENT, answer(413))
    async with peer(calls) as receiver, opened(receiver.url) as sink:
        error = await refused(sink, _batch("INFO", *["ERROR"] * 4))

    assert _numbers(receiver) == [[1], [2], [3], [4]]
    assert (error.retryable, set(error.rejected)) == (False, {2, 4})
    assert error.failed_indexes == {2, 4}
    assert "no such channel" in error.rejected[2]


@pytest.mark.asyncio
async def test_refused_for_good_and_to_be_sent_again_are_told_apart():
    """When the receiver goes away after it refused one, that one is not sent again and the rest is."""
    async with peer(answering(answer(400), NO_CONTENT, answer(503))) as receiver, opened(receiver.url) as sink:
        error = await refused(sink, _batch(*["ERROR"] * 4))

    assert len(receiver.requests) == 3
    assert (error.retryable, set(error.rejected), error.failed_indexes) == (True, {0}, {0, 2, 3})


@pytest.mark.parametrize("batch", [False, True])
@pytest.mark.parametrize("status", [404, 410, 302])
@pytest.mark.asyncio
async def test_a_receiver_that_is_not_there_is_not_asked_for_each_event(status, batch):
    """No event is to blame for a wrong URL: one call, and what is left is refused, but for those below the level."""
    async with peer(answering(answer(status))) as receiver, opened(receiver.url, batch=batch) as sink:
        error = await refused(sink, _batch("ERROR", "INFO", "ERROR"))

    assert len(receiver.requests) == 1
    assert (error.retryable, error.failed_indexes) == (False, {0, 2})


@pytest.mark.asyncio
async def test_a_batch_that_is_refused_is_split_down_to_the_event_to_blame():
    """Under the delivery's splitting the others are taken, the one is named, and figures count each event once."""

    async def play(told, reader, writer):
        while (request := await read_request(reader)) is not None:
            told.requests.append(request)
            writer.write(answer(400) if b'"n":5' in request.body else NO_CONTENT)

    async with peer(play) as receiver, opened(receiver.url, batch=True) as sink:
        splitting = Splitting(sink)
        with pytest.raises(SinkError) as caught:
            await splitting.write(_batch("INFO", "ERROR", "INFO", "ERROR", "ERROR", "ERROR", "INFO", "ERROR"))

        assert caught.value.failed_indexes == {5}
        taken = [numbers for numbers in _numbers(receiver) if 5 not in numbers]
        assert sorted(chain(*taken)) == [1, 3, 4, 7]
        assert sink.figures["below_level"] == 3


@pytest.mark.asyncio
async def test_one_event_of_a_batch_that_is_refused_is_the_one_to_blame():
    """There is nothing to split: it was alone in the call, and is called about once."""
    async with peer(answering(answer(400))) as receiver, opened(receiver.url, batch=True) as sink:
        with pytest.raises(SinkError) as caught:
            await Splitting(sink).write(_batch("INFO", "ERROR", "INFO", "INFO"))

    assert len(receiver.requests) == 1
    assert caught.value.failed_indexes == {1}


@pytest.mark.asyncio
async def test_health_and_figures():
    """Requests that were refused are counted and told, until one is taken."""
    async with peer(answering(answer(500), NO_CONTENT)) as receiver, opened(receiver.url) as sink:
        await refused(sink, _batch("ERROR"))
        assert sink.health()["status"] == "failing"
        await sink.write(_batch("ERROR"))
        assert sink.health() == {"status": "ok", "url": receiver.url.removesuffix("/ingest")}
        assert (sink.figures["requests"], sink.figures["refused_requests"]) == (2, 1)


@pytest.mark.asyncio
async def test_an_event_without_an_id_of_ours_is_known_by_its_content():
    """Every call has an id, whatever the event holds, and the same content has the same one."""
    events = [{**event, "level": "ERROR"} for event in make_events(3)]
    events[1]["event_id"] = "with.a full\nstop"
    events[2]["event_id"] = 7.5
    async with peer(answering(NO_CONTENT)) as receiver, opened(receiver.url) as sink:
        await sink.write(make_batch(events))
        await sink.write(make_batch(events))

    ids = [verify(request.body, request.headers, SECRET) for request in receiver.requests]
    assert ids[:3] == ids[3:]
    assert len(set(ids)) == 3


URL = "https://hooks.example.com/services/canary"
WRONG = [
    ("url", "hooks.example.com"),
    ("secret", None),
    ("secret", ""),
    ("secret", "canary-short"),
    ("secret", "whsec_canary"),
    ("secret", b"canary-secret-of-the-receiver"),
    ("previous_secret", "canary-short"),
    ("previous_secret", 7),
    ("batch", "yes"),
    ("min_level", None),
    ("min_level", True),
    ("min_level", 2.5),
    ("headers", {"Webhook-Id": "canary"}),
    ("headers", {"Webhook-Signature": "canary"}),
    ("headers", {"X-A": "canary\n"}),
    ("headers", "canary"),
    ("ca_file", 7),
    ("verify", None),
    ("timeout", "soon"),
    ("allow_insecure", 1),
    ("name", ""),
]


@pytest.mark.parametrize(("option", "given"), WRONG, ids=lambda value: repr(value)[:40])
def test_a_wrong_value_is_refused_by_name_and_not_shown(option, given):
    """The error names the method and the option, and quotes no secret."""
    with pytest.raises(ConfigError, match=rf"^add_webhook\({option}\)") as caught:
        WebhookOptions(**{"url": URL, "secret": SECRET, option: given})
    assert "canary" not in str(caught.value)


def test_an_unknown_level_is_refused_when_the_sink_is_built():
    """It may be one that is registered only later than the options are read."""
    options = WebhookOptions(URL, SECRET, min_level="NOTICE")
    with pytest.raises(ConfigError, match=r"add_webhook\(min_level\)"):
        WebhookSink(options)


def test_credentials_do_not_go_over_plain_http():
    """The key itself is never sent; credentials in the URL or a header are, and need TLS."""
    WebhookOptions("http://hooks.example.com/", SECRET)
    for options in ({"url": "http://u:canary@hooks.example.com/"}, {"headers": {"X-Token": "canary"}}):
        with pytest.raises(ConfigError, match="https"):
            WebhookOptions(**{"url": "http://hooks.example.com/", "secret": SECRET, **options})
        WebhookOptions(**{"url": "http://hooks.example.com/", "secret": SECRET, **options, "allow_insecure": True})


def test_no_secret_is_shown():
    """Neither keys nor paths nor header values are in what options and sinks show."""
    options = WebhookOptions(URL, SECRET, PREVIOUS, headers={"X-Api-Key": "canary"})
    sink = WebhookSink(options)

    assert "canary" not in repr([options, str(options), sink, str(sink), sink.health()])
    assert repr(options).startswith("WebhookOptions(url='https://hooks.example.com', secret='***'")
