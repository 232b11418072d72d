"""Which contenders run in which scenario, how often, and how their figures are shown."""

from collections.abc import Mapping
from typing import NamedTuple

from benchmarks.remote import KINDS

CONTENDERS = ("ours", "structlog_json", "stdlib_json", "stdlib_queue", "loguru_json", "published")
APPLICATIONS = ("bare_depends", "structlog_cid", "ours", "ours_depends", "published_depends")


class Column(NamedTuple):
    """One figure of a scenario.

    ``per`` is what the raw figure is divided by; ``ratio`` says whether less or more is better, and that the
    ratio to the yardstick is shown.
    """

    key: str
    title: str
    per: float = 1_000.0
    digits: int = 2
    ratio: str = ""


class Scenario(NamedTuple):
    """One module, run for some contenders in some rounds.

    ``yardsticks`` gives contenders another yardstick than ``yardstick``. ``sinks`` says that it runs where the remote
    sinks and their rivals are installed. ``picture`` is a module that draws what the last round left behind, and where
    the picture is then, from ``docs/``.
    """

    module: str
    title: str
    contenders: tuple[str, ...]
    columns: tuple[Column, ...]
    rounds: int = 3
    yardstick: str = "structlog_json"
    yardsticks: Mapping[str, str] = {}
    sinks: bool = False
    picture: tuple[str, str] = ("", "")

    def against(self, contender: str) -> str:
        """Return what a contender's figures are held against."""
        return self.yardsticks.get(contender, self.yardstick)


LESS = "less is better"
MORE = "more is better"
_MIB = 1024.0 * 1024.0
_MS = 1_000_000.0
_RIVALS = {
    "ours_http": "structlog_httpx",
    "ours_loki": "logging_loki",
    "ours_cloudwatch": "watchtower",
    "ours_cloudwatch_moto": "watchtower_moto",
    "ours_otlp": "otel_sdk",
    "otel_handler": "otel_sdk",
    "ours_sqlite": "sqlite_wal",
    "ours_sqlite_plain": "sqlite_wal",
    "sqlite_inserts": "sqlite_wal",
    "ours_postgres": "postgres_inserts",
    "postgres_executemany": "postgres_inserts",
    "ours_redis": "redis_xadd",
    "ours_kafka": "kafka_produce",
    "kafka_flush": "kafka_produce",
}

