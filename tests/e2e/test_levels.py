"""P46 over HTTP alone: a level turned up in a running uvicorn, seen to take effect, and seen to fall back."""

import textwrap
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.server import Server

APP = textwrap.dedent("""
    import logging

    from fastapi import FastAPI

    from fapilog import get_logger
    from fapilog.fastapi import FastAPIBuilder

    log = get_logger("app.db").bind(shard=3)
    library = logging.getLogger("library.pool")


    async def speak(n: int):
        log.debug("own", n=n)
        library.debug("theirs", extra={"n": n})
        return {}


    builder = FastAPIBuilder().with_preset("production").with_level("info,app.db=warning").capture_stdlib()
    app = FastAPI(lifespan=builder.with_debug_route(token="s3cret").build())
    app.add_api_route("/speak/{n}", speak)
""")
LEVELS = "/debug/logging/levels"
BEARER = {"authorization": "Bearer s3cret"}


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    (tmp_path / "loud_app.py").write_text(APP)
    with Server(tmp_path, "loud_app:app") as server:
        yield server


def put(server: Server, **body: Any) -> dict[str, Any]:
    """Change a level; return the rows of the answer by logger, the default's under None."""
    return rows(server.client.put(LEVELS, json=body, headers=BEARER))


def rows(answer: Any) -> dict[Any, dict[str, Any]]:
    assert answer.status_code == 200, answer.text
    shown = answer.json()
    return {None: shown["default"], **{each["logger"]: each for each in shown["loggers"]}}


def when(timestamp: str) -> datetime:
    return datetime.fromisoformat(timestamp)


def test_turned_up_for_a_while_and_back(server: Server) -> None:
    """Loggers of both kinds, bound at import, speak at DEBUG for the time and not before or after; each is told."""
    server.client.get("/speak/1")
    put(server, logger="app", level="DEBUG", ttl_seconds=60)
    put(server, logger="app.db", level="DEBUG", ttl_seconds=1.5)
    shown = put(server, logger="library", level="debug", ttl_seconds=1.5)
    for name in ("app.db", "library"):
        assert shown[name]["effective"] == "DEBUG"
        assert 0 < shown[name]["seconds_left"] <= 1.5
    assert shown["app.db"]["configured"] == "WARNING"
    assert shown["library"]["stdlib"] == "DEBUG"
    server.client.get("/speak/2")
    time_of_end = shown["library"]["until"]

    def fallen_back() -> bool:
        now = rows(server.client.get(LEVELS, headers=BEARER))
        return now["app.db"]["effective"] == "WARNING" and "library" not in {
            name for name, row in now.items() if row["effective"] == "DEBUG"
        }

    server.wait_for(fallen_back, "the level does not fall back")
    server.client.get("/speak/3")
    put(server, logger="app", level=None)
    put(server, level="ERROR", ttl_seconds=3600)
    stopped = server.stop()

    events = [event for event in stopped.events() if event["logger"] in ("app.db", "library.pool")]
    assert [(event["message"], event["n"]) for event in events] == [("own", 2), ("theirs", 2)]
    told = [event for event in stopped.events() if event["logger"] == "fapilog.console"]
    assert {event["client_ip"] for event in told} == {"127.0.0.1"}
    expired = [event for event in told if event.get("reason") == "expired"]
    assert sorted(event["target_logger"] for event in expired) == ["app.db", "library"]
    (library,) = [event for event in expired if event["target_logger"] == "library"]
    # Timers count with another clock than the one that tells the time: a millisecond early is not early.
    assert when(time_of_end) - when(library["timestamp"]) < timedelta(seconds=0.5)
    assert [
        (event["target_logger"], event["reason"]) for event in told if event.get("reason") in ("reset", "shutdown")
    ] == [("app", "reset"), (None, "shutdown")]
    assert stopped.stderr.count("Traceback") == 0


def test_only_with_the_token(server: Server) -> None:
    """Nobody else sees or changes a level, and a wrong body says what is wrong."""
    assert server.client.get(LEVELS).status_code == 401
    assert server.client.put(LEVELS, json={"level": "DEBUG"}).status_code == 401
    wrong = server.client.put(LEVELS, json={"level": "DEBGU"}, headers=BEARER)
    assert wrong.status_code == 400
    assert "Did you mean" in wrong.json()["error"]
    assert rows(server.client.get(LEVELS, headers=BEARER))[None]["effective"] == "INFO"
    stopped = server.stop()

    assert not [event for event in stopped.events() if event["message"].startswith("log_level")]
