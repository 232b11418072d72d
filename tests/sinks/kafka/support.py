"""Batches, and sinks that are closed again."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from fapilog.protocols import Batch
from fapilog.sinks.kafka.options import KafkaOptions
from fapilog.sinks.kafka.sink import KafkaSink
from tests.services.kafka import TOPIC


def events_batch(count: int, start: int = 0, **fields: Any) -> Batch:
    """Return a batch of numbered events with their ids."""
    events = [
        {"level": "INFO", "logger": "shop", "message": "paid", "event_id": f"id-{number}", "sequence": number, **fields}
        for number in range(start, start + count)
    ]
    return batch_of_events(events)


def batch_of_events(events: list[dict[str, Any]]) -> Batch:
    """Return a batch of these events."""
    return Batch([json.dumps(event).encode() + b"\n" for event in events], lambda: events)


@asynccontextmanager
async def opened(servers: str, **options: Any) -> AsyncIterator[KafkaSink]:
    """Return an open sink, which is closed at the end."""
    sink = KafkaSink(KafkaOptions(servers, **{"topic": TOPIC, **options}))
    try:
        await sink.open()
        yield sink
    finally:
        await sink.close()
