"""An engine of memory for each test, the process's default while it runs."""

from collections.abc import Iterator
from typing import Any

import pytest

from fapilog import LoggerBuilder, _runtime
from fapilog.sinks.memory import MemorySink


class Log:
    """What has been logged in one test."""

    def __init__(self) -> None:
        self.sink = MemorySink(max_events=100_000)
        self.engine = _runtime.build_engine(LoggerBuilder().with_level("DEBUG").add_sink(self.sink).options())

    @property
    def events(self) -> list[dict[str, Any]]:
        """All events so far, in order."""
        assert self.engine.flush(10.0)
        return list(self.sink.events)

    def of(self, logger: str) -> list[dict[str, Any]]:
        """The events of one logger."""
        return [event for event in self.events if event["logger"] == logger]

    @property
    def requests(self) -> list[dict[str, Any]]:
        """The events of the middleware."""
        return self.of("fapilog.request")

    @property
    def request(self) -> dict[str, Any]:
        """The one event of the middleware."""
        (event,) = self.requests
        return event


@pytest.fixture
def log() -> Iterator[Log]:
    log = Log()
    _runtime.push_default(log.engine)
    yield log
    _runtime.pop_default(log.engine)
    result = log.engine.drain(10.0)
    assert (result.dropped, result.failed, result.in_flight) == (0, 0, 0)
