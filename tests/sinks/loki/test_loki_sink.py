"""Batches against the strict stand-in: streams, metadata, both protocols, and what its answers become."""

import asyncio
import socket
from collections.abc import Iterator

import orjson
import pytest

from fapilog.errors import SinkError
from fapilog.sinks.loki.options import LokiOptions
from fapilog.sinks.loki.sink import LokiSink
from fapilog.testing.contracts import SINK_CHECKS, SinkTarget
from fapilog.testing.fakes import FakeClock
from fapilog.testing.loki import LokiLimits, StrictLoki
from tests.sinks.loki.helpers import NOW, batch_of, event, opened, refused

pytestmark = pytest.mark.asyncio
PROTOCOLS = ("json", "protobuf")


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock(NOW)


@pytest.fixture
def loki(clock: FakeClock) -> Iterator[StrictLoki]:
    with StrictLoki(clock=clock) as server:
        yield server


def messages(loki: StrictLoki) -> list[str]:
    return [orjson.loads(it.line)["message"] for it in loki.entries()]


@pytest.mark.parametrize("check", SINK_CHECKS, ids=lambda check: check.__name__)
@pytest.mark.parametrize("protocol", PROTOCOLS)
async def test_it_holds_to_the_contract_of_a_sink(check, protocol, loki) -> None:
    """Every check for sinks passes in both protocols, with the lines as Loki has them."""
    target = SinkTarget(
        lambda: LokiSink(LokiOptions(loki.url, protocol=protocol)),
        lambda: [it.line.encode() + b"\n" for it in loki.entries()],
    )

    await check(target)


@pytest.mark.parametrize("protocol", PROTOCOLS)
async def test_an_event_arrives_with_labels_time_line_and_metadata(protocol, loki, clock) -> None:
    """Labels are static ones and those of chosen fields, the level as Grafana writes it; ids are metadata."""
    given = event(7, level="WARNING", service="shop", env="prod", request_id="r-1", trace_id="ab" * 16, user="zoë")
    async with opened(loki.url, clock, protocol=protocol, labels={"team": 'the "A" \\ team\n'}) as sink:
        await sink.write(batch_of(given))

    (entry,) = loki.entries()
    assert entry.labels == {"team": 'the "A" \\ team\n', "level": "warn", "service": "shop", "env": "prod"}
    assert entry.time_ns == NOW + 7_000
    assert orjson.loads(entry.line) == given
    assert entry.metadata == {"request_id": "r-1", "trace_id": "ab" * 16, "event_id": given["event_id"]}


@pytest.mark.parametrize("protocol", PROTOCOLS)
async def test_order_within_a_stream_is_that_of_the_batch(protocol, loki, clock) -> None:
    """Events of equal time, and of an earlier time within Loki's window, stay in their order."""
    events = [event(number, age_seconds=number % 3, n=number) for number in range(50)]
    async with opened(loki.url, clock, protocol=protocol) as sink:
        await sink.write(batch_of(*events))

    assert [orjson.loads(it.line)["n"] for it in loki.entries()] == list(range(50))


async def test_labels_beyond_the_cap_fall_back_and_are_counted(loki, clock) -> None:
    """With three streams allowed, the fourth logger's events keep the static labels and their level."""
    options = {"labels": {"app": "shop"}, "label_fields": ["level", "logger"], "max_streams": 3}
    async with opened(loki.url, clock, **options) as sink:
        await sink.write(batch_of(*[event(number, logger=f"module{number % 5}") for number in range(10)]))
        assert sink.figures["capped"] == 4

    streams = {tuple(it.labels.items()) for it in loki.entries()}
    assert len(loki.entries()) == 10
    assert len(streams) == 4
    assert len(loki.entries(logger="module0")) == 2
    assert (("app", "shop"), ("level", "info")) in streams


async def test_tenant_and_credentials_are_sent(clock) -> None:
    """A Loki with tenants behind a proxy with basic authentication takes the push."""
    wanted = "Basic bWU6aGlkZGVuLXB3"
    with StrictLoki(clock=clock, auth_enabled=True, authorization=wanted) as loki:
        async with opened(loki.url, clock, tenant="team-a", username="me", password="hidden-pw") as sink:
            await sink.write(batch_of(event(1)))

        assert [it.tenant for it in loki.entries()] == ["team-a"]


async def test_refused_credentials_wait(clock) -> None:
    """401 asks the delivery to wait half a minute and to send the same batch again; nothing of them is shown."""
    with StrictLoki(clock=clock, authorization="Bearer right-token") as loki:
        async with opened(loki.url, clock, bearer="wrong-token") as sink:
            error = await refused(sink, batch_of(event(1)))
            shown = f"{error} {sink.health()} {sink!r}"

    assert (error.retryable, error.retry_after, error.failed_indexes) == (True, 30.0, None)
    assert "wrong-token" not in shown
    assert sink.health()["status"] == "closed"


