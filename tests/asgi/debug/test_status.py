"""What the console's figures, and its readiness, say of what goes wrong."""

import threading
from collections.abc import Mapping
from typing import Any

import pytest
from opentelemetry.sdk.trace import TracerProvider

from fapilog import get_logger
from fapilog.errors import SinkError
from fapilog.fastapi import FastAPIBuilder
from fapilog.sinks.memory import MemorySink
from tests.asgi.debug.front import BEARER, PATH, MakeFront, ask

HEALTH = f"{PATH}/health"
pytestmark = pytest.mark.asyncio


class Ailing(MemorySink):
    """A sink that says what ails it."""

    said = ""

    def health(self) -> Mapping[str, Any]:
        """Tell it."""
        return {"status": "failing", "last_error": self.said}


class Gated(MemorySink):
    """A sink that takes nothing until it is opened."""

    def __init__(self) -> None:
        super().__init__(name="gated")
        self.gate = threading.Event()

    def write(self, batch: Any) -> None:
        """Wait."""
        self.gate.wait()
        super().write(batch)


class Flaky(MemorySink):
    """A sink that raises now and then."""

    fails = False

    def write(self, batch: Any) -> None:
        """Take it or raise."""
        if self.fails:
            raise ValueError("not now")
        super().write(batch)


class Refusing(MemorySink):
    """A sink that raises, and might block."""

    blocks = True

    def write(self, batch: Any) -> None:
        """Raise."""
        raise SinkError("no room", retryable=True)


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ("ValueError: no", "ValueError"),
        ("http://127.0.0.1:1: ConnectionRefusedError (Connection refused)", "ConnectionRefusedError"),
        ("PostgreSQL refuses (asyncpg.UndefinedTableError, SQLSTATE 42P01)", "asyncpg.UndefinedTableError"),
        ("http://127.0.0.1:1 answered 500: no room", "error"),
        ("", None),
    ],
)
async def test_the_last_error_is_the_name_of_a_type(front: MakeFront, said: str, told: str | None) -> None:
    """Wherever in its text a sink has put it, and never a part of an address."""
    sink = Ailing(name="ailing")
    sink.said = said

    figures = (await ask(front(builder=FastAPIBuilder().add_sink(sink)), headers=BEARER)).json()["sinks"]["ailing"]

    assert (figures["last_error"], figures["health"]["last_error"]) == (told, said)


async def test_what_a_sink_tells_under_the_name_of_a_secret_is_hidden(front: MakeFront) -> None:
    """Its contract asks it for no secrets; a sink that does not know that shows none all the same."""

    class Chatty(MemorySink):
        def health(self) -> Mapping[str, Any]:
            return {"status": "ok", "password": "canary", "detail": "postgres://u:canary@host/db", "rows": 7}

    answer = await ask(front(builder=FastAPIBuilder().add_sink(Chatty(name="chatty"))), headers=BEARER)

    assert "canary" not in answer.text
    assert answer.json()["sinks"]["chatty"]["health"]["rows"] == 7


async def test_the_description_says_the_paths_of_here(front: MakeFront) -> None:
    """Whoever takes it to a tool asks where the console stands."""
    answer = await ask(front(path="/ops/log"), path="/api/ops/log/openapi.json", root_path="/api", headers=BEARER)

    assert {"/api/ops/log", "/api/ops/log/levels"} <= set(answer.json()["paths"])
    assert "/debug/logging" not in str(list(answer.json()["paths"]))


async def test_ready_as_long_as_nothing_is_wrong(front: MakeFront) -> None:
    """200, and no reason."""
    answer = await ask(front(), path=HEALTH, headers=BEARER)

    assert (answer.status_code, answer.json()) == (200, {"status": "ok", "reasons": []})


async def test_a_failing_sink_is_not_ready(front: MakeFront) -> None:
    """503, and which."""
    route = front(builder=FastAPIBuilder().add_sink(Ailing(name="ailing")))

    answer = await ask(route, path=HEALTH, headers=BEARER)

    assert (answer.status_code, answer.json()) == (503, {"status": "failing", "reasons": ["sink ailing: failing"]})


async def test_a_sink_that_has_recovered_is_ready(front: MakeFront) -> None:
    """One that says nothing of itself fails as long as its last batch did; what it was stays told."""
    sink = Flaky(name="flaky")
    route = front(builder=FastAPIBuilder().add_sink(sink))
    answers = []
    for sink.fails in (False, True, True, False):
        get_logger().info("event")
        assert route.console.engine().flush(10.0)
        answers.append((await ask(route, path=HEALTH, headers=BEARER)).status_code)

    figures = (await ask(route, headers=BEARER)).json()["sinks"]["flaky"]
    assert answers == [200, 503, 503, 200]
    assert (figures["status"], figures["last_error"], figures["failed"]) == ("ok", "ValueError", {"ValueError": 2})


async def test_an_open_circuit_is_not_ready(front: MakeFront) -> None:
    """503, and whose."""
    route = front(builder=FastAPIBuilder().with_circuit_breaker(1).add_sink(Refusing(name="refusing")))
    get_logger().info("refused")
    assert route.console.engine().flush(10.0)

    answer = await ask(route, path=HEALTH, headers=BEARER)

    assert (answer.status_code, answer.json()["reasons"]) == (503, ["sink refusing: circuit open"])


async def test_a_queue_that_is_nearly_full_is_not_ready(front: MakeFront) -> None:
    """503 as long as nobody takes anything out of it, 200 after that."""
    sink = Gated()
    route = front(builder=FastAPIBuilder().with_queue(capacity=20).with_backpressure("drop").add_sink(sink))
    answer = await ask(route, path=HEALTH, headers=BEARER)
    for number in range(5_000):
        if answer.status_code != 200:
            break
        get_logger().info("waits", number=number)
        answer = await ask(route, path=HEALTH, headers=BEARER)
    sink.gate.set()
    assert route.console.engine().flush(10.0)

    [reason] = answer.json()["reasons"]
    assert reason.startswith("queue: ")
    assert " of 20 events" in reason
    assert (await ask(route, path=HEALTH, headers=BEARER)).status_code == 200


async def test_what_is_kept_of_spans(front: MakeFront) -> None:
    """How many are kept, and how many could not be read; nothing where none are to be kept."""
    provider = TracerProvider()
    route = front(builder=FastAPIBuilder().with_tracing(tracer_provider=provider), spans=2)
    assert (await ask(route, headers=BEARER)).json()["spans"]["max_spans"] == 2
    for name in ("one", "two", "three"):
        with provider.get_tracer("test").start_as_current_span(name):
            pass

    assert (await ask(route, headers=BEARER)).json()["spans"] == {"spans": 2, "max_spans": 2, "unreadable": 0}
    assert (await ask(front(spans=0), headers=BEARER)).json()["spans"] is None