SCENARIOS = (
    Scenario(
        "call_latency",
        "One `info` call, tight loop, bound context, inside a span",
        CONTENDERS,
        (
            Column("p50_ns", "p50 µs", ratio=LESS),
            Column("p99_ns", "p99 µs", ratio=LESS),
            Column("p999_ns", "p99.9 µs"),
        ),
    ),
    Scenario(
        "paced_latency",
        "One `info` call at 100 events/s",
        (*CONTENDERS, "floor"),
        (
            Column("alone_p50_ns", "alone p50 µs", digits=1, ratio=LESS),
            Column("alone_p99_ns", "p99 µs", digits=1),
            Column("alone_disk_p99_ns", "on disk p99 ms", _MS),
            Column("busy_p50_ns", "beside a busy thread p50 µs", digits=1),
            Column("busy_p99_ns", "p99 µs", digits=1, ratio=LESS),
            Column("busy_disk_p99_ns", "on disk p99 ms", _MS),
        ),
    ),
    Scenario(
        "disabled",
        "A disabled level, beside a method that does nothing",
        CONTENDERS,
        (
            Column("disabled_ns", "call ns", 1.0, 0),
            Column("no_op_ns", "no-op ns", 1.0, 0),
            Column("ratio", "call / no-op", 1.0),
        ),
        rounds=2,
    ),
    Scenario(
        "throughput",
        "Sustained into a file, nothing dropped, in order",
        CONTENDERS,
        (Column("events_per_second", "events/s", 1.0, 0, ratio=MORE), Column("caller_ns", "caller µs an event")),
    ),
    Scenario(
        "redaction",
        "Sustained into a file while secrets are looked for",
        ("ours_production", "structlog_redacting", "ours", "structlog_json"),
        (
            Column("flat_per_second", "4 fields, events/s", 1.0, 0, ratio=MORE),
            Column("nested_per_second", "30 nested values, events/s", 1.0, 0, ratio=MORE),
            Column("secret_per_second", "the same with a secret, events/s", 1.0, 0, ratio=MORE),
        ),
    ),
    Scenario(
        "slow_sink",
        "The caller while a sink takes 100 ms",
        CONTENDERS,
        (
            Column("no_op_p99_ns", "no-op sink p99 µs", digits=1),
            Column("slow_p99_ns", "slow sink p99 µs", digits=1),
            Column("ratio", "slow / no-op", 1.0),
        ),
    ),
    Scenario(
        "loop_lag",
        "Event-loop lag added at 20 000 events/s",
        CONTENDERS,
        (
            Column("added_p50_ns", "added p50 ms", _MS, 3),
            Column("added_p99_ns", "added p99 ms", _MS, 3),
            Column("added_p999_ns", "added p99.9 ms", _MS, 3, ratio=LESS),
            Column("events_per_second", "events/s kept up", 1.0, 0),
            Column("lost", "lost", 1.0, 0),
        ),
    ),
    Scenario(
        "asgi",
        "One request of a FastAPI application in process",
        APPLICATIONS,
        (
            Column("bare_p50_ns", "bare p50 µs", digits=1),
            Column("added_p50_ns", "added p50 µs", digits=1, ratio=LESS),
            Column("added_p99_ns", "added p99 µs", digits=1),
            Column("lost", "lost", 1.0, 0),
        ),
        yardstick="structlog_cid",
    ),
    Scenario(
        "tracing",
        "A server span for one request: `with_tracing()` beside others, in one process",
        ("ours",),
        (
            Column("bare_p50_ns", "bare p50 µs", digits=1),
            Column("contrib_ns", "contrib adds µs", digits=1),
            Column("contrib_lean_ns", "contrib without message spans µs", digits=1),
            Column("fastapi_ns", "FastAPI's own µs", digits=1),
            Column("logged_ns", "fapilog without tracing µs", digits=1),
            Column("tracing_ns", "`with_tracing()` on top µs", digits=1),
            Column("ratio", "over contrib's", 1.0),
            Column("lean_ratio", "over contrib's without message spans", 1.0),
            Column("cpu_ratio", "over contrib's, processor time", 1.0),
            Column("lost", "lost", 1.0, 0),
        ),
    ),
    Scenario(
        "span_ids",
        "What the ids of the active span cost one log call",
        ("ours",),
        (
            Column("absent_ns", "no span ns", 1.0, 0),
            Column("active_ns", "in a span ns", 1.0, 0),
            Column("counted_ns", "in a request of `with_tracing()` ns", 1.0, 0),
        ),
    ),
    Scenario(
        "console",
        "The console of an application that is busy with 5 000 events/s: nobody looking, and a page open",
        ("ours",),
        (
            Column("events_per_second", "events/s", 1.0, 0),
            Column("unwatched_percent", "nobody looks: time a request, % more", 1.0),
            Column("unwatched_spread", "± (the middle half of the turns)", 1.0),
            Column("unwatched_cpu_percent", "processor time, % more", 1.0),
            Column("watched_percent", "a page open with its tail: % more", 1.0),
            Column("watched_spread", "± (the middle half of the turns)", 1.0),
            Column("watched_cpu_percent", "processor time, % more", 1.0),
            Column("tailed", "share of the events that the tail showed", 1.0),
            Column("lost", "lost", 1.0, 0),
        ),
        rounds=1,
        sinks=True,
    ),
    Scenario(
        "memory",
        "Memory of one queued event",
        ("ours", "stdlib_queue", "published"),
        (
            Column("traced_bytes_per_event", "tracemalloc bytes", 1.0, 0, ratio=LESS),
            Column("rss_bytes_per_event", "resident bytes", 1.0, 0),
        ),
        rounds=2,
        yardstick="stdlib_queue",
    ),
    Scenario(
        "steady_memory",
        "Resident memory after the first 100 000 steady events",
        ("ours", "structlog_json"),
        (
            Column("settled_bytes", "at 100 000 MiB", _MIB, 1),
            Column("growth_bytes", "most over that MiB", _MIB),
            Column("events", "events", 1.0, 0),
        ),
        rounds=1,
    ),
    Scenario(
        "import_time",
        "Import",
        ("ours", "structlog_json", "stdlib_json", "loguru_json", "published"),
        (
            Column("importtime_ns", "`-X importtime` ms", _MS, 1, ratio=LESS),
            Column("wall_ns", "wall ms", _MS, 1),
        ),
    ),
    Scenario(
        "sinks",
        "To a receiver in another process, from the first call to the last acknowledgement",
        tuple(name for names in KINDS.values() for name in names),
        (
            Column("events_per_second", "events/s", 1.0, 0, ratio=MORE),
            Column("caller_ns", "caller µs an event", digits=1),
            Column("cpu_ns", "CPU µs an event", digits=1, ratio=LESS),
            Column("events", "events", 1.0, 0),
            Column("lost", "lost", 1.0, 0),
            Column("again", "twice", 1.0, 0),
        ),
        yardstick="",
        yardsticks=_RIVALS,
        sinks=True,
    ),
    Scenario(
        "adaptive",
        "A sink that takes 200 ms instead of 1 ms for some seconds",
        ("fixed", "adaptive", "fixed_double", "adaptive_double"),
        (
            Column("dropped", "dropped", 1.0, 0),
            Column("most_waiting", "most waiting", 1.0, 0),
            Column("most_in_flight", "most in flight", 1.0, 0),
            Column("level_changes", "level changes", 1.0, 0),
            Column("turns", "turns up after down", 1.0, 0),
            Column("normal_ns", "back to normal after s", 1e9),
            Column("drained_ns", "buffer empty after s", 1e9),
        ),
        rounds=3,
        sinks=True,
        picture=("adaptive_plot", "images/adaptive.png"),
    ),
    Scenario(
        "backend_down",
        "The caller while the receiver is killed and started again, with a spool",
        ("ours",),
        (
            Column("no_op_p50_ns", "no-op sink p50 µs", digits=1),
            Column("no_op_p99_ns", "p99 µs", digits=1),
            Column("http_p50_ns", "http p50 µs", digits=1),
            Column("http_p99_ns", "p99 µs", digits=1),
            Column("down_p99_ns", "while it is down p99 µs", digits=1),
            Column("ratio", "p99, http / no-op", 1.0),
            Column("growth_bytes", "memory growth MiB", _MIB, 1),
            Column("events", "events", 1.0, 0),
            Column("lost", "lost", 1.0, 0),
        ),
        sinks=True,
    ),
)
