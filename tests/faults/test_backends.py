"""Every remote sink behind a spool: its backend is killed and restarted twice, or is down for a whole run.

The application is a process of its own, so are the backends; each is the real one, or says in ``tests/services`` what
it stands for.
"""

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from tests.services.cloudwatch import CloudwatchServer
from tests.services.http import HttpServer
from tests.services.kafka import KafkaServer
from tests.services.loki import LokiServer
from tests.services.otlp import OtlpServer
from tests.services.postgres import PostgresServer
from tests.services.redis import RedisServer

ROOT = Path(__file__).parents[2]
EVENTS = 100_000
FEW = 5_000
PEAK_BYTES = 350_000_000
"""What the process may hold at most, its interpreter and the sink's library (boto3: 90 MB) included."""
RUN_SECONDS = 90.0
DOWN_SECONDS = 0.5
POSTGRES = "/usr/lib/postgresql/*/bin/postgres"
SECRET = "a-secret-of-at-least-32-characters"


class Backend(NamedTuple):
    """How a backend is started, and reached by the sink."""

    server: Callable[[Path], Any]
    options: Callable[[Any], dict[str, Any]]
    service: tuple[str, dict[str, str]]


def _folder(path: Path) -> Path:
    path.mkdir()
    return path


def _loki(server: Any) -> dict[str, Any]:
    return {"url": server.url, "labels": {"app": "test"}}


def _kafka(server: Any) -> dict[str, Any]:
    # The mock cluster forgets what its reader, in the same process, does not read in time.
    server.slow(20)
    return {"servers": server.servers, "topic": server.topic}


def _cloudwatch(server: Any) -> dict[str, Any]:
    return {
        "group": "/fapilog/test", "endpoint_url": server.endpoint_url, "region": "eu-west-1", "access_key_id": "test",
        "secret_access_key": "test",
    }  # fmt: skip


BACKENDS: dict[str, Backend] = {
    "http": Backend(HttpServer, lambda it: {"url": it.url}, ("uvicorn", {"module": "uvicorn"})),
    "webhook": Backend(
        HttpServer,
        lambda it: {"url": it.url, "secret": SECRET, "batch": True, "min_level": "INFO"},
        ("uvicorn", {"module": "uvicorn"}),
    ),
    "loki": Backend(LokiServer, _loki, ("httpx", {"module": "httpx"})),
    "cloudwatch": Backend(CloudwatchServer, _cloudwatch, ("moto", {"module": "moto"})),
    "postgres": Backend(PostgresServer, lambda it: {"dsn": it.dsn}, ("PostgreSQL", {"files": POSTGRES})),
    "otlp": Backend(OtlpServer, lambda it: {"endpoint": it.url}, ("protobuf", {"module": "google.protobuf"})),
    "kafka": Backend(KafkaServer, _kafka, ("librdkafka", {"module": "confluent_kafka"})),
    "redis": Backend(RedisServer, lambda it: {"url": it.url}, ("redis-server", {"command": "redis-server"})),
}  # fmt: skip


def _parameters() -> list[Any]:
    return [
        pytest.param(kind, marks=pytest.mark.requires_service(it.service[0], **it.service[1]), id=kind)
        for kind, it in BACKENDS.items()
    ]


class Run:
    """The application, and what it tells."""

    def __init__(self, kind: str, server: Any, spool: Path, count: int, seconds: float) -> None:
        options = BACKENDS[kind].options(server)
        environ = {"PATH": os.environ["PATH"], "AWS_EC2_METADATA_DISABLED": "true", "HOME": str(spool.parent)}
        self._errors = (spool.parent / "stderr").open("w+b")
        self._process = subprocess.Popen(
            [
                sys.executable, "-m", "tests.faults.backend_app", kind, json.dumps(options), str(count), str(spool),
                str(seconds),
            ],
            cwd=ROOT, env=environ, stdout=subprocess.PIPE, stderr=self._errors, text=True,
        )  # fmt: skip
        self.last: dict[str, Any] = {"delivered": 0}

    def until(self, delivered: int) -> bool:
        """Read what it tells until so many events are delivered; False if it ended before."""
        assert self._process.stdout is not None
        for line in self._process.stdout:
            self.last = json.loads(line)
            if "submitted" in self.last:
                return False
            if self.last["delivered"] >= delivered:
                return True
        return False

    def result(self) -> dict[str, Any]:
        """Read to the end and return the result."""
        self.until(1 << 62)
        self._process.communicate(timeout=30)
        self._errors.seek(0)
        said = self._errors.read().decode()
        self._errors.close()
        assert "submitted" in self.last, said
        return self.last


@pytest.mark.timeout(240)
@pytest.mark.parametrize("kind", _parameters())
def test_a_backend_is_killed_and_restarted_twice(kind: str, tmp_path: Path) -> None:
    """All 100 000 events arrive, in order; what came twice has the same ``event_id``; memory stays bounded."""
    with BACKENDS[kind].server(_folder(tmp_path / "server")) as server:
        run = Run(kind, server, tmp_path / "spool", EVENTS, RUN_SECONDS)
        for share in (0.15, 0.5):
            run.until(int(EVENTS * share))
            server.kill()
            time.sleep(DOWN_SECONDS)
            server.start()
        result = run.result()
        received = server.received()

    check_arrived(received, EVENTS)
    assert result["submitted"] == result["delivered"] == EVENTS
    assert result["peak_bytes"] < PEAK_BYTES


@pytest.mark.parametrize("kind", _parameters())
def test_a_backend_is_down_for_a_whole_run(kind: str, tmp_path: Path) -> None:
    """The process ends and is started again: everything arrives from the spool, before what the second run says."""
    server = BACKENDS[kind].server(_folder(tmp_path / "server"))
    server.start()
    server.kill()
    down = Run(kind, server, tmp_path / "spool", FEW, 0).result()
    assert (down["delivered"], down["spooled"]) == (0, FEW)

    server.start()
    try:
        result = Run(kind, server, tmp_path / "spool", 10, RUN_SECONDS).result()
        received = server.received()
    finally:
        server.stop()

    assert result["delivered"] == 10
    firsts = first_of_each(received)
    assert [event["sequence"] for event in firsts] == [*range(FEW), *range(10)]


def check_arrived(received: list[dict[str, Any]], count: int) -> None:
    """Check that each event came, in order, and that copies are copies."""
    firsts = first_of_each(received)
    assert len(firsts) == count
    assert [event["sequence"] for event in firsts] == list(range(count))
    numbers: dict[str, int] = {}
    for event in received:
        assert numbers.setdefault(event["event_id"], event["sequence"]) == event["sequence"]


def first_of_each(received: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the first copy of each event."""
    return list({event["event_id"]: event for event in reversed(received)}.values())[::-1]
