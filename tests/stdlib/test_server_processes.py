"""P29: however the server is started, each line comes exactly once, and what is piped is JSON."""

import json
import re
import sys
from collections.abc import Callable
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from uvicorn.config import LOGGING_CONFIG

from fapilog.stdlib import uvicorn_log_config
from tests.e2e.server import Event, Server, Stopped

REQUESTS = 6
APP = """
import logging

from fastapi import FastAPI

from fapilog import get_logger
from fapilog.fastapi import FastAPIBuilder

log = get_logger("shop")
log.info("imported")
app = FastAPI(lifespan=FastAPIBuilder().capture_stdlib().build())


@app.get("/order/{number}")
async def order(number: int) -> int:
    log.info("order shown", number=number)
    logging.getLogger("library").info("row %d read", number)
    return number


@app.get("/boom")
async def boom() -> None:
    raise RuntimeError("boom")
"""
MIDDLEWARE_APP = """
import logging

from fapilog import get_logger
from fapilog.asgi import FapilogMiddleware

log = get_logger("shop")
log.info("imported")


async def inner(scope, receive, send):
    if scope["type"] == "lifespan":
        while True:
            kind = (await receive())["type"]
            await send({"type": kind + ".complete"})
            if kind == "lifespan.shutdown":
                return
    if scope["path"] == "/boom":
        raise RuntimeError("boom")
    number = int(scope["path"].rpartition("/")[2])
    log.info("order shown", number=number)
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"%d" % number})


app = FapilogMiddleware(inner)
"""
RUN = """
import sys

import uvicorn

if __name__ == "__main__":
    uvicorn.run("app:app", port=int(sys.argv[1]), {arguments})
"""

FIRST_LINES = ("Started server process", "Waiting for application startup.")
RUN_LINES = ("Application startup complete.", "Shutting down", "Waiting for application shutdown.")
LAST_LINES = ("Application shutdown complete.", "Finished server process")


@dataclass(frozen=True)
class Way:
    """A way to start a server.

    Attributes:
        command: Its command line, given a port.
        workers: How many processes serve.
        lines: Lines of the server that have to come exactly once for each worker, on whatever stream.
        piped: Whether all of them come as JSON on stdout.
        module: What has to be installed.
    """

    command: Callable[[int], list[str]]
    workers: int = 1
    lines: tuple[str, ...] = (*FIRST_LINES, *RUN_LINES, *LAST_LINES)
    piped: bool = False
    app: str = APP
    run: str = ""
    log_config: Any = None
    module: str = "uvicorn"


def uvicorn(*arguments: str) -> Callable[[int], list[str]]:
    return lambda port: ["-m", "uvicorn", "app:app", "--port", str(port), *arguments]


def script(port: int) -> list[str]:
    return ["run.py", str(port)]


def gunicorn(port: int) -> list[str]:
    bind = f"127.0.0.1:{port}"
    return ["-m", "gunicorn", "app:app", "-k", "uvicorn_worker.UvicornWorker", "-w", "2", "-b", bind]


def hypercorn(port: int) -> list[str]:
    return ["-m", "hypercorn", "app:app", "-b", f"127.0.0.1:{port}", "--access-logfile", "-"]


WAYS = {
    "shell": Way(uvicorn()),
    "middleware": Way(uvicorn(), app=MIDDLEWARE_APP),
    "run": Way(script, run=RUN.format(arguments="")),
    "log-config": Way(uvicorn("--log-config", "log.json"), log_config=deepcopy(LOGGING_CONFIG)),
    "our log-config": Way(uvicorn("--log-config", "log.json"), log_config=uvicorn_log_config(), piped=True),
    "our log_config": Way(
        script,
        run="from fapilog.stdlib import uvicorn_log_config\n" + RUN.format(arguments="log_config=uvicorn_log_config()"),
        piped=True,
    ),
    "log_config=None": Way(script, run=RUN.format(arguments="log_config=None"), lines=RUN_LINES, piped=True),
    "workers": Way(uvicorn("--workers", "2"), workers=2),
    "reload": Way(uvicorn("--reload")),
    # "Shutting down" is also a line of gunicorn's own master process; as an event it is counted all the same.
    "gunicorn": Way(gunicorn, workers=2, lines=(RUN_LINES[0], RUN_LINES[2], *LAST_LINES), module="uvicorn_worker"),
    "hypercorn": Way(hypercorn, lines=(), module="hypercorn"),
}


