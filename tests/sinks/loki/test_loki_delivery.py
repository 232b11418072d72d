"""The sink under the delivery's splitting, and beside a Loki that is killed."""

import time
from pathlib import Path

import orjson
import pytest

from fapilog.delivery.splitting import Splitting
from fapilog.errors import RejectedError, SinkError
from fapilog.event import timestamp
from fapilog.sinks.loki.options import LokiOptions
from fapilog.sinks.loki.sink import LokiSink
from fapilog.testing.fakes import FakeClock
from fapilog.testing.loki import StrictLoki
from tests.services.loki import LokiServer
from tests.sinks.loki.helpers import NOW, batch_of, event, opened

pytestmark = pytest.mark.asyncio


async def test_what_loki_does_not_tell_the_splitting_finds_out() -> None:
    """Two events too new in one second, which its answer does not tell apart: both are found, the rest kept once."""
    clock = FakeClock(NOW)
    with StrictLoki(clock=clock) as loki:
        sink = Splitting(LokiSink(LokiOptions(loki.url), clock))
        await sink.open()
        events = [event(number, age_seconds=-7_200 if number in (3, 11) else 0) for number in range(16)]
        with pytest.raises(RejectedError) as caught:
            await sink.write(batch_of(*events))
        await sink.close()

        assert caught.value.rejected == {3: "timestamp too new", 11: "timestamp too new"}
        kept = [orjson.loads(it.line)["message"] for it in loki.entries()]
        assert kept == [f"event {number}" for number in range(16) if number not in (3, 11)]


@pytest.mark.parametrize("protocol", ["json", "protobuf"])
async def test_a_kill_costs_an_error_for_later_and_nothing_else(protocol, tmp_path: Path) -> None:
    """Killed three times between batches, with each batch written until it is taken: all there, once, in order."""
    with LokiServer(tmp_path) as server:
        async with opened(server.url, label_fields=["level"], protocol=protocol) as sink:
            for number in range(12):
                batch = batch_of(*[_fresh(number * 50 + at) for at in range(50)])
                if number % 4 == 3:
                    server.kill()
                    with pytest.raises(SinkError) as caught:
                        await sink.write(batch)
                    assert (caught.value.retryable, caught.value.failed_indexes) == (True, None)
                    server.start()
                await sink.write(batch)
                await sink.write(batch)

        received = server.received()

    assert [it["sequence"] for it in received] == list(range(600))
    assert len({it["event_id"] for it in received}) == 600


def _fresh(number: int) -> dict[str, object]:
    """Return an event of today, which a Loki by the system's clock takes."""
    return {**event(number), "timestamp": timestamp(time.time_ns()), "sequence": number}
