"""One service, said by methods, by ``Settings`` and by variables: the same bytes but for time and process id."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest

from fapilog.config.environment import variable_of
from fapilog.config.parts import KINDS
from fapilog.config.settings import parts_of_settings

SAID: dict[str, Any] = {
    "preset": "production",
    "name": "shop",
    "level": "debug,quiet=error",
    "service": {"name": "orders", "version": "1.2", "env": "test"},
    "queue": {"capacity": 500, "reserve": 50, "max_bytes": "8 MB", "policy": "wait", "wait_seconds": None},
    "batch": {"max_events": 10, "max_bytes": "64 KB", "max_age_seconds": "20ms", "max_in_flight": 2},
    "stdout": {"format": "json", "name": "stdout"},
    "file": {
        "path": "logs/app.log", "max_bytes": "70 KB", "interval": "1d", "max_files": 50, "max_total_bytes": "1 MB",
        "compress": False, "name": "disk",
    },
    "context": {"region": "eu", "shard": 7},
    "shutdown_timeout": "4s",
    "diagnostics": False,
    "asgi": {
        "request_id": True, "request_id_header": "X-Correlation-ID", "accept_request_id": True, "access_log": True,
        "skip_paths": ["/health", "/static/*"], "include_headers": ["X-Tenant", "Authorization"], "sample_rate": 1.0,
        "trusted_proxies": ["203.0.113.0/24"], "level": "WARNING", "error_level": "CRITICAL",
        "flush_each_request": True,
    },
    "debug_route": {
        "path": "/figures", "token": "t0ken", "hosts": ["app"], "keep": "1 MB", "max_tails": 3, "spans": 10,
        "trace_url": "https://localhost/{trace_id}",
    },
    "flight_recorder": {
        "level": "DEBUG", "on": ["slow", "error"], "slow_seconds": "1500ms", "max_events": 50, "max_bytes": "64 KB",
        "max_total_bytes": "4 MB",
    },
    "stdlib": {"level": "DEBUG", "loggers": ["library"], "source": True},
    "servers": False,
    "sampling": {"rate": 1.0, "by": "trace", "target_per_second": None, "exempt": "WARNING"},
    "rate_limit": {"per_second": 1000.0, "burst": 2000, "key": ["logger", "message"], "max_keys": 50},
    "first_seen": {"key": ["number", "message", "logger", "path"], "window": "1h", "max_keys": 500},
    "dedupe": {"window": "1h", "key": ["message", "number", "logger", "path"], "max_keys": 500},
    "redaction": {
        "presets": ["PII"], "fields": ["card", "user.*.name"], "remove": ["internal"], "patterns": ["key-[0-9]{4,9}"],
        "allow": ["token_usage"], "fail": "drop", "max_text": 200, "enabled": True,
    },
    "kubernetes": {"enabled": True, "labels": ["team"], "annotations": ["note"], "path": "podinfo"},
    "size_guard": {"max_bytes": "64 KB", "protected": ["order"]},
    "routing": {"routes": [{"to": ["stdout", "disk"], "logger": "shop"}], "fallback": ["disk", "stdout"]},
    "journal": {"directory": "journal", "max_bytes": "2 MB", "segment_bytes": "128 KB"},
    "retry": {"first_seconds": 0.1, "max_seconds": "2s", "budget_seconds": 9},
    "circuit_breaker": {"failures": 3, "reset_seconds": "2s"},
    "dead_letters": {"path": "dead/letters.jsonl", "max_bytes": "1 MB"},
    "spool": {
        "directory": "spool", "max_bytes": "4 MB", "full": "refuse", "segment_bytes": "64 KB", "sync": "always",
        "sync_seconds": 2,
    },
    "fallback": {"to": "other/fallback.log"},
    "adaptive": {"max_batch": 4, "max_in_flight": 2, "shed": "INFO"},
    "tracing": {"links": True, "baggage": ["tenant"], "skip_paths": ["/health", "/static/*"]},
    "metrics": {"otel": False, "prometheus": True},
    "plugins": {
        "sinks": [], "filters": [], "enrichers": [], "redactors": [], "processors": [], "allow": ["x"], "deny": ["y"],
    },
}  # fmt: skip
"""Every option that a variable can say."""

BY_METHODS = """
def told(builder):
    return (
        builder.with_preset("production").with_name("shop").with_level("debug,quiet=error")
        .with_service("orders", version="1.2", env="test")
        .with_queue(capacity=500, reserve=50, max_bytes="8 MB").with_backpressure("wait", wait_seconds=None)
        .with_batch(max_events=10, max_bytes="64 KB", max_age_seconds="20ms", max_in_flight=2)
        .with_retry(first_seconds=0.1, max_seconds="2s", budget_seconds=9)
        .with_circuit_breaker(3, reset_seconds="2s").with_dead_letters("dead/letters.jsonl", max_bytes="1 MB")
        .with_spool(
            "spool", max_bytes="4 MB", full="refuse", segment_bytes="64 KB", sync="always", sync_seconds=2
        )
        .with_fallback("other/fallback.log").with_adaptive(max_batch=4, max_in_flight=2, shed="INFO")
        .with_tracing(links=True, baggage=["tenant"], skip_paths=["/health", "/static/*"])
        .with_metrics(otel=False, prometheus=True)
        .add_stdout("json", name="stdout")
        .add_file(
            "logs/app.log", max_bytes="70 KB", interval="1d", max_files=50, max_total_bytes="1 MB", compress=False,
            name="disk",
        )
        .with_context(region="eu", shard=7).with_shutdown_timeout("4s").with_diagnostics(enabled=False)
        .with_kubernetes(enabled=True, labels=["team"], annotations=["note"], path="podinfo")
        .with_sampling(1.0, by="trace", exempt="WARNING")
        .with_rate_limit(1000.0, burst=2000, key=["logger", "message"], max_keys=50)
        .with_first_seen(key=["number", "message", "logger", "path"], window="1h", max_keys=500)
        .with_dedupe(window="1h", key=["message", "number", "logger", "path"], max_keys=500)
        .with_redaction(
            "PII", fields=["card", "user.*.name"], remove=["internal"], patterns=["key-[0-9]{4,9}"],
            allow=["token_usage"], fail="drop", max_text=200, enabled=True,
        )
        .with_routing({"to": ["stdout", "disk"], "logger": "shop"}, fallback=["disk", "stdout"])
        .with_journal("journal", max_bytes="2 MB", segment_bytes="128 KB")
        .with_size_guard("64 KB", protected=["order"]).with_plugins(allow=["x"], deny=["y"])
    )