class Started(Server):
    """A server that is started in any way."""

    def __init__(self, folder: Path, way: Way) -> None:
        super().__init__(folder, "")
        self._command = [sys.executable, *way.command(self.port)]


@pytest.mark.parametrize("name", WAYS)
def test_each_line_exactly_once(name: str, tmp_path: Path) -> None:
    """Application, library, completion and server lines: none twice, none missing, one traceback an error."""
    way = WAYS[name]
    pytest.importorskip(way.module)
    write_files(tmp_path, way)

    with Started(tmp_path, way) as server:
        line = RUN_LINES[0] if way.lines else "imported"
        server.wait_for(lambda: server.printed().count(line) >= way.workers, "not all workers are there")
        ids = {server.client.get(f"/order/{number}").headers["x-request-id"] for number in range(REQUESTS)}
        assert server.client.get("/boom").status_code == 500
        left = server.stop()

    events = left.events()
    require_application_lines(events, ids, way)
    require_server_lines(left, events, way)


def write_files(folder: Path, way: Way) -> None:
    (folder / "app.py").write_text(way.app)
    (folder / "run.py").write_text(way.run)
    (folder / "log.json").write_text(json.dumps(way.log_config))


def require_application_lines(events: list[Event], ids: set[str], way: Way) -> None:
    shown = [event for event in events if event["message"] == "order shown"]
    completed = [event for event in events if event["message"] == "request_completed"]
    assert sorted(event["number"] for event in shown) == list(range(REQUESTS))
    assert {event["request_id"] for event in shown} == ids
    assert {event["request_id"] for event in completed} == ids
    assert len(completed) == len(ids) == REQUESTS
    read = [event for event in events if event["logger"] == "library"]
    assert sorted(event["message"] for event in read) == [f"row {n} read" for n in range(REQUESTS) if way.app is APP]
    assert all(event["request_id"] in ids for event in read)
    (failed,) = [event for event in events if "exception" in event]
    assert (failed["message"], failed["exception"]["message"]) == ("request_failed", "boom")


def require_server_lines(left: Stopped, events: list[Event], way: Way) -> None:
    everything = left.stdout + left.stderr
    for line in way.lines:
        assert everything.count(line) == way.workers, f"{line!r}: {everything.count(line)} times"
        if way.piped:
            assert left.stdout.count(line) == 1
    for line in RUN_LINES if way.lines else ():
        assert sum(event["message"] == line for event in events) == way.workers, line
    assert "Exception in ASGI" not in everything
    assert "Error in ASGI" not in everything
    assert "Traceback" not in left.stderr
    assert not re.search(r"GET /order/\d+ HTTP", everything), "the server's access line, beside our completion event"


def test_access_lines_of_the_server_where_completion_events_are_off(tmp_path: Path) -> None:
    """Without our completion event uvicorn's access line is an event, with the id of its request."""
    app = APP.replace("FastAPIBuilder()", "FastAPIBuilder().with_access_log(enabled=False)")
    way = Way(uvicorn(), app=app)
    write_files(tmp_path, way)

    with Started(tmp_path, way) as server:
        ids = [server.client.get(f"/order/{number}").headers["x-request-id"] for number in range(REQUESTS)]
        assert server.client.get("/boom").status_code == 500
        left = server.stop()

    events = left.events()
    access = [event for event in events if event["logger"] == "uvicorn.access"]
    assert [event["path"] for event in access] == [*(f"/order/{number}" for number in range(REQUESTS)), "/boom"]
    assert [event["status_code"] for event in access] == [200] * REQUESTS + [500]
    assert [event.get("request_id") for event in access[:REQUESTS]] == ids
    (failed,) = [event for event in events if "exception" in event]
    assert failed["logger"] == "uvicorn.error"
