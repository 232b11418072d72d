"""A logger from its first to its last event."""

from collections.abc import Callable
from typing import Any

import pytest

import fapilog
from fapilog.drain_result import DrainResult
from fapilog.sinks.memory import MemorySink


@pytest.fixture
def logs_of() -> Callable[..., tuple[list[dict[str, Any]], DrainResult]]:
    """Return what builds a logger, logs, drains, and returns the events and the result."""

    def run(builder: fapilog.LoggerBuilder, log: Callable[[Any], object]) -> tuple[list[dict[str, Any]], DrainResult]:
        sink = MemorySink()
        logger = builder.add_sink(sink).build()
        log(logger)
        result = logger.drain()
        return sink.events, result

    return run