def edge(builder):
    return (
        told(builder).with_request_id("X-Correlation-ID", accept=True, enabled=True)
        .with_access_log(enabled=True, level="WARNING", error_level="CRITICAL")
        .skip_paths("/health", "/static/*").include_headers("X-Tenant", "Authorization").sample_rate(1.0)
        .flush_each_request()
        .with_trusted_proxies("203.0.113.0/24")
        .with_debug_route(
            "/figures", "t0ken", hosts=["app"], keep="1 MB", max_tails=3, spans=10,
            trace_url="https://localhost/{trace_id}",
        )
        .with_flight_recorder(
            "DEBUG", on=["slow", "error"], slow_seconds="1500ms", max_events=50, max_bytes="64 KB",
            max_total_bytes="4 MB",
        )
        .capture_stdlib(level="DEBUG", loggers=("library",), source=True, servers=False)
    )
"""
BY_SETTINGS = """
import json
from fapilog import Settings
def told(builder):
    return builder.with_settings(Settings(**json.load(open("said.json"))))
edge = told
"""
BY_VARIABLES = """
def told(builder):
    return builder
edge = told
"""
ROADS = {"methods": BY_METHODS, "settings": BY_SETTINGS, "variables": BY_VARIABLES}

SCRIPT = """
from fapilog import LoggerBuilder, bind_context
import fapilog
from road import told

logger = told(LoggerBuilder()).build()
bind_context(request_id="r-1", tenant="t")
for number in range(60):
    logger.debug("step", number=number, password="hunter2", card="4111 1111 1111 1111")
logger.bind(order=7).error("failed with Bearer abcdefghijklmnop123456", items=["a", {"token": "x"}])
fapilog.get_logger("quiet.one").warning("not this")
logger.info("used key-12345", user={"name": "ann", "id": 7}, internal=1, token_usage=3)
logger.info("too long", order="o" * 100, text="x" * 100_000)
logger.log("WARNING", "last of %s", "all")
logger.drain()
"""
APP = """
import asyncio, logging
import httpx
from fastapi import FastAPI
from fapilog import get_logger
from fapilog.fastapi import FastAPIBuilder
from road import edge