async def test_a_missing_tenant_waits_too(clock) -> None:
    """Loki's `no org id` is a 401: the events wait until the tenant is configured."""
    with StrictLoki(clock=clock, auth_enabled=True) as loki:
        async with opened(loki.url, clock) as sink:
            error = await refused(sink, batch_of(event(1)))

    assert error.retryable


async def test_gzip_bodies_are_taken(loki, clock) -> None:
    """JSON may be compressed."""
    async with opened(loki.url, clock, compression="gzip") as sink:
        await sink.write(batch_of(event(1), event(2)))

    assert messages(loki) == ["event 1", "event 2"]


async def test_rate_limits_are_retryable_with_the_time_to_wait(loki, clock) -> None:
    """429 with Retry-After, and one without, keep the batch for later; then it is taken."""
    said = "Ingestion rate limit exceeded for user fake (limit: 4194304 bytes/sec) while attempting to ingest '1' lines"
    loki.answer_next(429, said, Retry_After="7")
    loki.answer_next(429, "Per stream rate limit exceeded (limit: 3MB/sec)")
    async with opened(loki.url, clock) as sink:
        first, second = [await refused(sink, batch_of(event(1))) for _ in range(2)]
        assert sink.health()["status"] == "failing"
        await sink.write(batch_of(event(1)))
        assert sink.health() == {"status": "ok", "url": loki.url}

    assert (first.retryable, first.retry_after, first.failed_indexes) == (True, 7.0, None)
    assert (second.retryable, second.retry_after) == (True, None)
    assert messages(loki) == ["event 1"]


@pytest.mark.parametrize(
    ("status", "retryable", "failed"),
    [(404, False, {0, 1}), (413, False, None), (500, True, None), (503, True, None), (400, False, None)],
)
async def test_other_refusals_are_those_of_http(status, retryable, failed, loki, clock) -> None:
    """404 refuses the whole batch, 413 and an unknown 400 split it, 5xx try it again."""
    loki.answer_next(status, "something else")
    async with opened(loki.url, clock) as sink:
        error = await refused(sink, batch_of(event(1), event(2)))

    assert (error.retryable, error.failed_indexes) == (retryable, failed)


@pytest.mark.parametrize("protocol", PROTOCOLS)
async def test_what_is_too_far_behind_is_rejected_and_the_rest_kept_once(protocol, loki, clock) -> None:
    """Of three streams two have events behind Loki's window: those are named, all others are there once."""
    async with opened(loki.url, clock, protocol=protocol) as sink:
        await sink.write(batch_of(*[event(number, level=level) for number, level in enumerate(("INFO", "ERROR"))]))
        batch = batch_of(
            event(10, age_seconds=7_200),
            event(11, level="ERROR", age_seconds=7_200),
            event(12),
            event(13, level="DEBUG", age_seconds=7_200),
            event(14, level="ERROR"),
        )
        error = await refused(sink, batch)

    assert not error.retryable
    assert error.failed_indexes == {0, 1}
    assert dict(error.rejected) == {0: "entry too far behind", 1: "entry too far behind"}
    assert sorted(messages(loki)) == ["event 0", "event 1", "event 12", "event 13", "event 14"]


async def test_hundreds_too_far_behind_are_named_though_loki_lists_ten(loki, clock) -> None:
    """The limit in Loki's answer tells about those that it does not list."""
    async with opened(loki.url, clock) as sink:
        await sink.write(batch_of(event(0)))
        old = [event(number, age_seconds=7_200) for number in range(1, 401)]
        error = await refused(sink, batch_of(*old, event(401)))
        pushes = sink.figures["requests"]

    assert error.failed_indexes == frozenset(range(400))
    assert pushes == 3
    assert messages(loki) == ["event 0", "event 401"]


@pytest.mark.parametrize(
    ("bad", "reason"),
    [
        (event(1, age_seconds=8 * 86_400), "timestamp too old"),
        (event(1, age_seconds=-7_200), "timestamp too new"),
        (event(1, text="x" * 300_000), "over 262144 bytes"),
    ],
    ids=["old", "new", "long"],
)
async def test_too_old_too_new_and_too_long_are_rejected_alone(bad, reason, loki, clock) -> None:
    """The one bad event is named with its reason; its neighbours are kept."""
    async with opened(loki.url, clock) as sink:
        error = await refused(sink, batch_of(event(0), bad, event(2)))
        assert (await refused(sink, batch_of(bad))).failed_indexes == {0}
        assert sink.health()["status"] == "ok"

    assert error.failed_indexes == {1}
    assert error.rejected[1].startswith(reason)
    assert messages(loki) == ["event 0", "event 2"]


async def test_a_refusal_of_several_kinds_names_them_all(loki, clock) -> None:
    """Old, new, long and behind in one batch: each is named, by as many pushes as Loki needs to tell."""
    async with opened(loki.url, clock) as sink:
        await sink.write(batch_of(event(0)))
        bad = [event(1, age_seconds=8 * 86_400), event(2, age_seconds=-7_200), event(3, text="x" * 300_000)]
        error = await refused(sink, batch_of(*bad, event(4, age_seconds=7_200), event(5)))

    assert sorted(error.rejected) == [0, 1, 2, 3]
    assert messages(loki) == ["event 0", "event 5"]


