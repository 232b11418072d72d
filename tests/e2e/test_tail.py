"""The live tail under real servers, over real sockets."""

import json
import signal
import socket
import sys
import textwrap
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from fapilog.asgi.debug.tail import SLOW_SECONDS
from tests.asgi.debug.test_tail import Told, event_source
from tests.e2e.server import PATIENCE_SECONDS, Server

TAIL = "/debug/logging/tail"
BEARER = {"authorization": "Bearer s3cret"}
SECONDS_TO_END = 8.0
"""Under a second when nothing else runs; what this is to catch is an end that waits for watchers or their ping."""
MORE_THAN_SOCKETS_HOLD = 1000
"""Events of 20 KB: 20 MB, where the ring has 8 and the buffers of a connection 10."""
APP = textwrap.dedent("""
    from fapilog import get_logger
    from fapilog.asgi import FapilogMiddleware
    from fapilog.starlette import StarletteBuilder

    log = get_logger("shop")


    async def app(scope, receive, send):
        if scope["type"] == "lifespan":
            await receive()
            await send({"type": "lifespan.startup.complete"})
            await receive()
            await send({"type": "lifespan.shutdown.complete"})
            return
        count, size = map(int, scope["path"][1:].split("/"))
        for number in range(count):
            log.info("said", number=number, note="x" * size)
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b""})


    plain = StarletteBuilder().with_preset("minimal").with_redaction(enabled=False).with_debug_route(token="s3cret")
    flooded = FapilogMiddleware(app, builder=plain)
    app = FapilogMiddleware(app, preset="production")
""")


class Hypercorn(Server):
    """The same under another server."""

    def command(self, target: str, *arguments: str) -> list[str]:
        return [sys.executable, "-m", "hypercorn", target, "--bind", f"127.0.0.1:{self.port}", *arguments]


class Gunicorn(Server):
    """The same under gunicorn with uvicorn's workers."""

    def command(self, target: str, *arguments: str) -> list[str]:
        worker = "uvicorn_worker.UvicornWorker"
        return [sys.executable, "-m", "gunicorn", target, "-b", f"127.0.0.1:{self.port}", "-k", worker, *arguments]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "plain_app.py").write_text(APP)
    return tmp_path


def serve(folder: Path, *arguments: str, kind: type[Server] = Server, app: str = "app") -> Server:
    return kind(folder, f"plain_app:{app}", *arguments, env={"FAPILOG_DEBUG_ROUTE__TOKEN": "s3cret"})


class Watcher:
    """Somebody who looks at the tail."""

    def __init__(self, response: httpx.Response) -> None:
        assert response.status_code == 200
        self._bytes = response.iter_raw()
        self.body = b""

    def until(self, found: Any) -> list[Told]:
        """Read until what was told is what is looked for, or the answer is over."""
        for part in self._bytes:
            self.body += part
            if self.body.endswith(b"\n\n") and found(event_source(self.body)):
                break
        return event_source(self.body)


@contextmanager
def watching(server: Server, resume: str | None = None, **query: str) -> Iterator[Watcher]:
    headers = BEARER if resume is None else {**BEARER, "last-event-id": resume}
    with server.client.stream("GET", TAIL, headers=headers, params=query) as response:
        yield Watcher(response)


def figures_of(server: Server) -> dict[str, Any]:
    return dict(server.client.get("/debug/logging", headers=BEARER).json())


def events_in(told: list[Told]) -> list[dict[str, Any]]:
    return [json.loads(line) for each in told if each.kind == "events" for line in each.data.split("\n")]


def numbers_in(told: list[Told]) -> list[int]:
    return [event["number"] for event in events_in(told) if event["message"] == "said"]


def test_events_are_seen_as_they_come_and_after_a_break(folder: Path) -> None:
    """Each exactly once, also those that came while the client was away; looking is not logged."""
    with serve(folder) as server:
        with watching(server, text="said") as watcher:
            server.client.get("/3/1")
            told = watcher.until(lambda told: len(numbers_in(told)) == 3)
        assert numbers_in(told) == [0, 1, 2]
        server.client.get("/2/1")
        with watching(server, told[-1].last_id, text="said") as watcher:
            server.client.get("/1/1")
            again = watcher.until(lambda told: len(numbers_in(told)) == 3)
        assert numbers_in(again) == [0, 1, 0]
        stopped = server.stop()

    paths = [event.get("path") for event in stopped.events() if event["logger"] == "fapilog.request"]
    assert paths == ["/3/1", "/2/1", "/1/1"]