app = FastAPI(lifespan=edge(FastAPIBuilder()).build())

@app.get("/orders/{order}")
async def order(order: int):
    get_logger("app").info("order shown", order=order, api_key="k")
    logging.getLogger("library").debug("from a library")
    return {}

@app.get("/health")
async def health():
    return {}

@app.get("/broken")
async def broken():
    raise ValueError("broken with password=hunter2")

async def main():
    async with app.router.lifespan_context(app):
        transport = httpx.ASGITransport(app, raise_app_exceptions=False, client=("203.0.113.9", 1))
        async with httpx.AsyncClient(transport=transport, base_url="http://app") as client:
            headers = {"X-Correlation-ID": "c-1", "X-Tenant": "t", "Authorization": "Bearer abc",
                       "X-Forwarded-For": "198.51.100.7"}
            for path in ("/orders/1", "/health", "/nowhere", "/broken"):
                await client.get(path, headers=headers)
            figures = await client.get("/figures", headers={"Authorization": "Bearer t0ken"})
            assert figures.status_code == 200, figures.status_code

asyncio.run(main())
"""
_VARIES = re.compile(rb'"timestamp":"[^"]*"|"pid":\d+|"(?:duration|total)_ms":[0-9.]+')


def variables() -> dict[str, str]:
    """Return what is said, as variables: lists between commas, mappings as JSON."""
    parts = parts_of_settings()
    found = {}
    for name, value in SAID.items():
        if name in parts:
            found |= {variable_of(name, option): _text(it) for option, it in value.items()}
        else:
            found[variable_of(name)] = _text(value)
    return found


def _text(value: Any) -> str:
    if isinstance(value, list) and all(isinstance(it, str) for it in value):
        return ",".join(value)
    return value if isinstance(value, str) else json.dumps(value) if isinstance(value, dict | list) else str(value)


def run(program: str, road: str, folder: Path) -> tuple[bytes, bytes]:
    """Return standard output and all files of a program configured on a road, without what is allowed to differ."""
    folder.mkdir()
    (folder / "road.py").write_text(ROADS[road], "utf-8")
    (folder / "said.json").write_text(json.dumps(SAID), "utf-8")
    (folder / "program.py").write_text(program, "utf-8")
    environ: Mapping[str, str] = {
        **{
            name: value for name, value in os.environ.items() if not name.startswith(("FAPILOG_", "OTEL_", "LOG_LEVEL"))
        },
        **(variables() if road == "variables" else {}),
    }
    done = subprocess.run(
        [sys.executable, "program.py"], cwd=folder, env=environ, capture_output=True, check=False, timeout=60
    )
    assert (done.returncode, done.stderr) == (0, b""), done.stderr.decode()
    files = b"".join(path.read_bytes() for path in sorted((folder / "logs").iterdir(), key=_age))
    here = str(folder).encode()
    return _VARIES.sub(b"", done.stdout.replace(here, b"")), _VARIES.sub(b"", files.replace(here, b""))


def _age(path: Path) -> tuple[bool, str]:
    """Sort rotated files by their names, which is by age, and the live one last."""
    return path.name == "app.log", path.name


def test_every_part_is_said() -> None:
    """And every option of each, so that what is compared is all there is; remote sinks are in their own test."""
    parts = {
        name: kind for name, kind in parts_of_settings().items() if name in ("stdout", "file") or name not in KINDS
    }

    assert set(SAID) >= set(parts)
    for name, kind in parts.items():
        assert set(SAID[name]) == {option.name for option in fields(kind)}, name


@pytest.mark.parametrize("program", [SCRIPT, APP], ids=["script", "application"])
def test_three_roads_give_the_same_bytes(program: str, tmp_path: Path) -> None:
    """On standard output and in the files, the rotated ones included."""
    by_methods, by_settings, by_variables = (run(program, road, tmp_path / road) for road in ROADS)

    assert by_methods[0].count(b"\n") > 3
    assert by_methods[1].splitlines() == by_methods[0].splitlines()
    assert by_settings == by_methods
    assert by_variables == by_methods
    assert not re.search(rb"hunter2|4111 1111|abcdefghijklmnop|key-1234", b"".join(by_methods))
    assert b'"service":"orders"' in by_methods[0]
    assert b'"region":"eu"' in by_methods[0]
