"""What the hosts' tests share: a sink of memory, and a look at what the middleware has reported."""

from typing import Any

import pytest

from fapilog.sinks.memory import MemorySink


class Log:
    """The events of the engine that a test's builder was given ``sink`` for; complete once its lifespan has ended."""

    def __init__(self) -> None:
        self.sink = MemorySink(max_events=100_000)

    @property
    def events(self) -> list[dict[str, Any]]:
        return list(self.sink.events)

    def of(self, logger: str) -> list[dict[str, Any]]:
        return [event for event in self.events if event["logger"] == logger]

    @property
    def requests(self) -> list[dict[str, Any]]:
        """The middleware's events."""
        return self.of("fapilog.request")

    @property
    def request(self) -> dict[str, Any]:
        """The middleware's only event."""
        (event,) = self.requests
        return event


@pytest.fixture
def log() -> Log:
    return Log()