async def test_what_was_rejected_is_not_sent_again_when_the_next_push_fails(loki, clock) -> None:
    """After a verdict on some events the server goes down: those stay rejected, the others are for later."""
    said = "Max entry size '262144' bytes exceeded for stream '{level=\"info\"}' while adding an entry with length '3'"
    loki.answer_next(400, said)
    loki.answer_next(503, "not ready", Retry_After="3")
    async with opened(loki.url, clock) as sink:
        error = await refused(sink, batch_of(event(0), event(1, text="x" * 300_000)))

    assert (error.retryable, error.retry_after) == (True, 3.0)
    assert error.failed_indexes == {0, 1}
    assert list(error.rejected) == [1]


async def test_structured_metadata_that_is_not_allowed_splits(clock) -> None:
    """An old Loki says so, and which event is to blame nobody knows; without metadata it takes the events."""
    with StrictLoki(clock=clock, limits=LokiLimits(allow_metadata=False)) as loki:
        async with opened(loki.url, clock) as sink:
            error = await refused(sink, batch_of(event(0), event(1)))
        async with opened(loki.url, clock, structured_metadata=()) as sink:
            await sink.write(batch_of(event(0), event(1)))

        assert (error.retryable, error.failed_indexes) == (False, None)
        assert "structured metadata" in str(error)
        assert len(loki.entries()) == 2


@pytest.mark.parametrize("protocol", PROTOCOLS)
async def test_hostile_values_reach_labels_and_metadata_as_text(protocol, loki, clock) -> None:
    """Lone surrogates, NUL, newlines, numbers, long texts: all of it is taken in some form, none of it raises."""
    odd = '\ud800\x00\n"}{\\,=' + "é" * 5_000
    events = [
        event(0, logger=odd, request_id=odd, trace_id=None, span_id=2**70),
        event(1, logger="", request_id=float("nan"), trace_id={"a": [1]}, level="Ünknown"),
        {**event(2), "timestamp": "yesterday"},
        {**event(3), "timestamp": "2026-01-01T01:00:00+01:00"},
    ]
    async with opened(loki.url, clock, protocol=protocol, label_fields=["level", "logger"]) as sink:
        await sink.write(batch_of(*events))

    kept = {orjson.loads(it.line)["message"]: it for it in loki.entries()}
    assert len(kept) == 4
    assert kept["event 1"].labels == {"level": "ünknown"}
    assert kept["event 1"].metadata["trace_id"] == '{"a":[1]}'
    assert kept["event 2"].time_ns == NOW
    assert kept["event 3"].time_ns == NOW
    assert kept["event 0"].metadata["span_id"].strip('"') == str(2**70)


async def test_nobody_listens_is_retryable(clock) -> None:
    """A port without a listener is an error for later, and the sink says that it is failing."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        async with opened(f"http://127.0.0.1:{taken.getsockname()[1]}", clock) as sink:
            error = await refused(sink, batch_of(event(0)))
            assert sink.health()["status"] == "failing"

    assert error.retryable


async def test_a_hang_ends_at_the_timeout() -> None:
    """A listener that never answers costs the timeout, not more; the next write has a connection of its own."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        async with opened(f"http://127.0.0.1:{silent.getsockname()[1]}", timeout="50ms") as sink:
            error = await refused(sink, batch_of(event(0)))

    assert error.retryable


async def test_a_cancelled_write_leaves_the_sink_usable(clock) -> None:
    """Cancelled while it waits for the answer, the next write goes through."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        async with opened(f"http://127.0.0.1:{silent.getsockname()[1]}", clock) as sink:
            task = asyncio.create_task(sink.write(batch_of(event(0))))
            connection, _ = await asyncio.to_thread(silent.accept)
            with connection:
                task.cancel()
                with pytest.raises(asyncio.CancelledError):
                    await task
                second = asyncio.create_task(sink.write(batch_of(event(0))))
                other, _ = await asyncio.to_thread(silent.accept)
                with other:
                    await asyncio.to_thread(_answer, other)
                    await second


async def test_an_empty_batch_is_no_push(loki, clock) -> None:
    """Loki refuses a push without entries, so none is made."""
    async with opened(loki.url, clock) as sink:
        await sink.write(batch_of())

    assert not loki.statuses


def _answer(connection: socket.socket) -> None:
    received = b""
    while not received.endswith(b"]}"):
        received += connection.recv(65_536)
    connection.sendall(b"HTTP/1.1 204 No Content\r\n\r\n")


async def test_a_closed_sink_says_so(loki, clock) -> None:
    """Before open and after close a write is refused for later, and health is `closed`."""
    sink = LokiSink(LokiOptions(loki.url), clock)
    with pytest.raises(SinkError) as caught:
        await sink.write(batch_of(event(0)))
    await sink.close()

    assert caught.value.retryable
    assert sink.health()["status"] == "closed"
