"""Batches as the delivery makes them, and sinks that are closed again."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from fapilog.clock import SYSTEM_CLOCK, Clock
from fapilog.errors import SinkError
from fapilog.event import timestamp
from fapilog.protocols import Batch
from fapilog.sinks.loki.options import LokiOptions
from fapilog.sinks.loki.sink import LokiSink
from fapilog.testing.contracts import make_batch
from fapilog.testing.fakes import EPOCH_NS

SECOND = 1_000_000_000
NOW = EPOCH_NS


def event(number: int, age_seconds: float = 0, **fields: Any) -> dict[str, Any]:
    """Return an event of so long before `NOW`, some microseconds for each number later."""
    return {
        "timestamp": timestamp(NOW - int(age_seconds * SECOND) + number * 1_000),
        "level": "INFO",
        "logger": "shop",
        "message": f"event {number}",
        "event_id": f"5f0c1de2a9b07c44-{number}",
        **fields,
    }


def batch_of(*events: dict[str, Any]) -> Batch:
    """Return a batch of JSON lines."""
    return make_batch(list(events))


@asynccontextmanager
async def opened(url: str, clock: Clock = SYSTEM_CLOCK, **options: Any) -> AsyncIterator[LokiSink]:
    """Open a sink for a URL, and close it."""
    sink = LokiSink(LokiOptions(url, **options), clock)
    await sink.open()
    try:
        yield sink
    finally:
        await sink.close()


async def refused(sink: LokiSink, batch: Batch) -> SinkError:
    """Return the error of a write that must not succeed."""
    with pytest.raises(SinkError) as caught:
        await sink.write(batch)
    return caught.value
