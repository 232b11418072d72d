"""Through rotel, a real OpenTelemetry collector, over HTTP and gRPC.

rotel hands its batches on side by side, so that their order is its own; within one it keeps the order.
"""

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from fapilog import LoggerBuilder
from fapilog.delivery.splitting import Splitting
from fapilog.protocols import Batch
from fapilog.sinks.otlp.options import OtlpOptions
from fapilog.sinks.otlp.sink import OtlpSink
from tests.processors.events import FAILED, PLAIN, SPAN_ID, STAMP_NS, TRACE_ID
from tests.services.otlp import RotelServer
from tests.sinks.otlp.support import batch_of, numbered

pytestmark = pytest.mark.requires_service("rotel", module="rotel")


@pytest.fixture(scope="module")
def rotel(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RotelServer]:
    with RotelServer(tmp_path_factory.mktemp("rotel")) as server:
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
