"""What networks do to a remote sink: nothing is lost, order is kept, copies are copies, and other sinks do not notice.

Real backends behind a proxy; without a spool, so that it is retry alone that heals.
"""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from fapilog import LoggerBuilder, _runtime
from fapilog.sinks.memory import MemorySink
from fapilog.sinks.otlp import sink as _otlp  # noqa: F401 - grpc, which it imports, leaves a log handler behind
from tests.faults.proxy import Mode, Proxy
from tests.faults.test_backends import POSTGRES, check_arrived
from tests.services.http import HttpServer
from tests.services.loki import LokiServer
from tests.services.otlp import OtlpServer
from tests.services.postgres import PostgresServer
from tests.services.redis import RedisServer

EACH = 200
SECONDS = 30.0
PEERS: dict[str, tuple[Callable[[Path], Any], Callable[[Any], int], Callable[[int], dict[str, Any]]]] = {
    "http": (HttpServer, lambda it: it.port, lambda port: {"url": f"http://127.0.0.1:{port}/ingest"}),
    "loki": (LokiServer, lambda it: it.port, lambda port: {"url": f"http://127.0.0.1:{port}", "labels": {"app": "t"}}),
    "otlp": (OtlpServer, lambda it: it.http_port, lambda port: {"endpoint": f"http://127.0.0.1:{port}/v1/logs"}),
    "postgres": (
        PostgresServer, lambda it: it.port, lambda port: {"dsn": f"postgresql://postgres@127.0.0.1:{port}/postgres"}
    ),
    "redis": (RedisServer, lambda it: it.port, lambda port: {"url": f"redis://127.0.0.1:{port}/0"}),
}  # fmt: skip
"""How a peer is started, its port, and the sink's options for another port."""
SERVICES = {
    "http": pytest.mark.requires_service("uvicorn", module="uvicorn"),
    "loki": pytest.mark.requires_service("httpx", module="httpx"),
    "otlp": pytest.mark.requires_service("protobuf", module="google.protobuf"),
    "postgres": pytest.mark.requires_service("PostgreSQL", files=POSTGRES),
    "redis": pytest.mark.requires_service("redis-server", command="redis-server"),
}


def until(done: Callable[[], object]) -> None:
    deadline = time.monotonic() + SECONDS
    while not done():
        assert time.monotonic() < deadline
        time.sleep(0.005)


@pytest.mark.parametrize("mode", ["refuse", "reset", "hang", "slow"])
@pytest.mark.parametrize("kind", [pytest.param(kind, marks=SERVICES[kind]) for kind in PEERS])
def test_a_fault_passes(kind: str, mode: Mode, tmp_path: Path) -> None:
    """Refused and reset connections, a peer that hangs, one that takes its bytes slowly."""
    start, port_of, options = PEERS[kind]
    (tmp_path / "server").mkdir()
    memory = MemorySink(max_events=10_000)
    with start(tmp_path / "server") as server, Proxy(port_of(server)) as proxy:
        builder = LoggerBuilder().add_sink(memory).with_retry(first_seconds=0.05, max_seconds=0.2)
        builder = builder.with_batch(max_age_seconds=0.02)
        logger = getattr(builder, f"add_{kind}")(**options(proxy.port), timeout="1s").build()
        (engine,) = _runtime._state.engines

        def row() -> dict[str, Any]:
            return engine.snapshot()["sinks"][kind]  # type: ignore[no-any-return]

        def log(part: int) -> None:
            for number in range(part * EACH, (part + 1) * EACH):
                logger.info("m", sequence=number, text="x" * 200)

        log(0)
        until(lambda: row()["delivered"] == EACH)
        proxy.set(mode)
        log(1)
        until(lambda: len(memory.events) == 2 * EACH)
        if mode == "slow":
            until(lambda: row()["delivered"] == 2 * EACH)
        else:
            until(lambda: row()["own"]["retries"])
            assert row()["health"]["status"] == "failing"
        proxy.set("pass")
        if mode == "hang":
            proxy.drop()
        log(2)
        result = logger.drain(SECONDS)
        received = server.received()

    assert result.sinks[kind]["delivered"] == result.sinks["memory"]["delivered"] == 3 * EACH
    check_arrived(received, 3 * EACH)
    assert [event["sequence"] for event in memory.events] == list(range(3 * EACH))
