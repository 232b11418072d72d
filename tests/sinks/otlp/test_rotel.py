"""Through rotel, a real OpenTelemetry collector, over HTTP and gRPC.

rotel hands its batches on side by side, so that their order is its own; within one it keeps the order.
"""

import asyncio
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord
from opentelemetry.sdk.trace import TracerProvider

from fapilog import LoggerBuilder
from fapilog.delivery.splitting import Splitting
from fapilog.protocols import Batch
from fapilog.sinks.otlp.options import OtlpOptions
from fapilog.sinks.otlp.records import encode
from fapilog.sinks.otlp.sink import OtlpSink
from tests.processors.events import COMPLETED, FAILED, PLAIN, SPAN_ID, STAMP_NS, TRACE_ID, odd_events
from tests.services.otlp import RotelServer, pairs_of
from tests.sinks.otlp.support import batch_of, numbered

pytestmark = [
    pytest.mark.skipif(sys.version_info >= (3, 12), reason="rotel's wheels for later Pythons need a shared libpython"),
    pytest.mark.requires_service("rotel", module="rotel"),
]


@pytest.fixture(scope="module")
def rotel(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RotelServer]:
    with RotelServer(tmp_path_factory.mktemp("rotel")) as server:
        yield server


@pytest.fixture(scope="module")
def empty_rotel(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RotelServer]:
    """One that has handed on little, so that looking at all of it is quick."""
    with RotelServer(tmp_path_factory.mktemp("empty-rotel")) as server:
        yield server


async def send(options: OtlpOptions, *batches: Batch) -> OtlpSink:
    sink = OtlpSink(options, environ={})
    await sink.open()
    try:
        for batch in batches:
            await sink.write(batch)
    finally:
        await sink.close()
    return sink


@pytest.mark.asyncio
async def test_a_batch_over_the_limit_of_a_collector_arrives_in_parts(tmp_path: Path) -> None:
    """rotel takes gRPC messages up to 4 MiB; a larger batch is split until its parts get through."""
    with RotelServer(tmp_path) as rotel:
        sink = OtlpSink(OtlpOptions(rotel.grpc_url, "grpc"), environ={})
        await sink.open()
        await Splitting(sink).write(numbered(20_000))
        await sink.close()
        found = await asyncio.to_thread(rotel.wait_for, 20_000)
    assert sink.figures["requests"] > 1
    assert sorted(event["sequence"] for event in found) == list(range(20_000))


@pytest.mark.parametrize("protocol", ["http/protobuf", "grpc"])
@pytest.mark.parametrize("compression", ["none", "gzip"])
def test_a_collector_hands_on_every_event(rotel: RotelServer, protocol: Any, compression: Any) -> None:
    """What goes into a real collector comes out of it: ids, severity, body, attributes, resource."""
    before = len(rotel.received())
    endpoint = rotel.grpc_url if protocol == "grpc" else rotel.url
    events = [
        {**(FAILED if n % 2 else PLAIN), "sequence": n, "event_id": f"{protocol}-{n}", "odd": "\ud800", "big": 2**70}
        for n in range(600)
    ]
    options = OtlpOptions(endpoint, protocol, compression=compression, resource={"team": "shop"})
    asyncio.run(send(options, batch_of(*events[:500]), batch_of(*events[500:])))

    found = sorted(rotel.wait_for(before + 600)[before:], key=lambda event: event["sequence"])

    assert [event["sequence"] for event in found] == list(range(600))
    assert [event["event_id"] for event in found] == [event["event_id"] for event in events]
    plain, failed = found[0], found[1]
    assert (plain["level"], plain["severity"], plain["message"]) == ("INFO", 9, "Order placed")
    assert (plain["trace_id"], plain["span_id"], plain["time_ns"]) == (TRACE_ID, SPAN_ID, int(STAMP_NS))
    assert (plain["coupon"], plain["total"], plain["paid"]) == (None, 12.5, True)
    assert plain["items"] == PLAIN["items"]
    assert plain["resource"] == {
        "service.name": "shop",
        "service.version": "1.2",
        "deployment.environment.name": "prod",
        "host.name": "web-1",
        "process.pid": 4711,
        "team": "shop",
    }
    assert (plain["odd"], plain["big"]) == ("\\ud800", str(2**70))
    assert (failed["level"], failed["severity"], failed["trace_id"]) == ("ERROR", 17, "")
    assert failed["exception.type"] == "shop.errors.Declined"
    assert failed["exception.stacktrace"].startswith("Traceback")


@pytest.mark.parametrize("protocol", ["http/protobuf", "grpc"])
def test_a_collector_that_is_restarted_twice_gets_every_event(tmp_path: Path, protocol: Any) -> None:
    """While a collector is ended and started again, twice, events wait; all of them come out of it."""
    with RotelServer(tmp_path) as server:
        endpoint = server.grpc_url if protocol == "grpc" else server.url
        logger = LoggerBuilder().with_queue(capacity=20_000).add_otlp(endpoint, protocol).build()
        for number in range(9_000):
            logger.info("Order placed", sequence=number)
            if number in (3_000, 6_000):
                server.restart()
        result = logger.drain(30)
        found = server.wait_for(9_000)

    assert (result.delivered, result.failed, result.dropped) == (9_000, 0, 0)
    ids = {event["event_id"]: event["sequence"] for event in found}
    assert len(ids) == 9_000, "the same event has the same id, whenever it is sent"
    assert sorted(ids.values()) == list(range(9_000))


