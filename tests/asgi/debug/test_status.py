"""What the console's figures say of a sink that fails."""

from collections.abc import Mapping
from typing import Any

import pytest

from fapilog.fastapi import FastAPIBuilder
from fapilog.sinks.memory import MemorySink
from tests.asgi.debug.front import BEARER, MakeFront, ask

pytestmark = pytest.mark.asyncio


class Ailing(MemorySink):
    """A sink that says what ails it."""

    said = ""

    def health(self) -> Mapping[str, Any]:
        """Tell it."""
        return {"status": "failing", "last_error": self.said}


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
