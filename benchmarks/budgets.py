"""The budgets of the design, section 10, and how a run is held against them."""

from collections.abc import Callable, Mapping
from typing import NamedTuple

Measured = Mapping[str, Mapping[str, float]]
"""Medians of one scenario: contender, key."""

Figures = Mapping[str, Measured]
"""Medians of all scenarios, by module."""


class Budget(NamedTuple):
    """One line of the design's table."""

    what: str
    limit: float
    unit: str
    read: Callable[[Figures], float]
    at_least: bool = False
    floor: Callable[[Figures], float] | None = None
    """What the machine itself asks for the least that any such part does; for reading a miss."""

    def met(self, value: float) -> bool:
        """Say whether a figure is within the budget."""
        return value >= self.limit if self.at_least else value <= self.limit

    def verdict(self, value: float) -> str:
        """Say it in words, with the distance."""
        factor = value / self.limit if not self.at_least or value == 0 else self.limit / value
        return "met" if self.met(value) else f"missed: {factor:.2f} times the budget"


def _of(scenario: str, key: str, per: float = 1.0, contender: str = "ours") -> Callable[[Figures], float]:
    return lambda figures: figures[scenario][contender][key] / per


def _over(scenario: str, key: str, contender: str = "ours") -> Callable[[Figures], float]:
    """Return how many times structlog's figure ours is, or the reverse for a time."""

    def read(figures: Figures) -> float:
        ours, theirs = figures[scenario][contender][key], figures[scenario]["structlog_json"][key]
        return theirs / ours if key.endswith("_ns") else ours / theirs

    return read


def _floor(key: str) -> Callable[[Figures], float]:
    return _of("paced_latency", key, _US, "floor")


_US = 1_000.0
_MS = 1_000_000.0
_MIB = 1024.0 * 1024.0

BUDGETS = (
    Budget("call, tight loop, p50", 1.1, "µs", _of("call_latency", "p50_ns", _US)),
    Budget("call, tight loop, p99", 5.0, "µs", _of("call_latency", "p99_ns", _US)),
    Budget("call p50, structlog's over ours", 7.0, "×", _over("call_latency", "p50_ns"), at_least=True),
    Budget(
        "call at 100 events/s, p50", 3.0, "µs", _of("paced_latency", "alone_p50_ns", _US), floor=_floor("alone_p50_ns")
    ),
    Budget(
        "call at 100 events/s, p99", 25.0, "µs", _of("paced_latency", "alone_p99_ns", _US), floor=_floor("alone_p99_ns")
    ),
    Budget(
        "the same beside a busy thread, p50",
        3.0,
        "µs",
        _of("paced_latency", "busy_p50_ns", _US),
        floor=_floor("busy_p50_ns"),
    ),
    Budget(
        "the same beside a busy thread, p99",
        25.0,
        "µs",
        _of("paced_latency", "busy_p99_ns", _US),
        floor=_floor("busy_p99_ns"),
    ),
    Budget("event on disk at 100 events/s, p99", 10.0, "ms", _of("paced_latency", "alone_disk_p99_ns", _MS)),
    Budget("the same beside a busy thread", 10.0, "ms", _of("paced_latency", "busy_disk_p99_ns", _MS)),
    Budget("disabled level over a no-op", 1.2, "×", _of("disabled", "ratio")),
    Budget("sustained into a file", 400_000, "events/s", _of("throughput", "events_per_second"), at_least=True),
    Budget("the same, ours over structlog's", 3.2, "×", _over("throughput", "events_per_second"), at_least=True),
    Budget(
        "the same under production redaction",
        200_000,
        "events/s",
        _of("redaction", "flat_per_second", contender="ours_production"),
        at_least=True,
    ),
    Budget(
        "the same, ours redacting over structlog's without any",
        1.6,
        "×",
        _over("redaction", "flat_per_second", "ours_production"),
        at_least=True,
    ),
    Budget(
        "30 nested values under production redaction",
        60_000,
        "events/s",
        _of("redaction", "nested_per_second", contender="ours_production"),
        at_least=True,
    ),
    Budget("loop lag added at 20 000 events/s, p99.9", 1.0, "ms", _of("loop_lag", "added_p999_ns", _MS)),
    Budget("caller p99, slow sink over no-op sink", 1.5, "×", _of("slow_sink", "ratio")),
    Budget("ASGI request, added p50", 25.0, "µs", _of("asgi", "added_p50_ns", _US)),
    Budget(
        "the same with Depends, added p50",
        45.0,
        "µs",
        _of("asgi", "added_p50_ns", _US, "ours_depends"),
        floor=_of("asgi", "added_p50_ns", _US, "bare_depends"),
    ),
    Budget("memory of a queued event, tracemalloc", 700, "bytes", _of("memory", "traced_bytes_per_event")),
    Budget("growth over a steady million", 1.0, "MiB", _of("steady_memory", "growth_bytes", _MIB)),
    Budget("import", 60.0, "ms", _of("import_time", "importtime_ns", _MS)),
)