@pytest.mark.parametrize("protocol", ["http/protobuf", "grpc"])
def test_what_is_logged_comes_out_of_a_collector(
    rotel: RotelServer, protocol: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """From the log call on: span ids and flags, severities, nested fields, exception, event name, resource."""
    endpoint = rotel.grpc_url if protocol == "grpc" else f"http://127.0.0.1:{rotel.http_port}"
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", endpoint)
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_PROTOCOL", protocol)
    monkeypatch.setenv("OTEL_RESOURCE_ATTRIBUTES", "team=shop,cloud.region=eu%2D1,service.version=0,host.name=mine")
    monkeypatch.setenv("OTEL_SERVICE_NAME", "of the environment")
    before = len(rotel.received())
    builder = LoggerBuilder().with_level("DEBUG").with_service(version="1.4", env="prod")
    logger = builder.with_name("shop.orders").add_otlp().build()
    tracer = TracerProvider(shutdown_on_exit=False).get_tracer("test")
    nested = {"customer": {"id": 7, "tags": ["a", {"b": [True, None, 1.5]}]}, "empty": {}}
    with tracer.start_as_current_span("order") as span:
        ids = span.get_span_context()
        for level in ("debug", "info", "warning", "error", "critical"):
            getattr(logger, level)(f"At {level}", **nested)
        try:
            raise ValueError("no such card") from KeyError("card")
        except ValueError:
            logger.exception("Charge failed", event_name="order.failed")
    logger.info("Outside")
    assert logger.drain(10).delivered == 7

    found = {event["message"]: event for event in rotel.wait_for(before + 7)[before:]}

    severities = {"debug": 5, "info": 9, "warning": 13, "error": 17, "critical": 21}
    for level, number in severities.items():
        event = found[f"At {level}"]
        assert (event["severity"], event["level"]) == (number, level.upper())
        assert (event["trace_id"], event["span_id"]) == (f"{ids.trace_id:032x}", f"{ids.span_id:016x}")
        assert event["flags"] == ids.trace_flags
        assert event["logger"] == "shop.orders"
        assert {name: event[name] for name in nested} == nested
    failed = found["Charge failed"]
    assert (failed["event_name"], failed["exception.type"], failed["exception.message"]) == (
        "order.failed", "ValueError", "no such card",
    )  # fmt: skip
    assert "raise ValueError" in failed["exception.stacktrace"]
    assert "KeyError" in failed["exception.stacktrace"]
    assert (failed["trace_id"], failed["severity"]) == (f"{ids.trace_id:032x}", 17)
    assert (found["Outside"]["trace_id"], found["Outside"]["span_id"], found["Outside"]["flags"]) == ("", "", 0)
    for event in found.values():
        resource = event["resource"]
        assert (resource["service.name"], resource["service.version"]) == ("of the environment", "1.4")
        assert resource["deployment.environment.name"] == "prod"
        assert (resource["team"], resource["cloud.region"]) == ("shop", "eu-1")
        assert resource["process.pid"] == os.getpid()


def test_the_events_of_the_edge_are_named(rotel: RotelServer) -> None:
    """A completion event comes out of a collector as one of OpenTelemetry's events."""
    before = len(rotel.received())
    asyncio.run(send(OtlpOptions(rotel.url), batch_of(COMPLETED)))
    [found] = rotel.wait_for(before + 1)[before:]
    assert (found["event_name"], found["message"]) == ("fapilog.request_completed", "request_completed")


# A failure is not made smaller: each try would wait for what does not come.
@settings(max_examples=30, deadline=None, phases=[Phase.explicit, Phase.generate])
@given(events=st.lists(odd_events(), min_size=1, max_size=8), protocol=st.sampled_from(["http/protobuf", "grpc"]))
def test_any_event_comes_out_as_it_went_in(
    empty_rotel: RotelServer, events: list[dict[Any, Any]], protocol: Any
) -> None:
    """Whatever an event holds, a real collector hands on the very same record, in the same scope and resource."""
    rotel = empty_rotel
    events = [{**event, "event_id": f"odd-{number}"} for number, event in enumerate(events)]
    before = rotel.count()
    endpoint = rotel.grpc_url if protocol == "grpc" else rotel.url
    asyncio.run(send(OtlpOptions(endpoint, protocol), batch_of(*events)))
    rotel.wait_for(before + len(events))

    came_out = {}
    for request in rotel.received_requests():
        came_out |= records_of(request)  # the last ones of an id are those of this example
    went_in = records_of(encode(events, {}, 0))
    assert {uid: came_out[uid] for uid in went_in} == went_in
    assert rotel.count() == before + len(events)


def records_of(request: ExportLogsServiceRequest) -> dict[str, tuple[Any, ...]]:
    """Return all that a request says of each event, by its id, but when it was observed."""
    found = {}
    for resource_logs in request.resource_logs:
        for scope_logs in resource_logs.scope_logs:
            for record in scope_logs.log_records:
                copy = LogRecord.FromString(record.SerializeToString())
                copy.observed_time_unix_nano = 0
                uid = pairs_of(record.attributes).get("log.record.uid", "")
                resource = resource_logs.resource.SerializeToString(deterministic=True)
                found[uid] = (resource, scope_logs.scope.name, copy.SerializeToString(deterministic=True))
    return found
