"""What a type checker sees of the builders and settings. Checked by mypy and pyright in strict mode, never run."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, assert_type

from fapilog import AsyncLoggerBuilder, LoggerBuilder, Settings, get_logger, list_presets
from fapilog.delivery import Route
from fapilog.fastapi import FastAPIBuilder
from fapilog.litestar import FapilogPlugin


def keep(event: dict[str, Any]) -> bool:
    """Stand for a filter."""
    return bool(event)


def add(event: dict[str, Any]) -> Mapping[str, Any]:
    """Stand for an enricher."""
    return {"size": len(event)}


def change(event: dict[str, Any]) -> dict[str, Any]:
    """Stand for a redactor, and for a processor."""
    return event


def methods() -> LoggerBuilder:
    """Every method takes plain values and returns the builder of its own kind."""
    builder = LoggerBuilder()
    assert_type(builder.with_preset("production").with_name("shop").with_level("info,app.db=debug"), LoggerBuilder)
    assert_type(builder.with_level(10).with_service("shop", version="1", env="test"), LoggerBuilder)
    assert_type(builder.with_queue(capacity=5, reserve=1, max_bytes="1 MB"), LoggerBuilder)
    assert_type(builder.with_backpressure("wait", wait_seconds=None), LoggerBuilder)
    assert_type(builder.with_batch(max_events=5, max_bytes=5_000, max_age_seconds="5ms"), LoggerBuilder)
    assert_type(builder.with_context(region="eu"), LoggerBuilder)
    assert_type(builder.with_filter(keep, lambda event: "x" in event).with_enricher(add), LoggerBuilder)
    assert_type(builder.with_redactor(change).with_processor(change, lambda _: None), LoggerBuilder)
    assert_type(builder.with_kubernetes(labels=["team"]).with_size_guard("64 KB", protected=("order",)), LoggerBuilder)
    assert_type(builder.with_schema("ecs").with_schema(None), LoggerBuilder)
    assert_type(builder.with_plugins(filters="quiet", sinks={"s3": {"bucket": "b"}}, deny=["loud"]), LoggerBuilder)
    assert_type(builder.with_shutdown_timeout("5s").with_diagnostics(enabled=False), LoggerBuilder)
    assert_type(builder.add_stdout("json", name="out").add_file(Path("a.log"), name="disk"), LoggerBuilder)
    assert_type(builder.add_memory(10, name="last").with_settings(Settings(level="INFO")), LoggerBuilder)
    assert_type(builder.with_sampling(0.1, by="trace").with_sampling(target_per_second=50), LoggerBuilder)
    assert_type(builder.with_rate_limit(10, burst=20, key=["message"]).with_first_seen(window="1m"), LoggerBuilder)
    assert_type(builder.with_dedupe(window=10, key=("message",), max_keys=5), LoggerBuilder)
    assert_type(builder.with_routing(Route("errors", levels=("ERROR",)), fallback="disk"), LoggerBuilder)
    assert_type(builder.with_redaction("PII", fields=["card"], patterns=[re.compile("x")], fail="drop"), LoggerBuilder)
    return builder


def kinds() -> None:
    """The same methods on every builder."""
    assert_type(AsyncLoggerBuilder().with_level("INFO").add_file("a.log"), AsyncLoggerBuilder)
    assert_type(FastAPIBuilder().with_level("INFO").skip_paths("/health").with_size_guard(), FastAPIBuilder)
    assert_type(FastAPIBuilder().with_flight_recorder(on="error", slow_seconds="2s"), FastAPIBuilder)
    assert_type(FastAPIBuilder().with_debug_route(token="t").with_access_log(level="DEBUG"), FastAPIBuilder)
    FastAPIBuilder().with_debug_route(hosts=["logs.internal"], allow=lambda scope: bool(scope["method"] == "GET"))
    assert_type(FapilogPlugin().with_preset("fastapi").capture_stdlib(level=None), FapilogPlugin)


def settings() -> None:
    """Settings are read by name."""
    said = Settings(preset="production", queue={"capacity": 5})
    assert_type(said.queue.capacity, int)
    assert_type(said.asgi.sample_rate, float)
    assert_type(said.level, str | int)
    get_logger("shop", settings=said)
    assert_type(list_presets(), list[str])
