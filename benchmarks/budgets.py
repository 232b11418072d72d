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
        if not self.limit:
            return "met" if self.met(value) else "missed"
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


def _beside(ours: str, rival: str) -> Callable[[Figures], float]:
    """Return how many events ours delivers in the time of one of the rival's."""

    def read(figures: Figures) -> float:
        rates = figures["sinks"]
        return rates[ours]["events_per_second"] / rates[rival]["events_per_second"]

    return read


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
    Budget("`with_tracing()` per request, over contrib's instrumentation", 1.0, "×", _of("tracing", "ratio")),
    Budget("the same, the target", 0.5, "×", _of("tracing", "ratio")),
    Budget("span ids on the call, no span active", 0.3, "µs", _of("span_ids", "absent_ns", _US)),
    Budget("memory of a queued event, tracemalloc", 700, "bytes", _of("memory", "traced_bytes_per_event")),
    Budget("growth over a steady million", 1.0, "MiB", _of("steady_memory", "growth_bytes", _MIB)),
    Budget("console open at 5 000 events/s, time a request", 2.0, "%", _of("console", "watched_percent")),
    Budget("the same, processor time", 2.0, "%", _of("console", "watched_cpu_percent")),
    Budget("import", 60.0, "ms", _of("import_time", "importtime_ns", _MS)),
    *(
        Budget(f"{what}, ours over {rival}", 3.0, "×", _beside(ours, rival), at_least=True)
        for what, ours, rival in (
            ("events/s to HTTP", "ours_http", "structlog_httpx"),
            ("to Loki", "ours_loki", "logging_loki"),
            ("to CloudWatch", "ours_cloudwatch", "watchtower"),
            ("over OTLP", "ours_otlp", "otel_sdk"),
            ("into SQLite", "ours_sqlite_plain", "sqlite_wal"),
            ("into PostgreSQL", "ours_postgres", "postgres_inserts"),
            ("to Redis", "ours_redis", "redis_xadd"),
            ("to Kafka", "ours_kafka", "kafka_produce"),
        )
    ),
    *(
        budget
        for what, name in (("6 000 events/s", "adaptive"), ("12 000 events/s", "adaptive_double"))
        for budget in (
            Budget(f"slow sink, {what}: dropped, adaptive", 0, "events", _of("adaptive", "dropped", contender=name)),
            Budget("the same, back to normal", 2.0, "s", _of("adaptive", "normal_ns", 1e9, name)),
            Budget("the same, levels up again after down", 0, "times", _of("adaptive", "turns", contender=name)),
        )
    ),
    Budget("caller p99, HTTP down and up, over no-op sink", 1.5, "×", _of("backend_down", "ratio")),
    Budget("lost of what was logged meanwhile", 0, "events", _of("backend_down", "lost")),
)