@pytest.mark.parametrize(
    ("kind", "arguments"),
    [
        (Server, []),
        (Server, ["--http", "h11", "--loop", "asyncio"]),
        (Server, ["--workers", "2"]),
        (Hypercorn, []),
        (Gunicorn, []),
    ],
    ids=["uvicorn", "h11", "workers", "hypercorn", "gunicorn"],
)
@pytest.mark.parametrize("closes", [False, True], ids=["", "closes"])
def test_an_open_tail_does_not_hold_up_the_end(
    folder: Path, kind: type[Server], arguments: list[str], closes: bool
) -> None:
    """P48: at SIGTERM it says goodbye, and the process ends as if nobody had looked."""
    with serve(folder, *arguments, kind=kind) as server:
        server.client.get("/1/1")
        calm = server.stop().status
    with serve(folder, *arguments, kind=kind) as server:
        if closes:
            server.client.headers["connection"] = "close"
        with watching(server) as watcher:
            server.client.get("/1/1")
            began = time.monotonic()
            server._process.send_signal(signal.SIGTERM)
            told = watcher.until(lambda told: told and told[-1].kind == "end")
            stopped = server.stop()
            took = time.monotonic() - began

    assert told[-1].kind == "end"
    assert json.loads(told[-1].data) == {"reason": "shutdown", "lost": 0}
    assert took < SECONDS_TO_END
    assert stopped.status == calm
    assert "Traceback" not in stopped.stdout + stopped.stderr


def test_a_server_that_ends_by_itself(folder: Path) -> None:
    """Nobody sends a signal: uvicorn has answered as many requests as it was to."""
    with serve(folder, "--limit-max-requests", "2") as server, watching(server) as watcher:
        server.client.get("/1/1")
        server.client.get("/1/1")
        told = watcher.until(lambda told: told and told[-1].kind == "end")

    assert json.loads(told[-1].data)["reason"] == "shutdown"


def ask(client: socket.socket) -> None:
    """Begin a tail by hand, to read it when one likes."""
    lines = [f"GET {TAIL} HTTP/1.1", "Host: localhost", "Authorization: Bearer s3cret", "Connection: close"]
    client.sendall("\r\n".join([*lines, "", ""]).encode())
    assert client.recv(1)


def test_a_client_that_does_not_read_does_not_hold_up_the_end_either(folder: Path) -> None:
    """Who takes nothing is not waited for when the server is to stop."""
    with serve(folder, app="flooded") as server, socket.socket() as client:
        # Or what is sent would all find room on its way.
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        client.connect(("127.0.0.1", server.port))
        ask(client)
        while figures_of(server)["recent"]["oldest_number"] < MORE_THAN_SOCKETS_HOLD:
            assert server.client.get("/50/20000").status_code == 200
        began = time.monotonic()
        stopped = server.stop()
        took = time.monotonic() - began

    assert took < SECONDS_TO_END
    assert "Traceback" not in stopped.stdout + stopped.stderr


def test_a_client_that_does_not_read_costs_no_memory_and_is_cut_off(folder: Path) -> None:
    """What the ring has moved on over is counted, told and gone; the application goes on meanwhile."""
    with serve(folder, app="flooded") as server:
        with socket.create_connection(("127.0.0.1", server.port), PATIENCE_SECONDS) as client:
            ask(client)
            began = time.monotonic()
            while (
                figures_of(server)["recent"]["oldest_number"] < MORE_THAN_SOCKETS_HOLD
                or time.monotonic() < began + 2 * SLOW_SECONDS
            ):
                assert server.client.get("/50/20000").status_code == 200
            read = b"".join(iter(lambda: client.recv(1 << 20), b""))
        figures = figures_of(server)
        server.stop()

    assert b'event: end\ndata: {"reason":"slow","lost":' in read
    assert figures["tail"]["cut_off"] == 1
    assert figures["tail"]["clients"] == 0
    assert figures["tail"]["lost"] > 0
