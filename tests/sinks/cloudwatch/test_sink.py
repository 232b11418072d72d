"""CloudwatchSink against moto's server: what arrives, what is said of what does not."""

import json
import os
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fapilog.errors import SinkError
from fapilog.event import timestamp
from fapilog.protocols import Batch
from fapilog.sinks.cloudwatch.client import LogsClient
from fapilog.sinks.cloudwatch.packing import MAX_MESSAGE, TOO_LARGE, TOO_NEW, TOO_OLD
from fapilog.sinks.cloudwatch.sink import CloudwatchSink, _milliseconds
from fapilog.testing.contracts import SINK_CHECKS, SinkTarget, make_batch, make_events
from fapilog.testing.fakes import EPOCH_NS, FakeClock
from tests.services.cloudwatch import ACCESS_KEY_ID, REGION, SECRET_ACCESS_KEY
from tests.sinks.cloudwatch.support import boto_client, opened

pytestmark = [pytest.mark.requires_service("moto", module="moto"), pytest.mark.asyncio]
HOUR_NS = 3_600_000_000_000


def _at(*hours: float) -> list[dict[str, object]]:
    """Return events, numbered in ``n``, so many hours after now."""
    events = make_events(len(hours))
    return [
        {**event, "timestamp": timestamp(EPOCH_NS + int(hour * HOUR_NS))}
        for event, hour in zip(events, hours, strict=True)
    ]


@pytest.mark.parametrize("check", SINK_CHECKS, ids=lambda check: check.__name__)
async def test_contract(check, server, group):
    """A CloudWatch sink is a sink."""
    await check(SinkTarget(lambda: CloudwatchSink(server.options(group)), lambda: server.messages(group)))


async def test_an_event_arrives_with_its_own_time_in_a_stream_of_this_process(server, group):
    """Read back through the API: the message is the JSON line, the time is the event's in milliseconds."""
    batch = make_batch(_at(-1.5, 0, 0.5))
    async with opened(CloudwatchSink(server.options(group))) as sink:
        await sink.write(batch)
        stream = sink.health()["stream"]

    client = boto_client(server)
    found = client.get_log_events(logGroupName=group, logStreamName=stream, startFromHead=True)["events"]
    client.close()

    assert stream.endswith(f"/{os.getpid()}")
    assert [event["message"].encode() + b"\n" for event in found] == [batch.line(index) for index in range(3)]
    assert [event["timestamp"] - EPOCH_NS // 1_000_000 for event in found] == [-5_400_000, 0, 1_800_000]


async def test_open_creates_group_and_stream_once_and_sets_the_retention(server, group):
    """What is missing is made, what is there is left, and the group keeps events as long as was asked."""
    options = server.options(group, stream="api", retention_days=30)
    async with opened(CloudwatchSink(options)) as sink:
        assert sink.figures["created"] == 2
    async with opened(CloudwatchSink(options)) as sink:
        assert sink.figures["created"] == 0

    client = boto_client(server)
    found = client.describe_log_groups(logGroupNamePrefix=group)["logGroups"]
    client.close()
    assert [(entry["logGroupName"], entry["retentionInDays"]) for entry in found] == [(group, 30)]


async def test_a_refused_retention_does_not_hold_up_events(server, group):
    """A role that may write but not set a retention writes; the figures tell."""
    server.order({"operation": "PutRetentionPolicy", "status": 400, "body": {"__type": "AccessDeniedException"}})
    async with opened(CloudwatchSink(server.options(group, retention_days=7))) as sink:
        await sink.write(make_batch(make_events(2)))

        assert sink.figures["retention_refused"] == 1
    assert len(server.received(group)) == 2


async def test_without_create_a_missing_group_or_stream_is_a_configuration_error(server, group):
    """``create=False`` makes nothing, and says at once what is not there."""
    sink = CloudwatchSink(server.options(group, stream="api", create=False))
    with pytest.raises(SinkError, match="does not exist") as no_group:
        await sink.open()
    client = boto_client(server)
    client.create_log_group(logGroupName=group)
    client.create_log_stream(logGroupName=group, logStreamName="api-2")
    with pytest.raises(SinkError, match="'api' does not exist") as no_stream:
        await sink.open()
    assert not no_group.value.retryable
    assert not no_stream.value.retryable
    assert (sink.health()["status"], sink.figures["created"]) == ("failing", 0)

    client.create_log_stream(logGroupName=group, logStreamName="api")
    client.close()
    async with opened(sink):
        await sink.write(make_batch(make_events(1)))
        assert sink.health()["status"] == "ok"
    assert len(server.received(group)) == 1


async def test_without_the_right_to_look_create_false_opens(server, group):
    """A role that may only put events needs no other permission."""
    server.order({"operation": "DescribeLogStreams", "status": 400, "body": {"__type": "AccessDeniedException"}})

    async with opened(CloudwatchSink(server.options(group, create=False))) as sink:
        assert sink.health()["status"] == "ok"


async def test_events_that_are_never_taken_are_named_with_their_reason_and_the_others_arrive(server, group):
    """Positions are those of the batch, though the call was sorted by time; nothing else is named."""
    events = _at(3, -0.1, -20 * 24, 0, -15 * 24, 2.5, -0.2)
    events[3]["text"] = "x" * MAX_MESSAGE
    async with opened(CloudwatchSink(server.options(group))) as sink:
        with pytest.raises(SinkError) as caught:
            await sink.write(make_batch(events))

        assert (sink.figures["events"], sink.figures["rejected"]) == (2, 5)
        assert sink.health()["status"] == "ok"
    assert not caught.value.retryable
    assert caught.value.rejected == {0: TOO_NEW, 2: TOO_OLD, 3: TOO_LARGE, 4: TOO_OLD, 5: TOO_NEW}
    assert caught.value.failed_indexes == caught.value.rejected.keys()
    assert [event["n"] for event in server.received(group)] == [6, 1]


async def test_all_limits_hold_against_a_server_that_checks_them(server, group):
    """Batches over every limit at once arrive whole and in the order of time, in as many calls as it takes."""
    events = make_events(10_001) + _at(-30, -30, 1.9)
    for number, event in enumerate(events):
        event["n"] = number
    large = [{**event, "text": "ż" * 250_000} for event in make_events(5, start=20_000)]
    async with opened(CloudwatchSink(server.options(group))) as sink:
        await sink.write(make_batch(events))
        await sink.write(make_batch(large))

    sizes = [len(call["events"]) for call in server.calls(group)]
    assert sizes[0] == 2
    assert sizes[-3:] == [2, 2, 1]
    assert sum(sizes) == len(events) + len(large)
    numbers = [event["n"] for event in server.received(group)]
    assert numbers == [10_001, 10_002, *range(10_001), 10_003, *range(20_000, 20_005)]


async def test_the_largest_event_is_taken_and_one_byte_more_is_not_sent(server, group):
    """1 MiB less 26 bytes is the limit of the service, to the byte."""
    (event,) = make_events(1, text="")
    room = MAX_MESSAGE - (len(make_batch([event]).line(0)) - 1)
    async with opened(CloudwatchSink(server.options(group))) as sink:
        await sink.write(make_batch([{**event, "text": "x" * room}]))
        with pytest.raises(SinkError) as caught:
            await sink.write(make_batch([{**event, "text": "x" * (room + 1)}]))

    assert caught.value.rejected == {0: TOO_LARGE}
    assert len(server.received(group)) == 1


async def test_after_a_failed_call_everything_not_taken_is_named(server, group):
    """The first of three calls is taken, the second throttled, the third not made; what was rejected stays so."""
    events = [{**event, "text": "x" * 600_000} for event in make_events(3)]
    events.insert(1, {**events[0], "text": "x" * MAX_MESSAGE})
    batch = make_batch(events)
    throttled = {"operation": "PutLogEvents", "status": 400, "body": {"__type": "ThrottlingException"}}
    server.order({"operation": "PutLogEvents"}, throttled)
    async with opened(CloudwatchSink(server.options(group))) as sink:
        with pytest.raises(SinkError) as caught:
            await sink.write(batch)
        assert sink.health()["status"] == "failing"
        await sink.write(batch.only([2, 3]))

        assert sink.figures["throttled"] == 1
        assert sink.health()["status"] == "ok"
    assert caught.value.retryable
    assert caught.value.failed_indexes == {1, 2, 3}
    assert caught.value.rejected == {1: TOO_LARGE}
    assert [event["n"] for event in server.received(group)] == [0, 1, 2]


async def test_a_refused_call_after_a_taken_one_is_tried_alone(server, group):
    """With names "not retryable" would lose good events, without names taken ones would go again: so it is neither."""
    batch = make_batch([{**event, "text": "x" * 600_000} for event in make_events(2)])
    refused = {"operation": "PutLogEvents", "status": 400, "body": {"__type": "InvalidParameterException"}}
    server.order({"operation": "PutLogEvents"}, refused, refused)
    async with opened(CloudwatchSink(server.options(group))) as sink:
        with pytest.raises(SinkError) as caught:
            await sink.write(batch)
        assert (caught.value.retryable, caught.value.failed_indexes) == (True, {1})
        with pytest.raises(SinkError) as caught:
            await sink.write(batch.only([1]))
        assert (caught.value.retryable, caught.value.failed_indexes) == (False, None)


async def test_a_group_that_was_deleted_is_created_again(server, group):
    """A stream that is gone in the middle of the run costs no event and needs no restart."""
    async with opened(CloudwatchSink(server.options(group))) as sink:
        await sink.write(make_batch(make_events(2)))
        server.forget()
        await sink.write(make_batch(make_events(2, start=2)))

        assert sink.figures["created"] == 4
    assert [event["n"] for event in server.received(group)] == [0, 1, 2, 3]


async def test_without_create_events_wait_for_a_stream_that_is_gone(server, group):
    """The batch is not at fault: it is kept for half a minute at a time, and the error says what is missing."""
    client = boto_client(server)
    client.create_log_group(logGroupName=group)
    client.create_log_stream(logGroupName=group, logStreamName="api")
    async with opened(CloudwatchSink(server.options(group, stream="api", create=False))) as sink:
        client.delete_log_stream(logGroupName=group, logStreamName="api")
        client.close()
        with pytest.raises(SinkError, match="does not exist") as caught:
            await sink.write(make_batch(make_events(1)))

    assert (caught.value.retryable, caught.value.retry_after) == (True, 30.0)


async def test_the_older_protocol_of_tokens_is_spoken_when_asked_for(server, group):
    """A service that demands a token gets it, and "already accepted" counts as taken."""
    wanted = {"__type": "InvalidSequenceTokenException", "expectedSequenceToken": "42"}
    accepted = {"__type": "DataAlreadyAcceptedException", "expectedSequenceToken": "43"}
    server.order({"operation": "PutLogEvents", "status": 400, "body": wanted})
    async with opened(CloudwatchSink(server.options(group))) as sink:
        await sink.write(make_batch(make_events(1)))
        await sink.write(make_batch(make_events(1)))
        server.order({"operation": "PutLogEvents", "status": 400, "body": accepted})
        await sink.write(make_batch(make_events(1)))

        assert sink.figures["events"] == 3
    first, second = [call["token"] for call in server.calls(group)]
    assert first == "42"
    assert second not in (None, "42")


async def test_the_time_is_the_events_whichever_schema_is_configured(server, group):
    """Lines of another schema do not begin with the time: it is read from the flat dict; what is unreadable is now."""
    flat = [
        {"timestamp": "2026-01-01T00:00:01.5Z"},
        {"timestamp": "2026-01-01T01:00:02+01:00"},
        {"timestamp": "2026-01-01T00:00:03"},
        {"timestamp": 1767225604},
        {},
        {"timestamp": "soon"},
    ]
    lines = [json.dumps({"@timestamp": "x", "n": number}).encode() + b"\n" for number in range(len(flat))]
    clock = FakeClock()
    clock.advance(9)
    async with opened(CloudwatchSink(server.options(group), clock)) as sink:
        await sink.write(Batch(lines, list, build_flat=lambda: flat))

    (call,) = server.calls(group)
    times = [event["timestamp"] - EPOCH_NS // 1_000_000 for event in call["events"]]
    assert times == [1500, 2000, 3000, 9000, 9000, 9000]


async def test_an_event_from_before_1970_is_rejected_alone(server, group):
    """A time that the API cannot even express is too old, and its neighbours are taken."""
    events = make_events(2)
    events[1]["timestamp"] = "1912-06-23T00:00:00.000000Z"
    async with opened(CloudwatchSink(server.options(group))) as sink:
        with pytest.raises(SinkError) as caught:
            await sink.write(make_batch(events))

    assert caught.value.rejected == {1: TOO_OLD}
    assert len(server.received(group)) == 1


async def test_credentials_may_come_from_where_boto3_finds_them(server, group, monkeypatch):
    """Without options the environment's credentials and region are used."""
    for name, value in {
        "AWS_ACCESS_KEY_ID": ACCESS_KEY_ID,
        "AWS_SECRET_ACCESS_KEY": SECRET_ACCESS_KEY,
        "AWS_REGION": REGION,
        "AWS_DEFAULT_REGION": REGION,
    }.items():
        monkeypatch.setenv(name, value)
    options = server.options(group, access_key_id=None, secret_access_key=None, region=None)
    async with opened(CloudwatchSink(options)) as sink:
        await sink.write(make_batch(make_events(1)))

    assert len(server.received(group)) == 1


async def test_an_empty_batch_makes_no_call(server, group):
    """Nothing to say is nothing sent."""
    async with opened(CloudwatchSink(server.options(group))) as sink:
        calls = sink.figures["calls"]
        await sink.write(make_batch([]))

        assert sink.figures["calls"] == calls


async def test_the_own_body_is_what_boto3_would_send(server, group):
    """Writing the body past botocore's serialiser changes nothing in what is sent but blanks and escapes."""
    sink = CloudwatchSink(server.options(group))
    client = LogsClient(server.options(group), "api", 10.0, sink.figures)
    bodies = []
    client._client.meta.events.register_last(
        "before-call.cloudwatch-logs.PutLogEvents", lambda params, **_: bodies.append(params["body"])
    )
    events = [{"timestamp": 1_767_225_600_000, "message": 'a "quoted" ż 😀 \u2028 \x00 line'}]
    client.prepare()
    client.put(events)
    client._own_body = False
    client.put(events)
    client.close()

    assert json.loads(bodies[0]) == json.loads(bodies[1])


@given(moment=st.datetimes(timezones=st.sampled_from([UTC, timezone(timedelta(hours=-9, minutes=-30))])))
async def test_milliseconds_are_exact(moment):
    """No time is off by one through rounding; those before 1970 are 0."""
    exact = (moment - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(milliseconds=1)

    assert _milliseconds(moment.isoformat()) == max(0, exact)
