"""The link that is told at start, as far as the process knows its own address."""

import asyncio
import re
from typing import Any

import pytest
import uvicorn
from uvicorn.lifespan.on import LifespanOn

from fapilog.asgi.debug.link import base_url
from fapilog.asgi.debug.options import DebugOptions

pytestmark = pytest.mark.asyncio


async def base_under_uvicorn(**settings: Any) -> str:
    """Return what an application finds out in a lifespan that uvicorn runs."""
    found: list[str] = []

    async def application(scope: Any, receive: Any, send: Any) -> None:
        await receive()
        found.append(base_url())
        await send({"type": "lifespan.startup.complete"})
        await receive()
        await send({"type": "lifespan.shutdown.complete"})

    lifespan = LifespanOn(uvicorn.Config(application, lifespan="on", interface="asgi3", log_config=None, **settings))
    before = asyncio.all_tasks()
    await lifespan.startup()
    tasks = asyncio.all_tasks() - before
    await lifespan.shutdown()
    await asyncio.wait(tasks)
    return found[0]


@pytest.mark.parametrize(
    ("settings", "base"),
    [
        ({}, "http://127.0.0.1:8000"),
        ({"host": "0.0.0.0", "port": 9001}, "http://127.0.0.1:9001"),
        ({"host": "::", "port": 9001}, "http://[::1]:9001"),
        ({"host": "2001:db8::7", "port": 9001}, "http://[2001:db8::7]:9001"),
        ({"host": "logs.example", "port": 80, "root_path": "/api"}, "http://logs.example:80/api"),
        ({"port": 0}, ""),
        ({"uds": "/run/app.sock"}, ""),
        ({"fd": 3}, ""),
    ],
)
async def test_under_uvicorn_it_has_host_and_port(settings: dict[str, Any], base: str) -> None:
    """An address that a browser can open; where there is none, the path alone and no wrong guess."""
    assert await base_under_uvicorn(**settings) == base


async def test_under_another_server_it_is_the_path() -> None:
    """Nothing is guessed."""
    assert base_url() == ""


async def test_it_is_told_on_standard_error(capsys: pytest.CaptureFixture[str]) -> None:
    """A line for the link, one for the token; standard output belongs to the log."""
    DebugOptions().announce()
    said = capsys.readouterr()

    link, token = said.err.splitlines()
    assert re.fullmatch(r"fapilog: debug route: /debug/logging\?once=[0-9a-f.]+", link)
    assert re.fullmatch(r"fapilog: debug token: [\w-]{32}", token)
    assert said.out == ""


async def test_without_a_lifespan_the_first_request_tells_where(capsys: pytest.CaptureFixture[str]) -> None:
    """An application that is mounted has its place before the path; nothing of a client's gets into the terminal."""
    DebugOptions().announce("/shop/\x1b[2J/")
    link, _ = capsys.readouterr().err.splitlines()

    assert link.startswith("fapilog: debug route: /shop/%1B%5B2J/debug/logging?once=")
    DebugOptions().announce("//evil.example")
    assert capsys.readouterr().err.startswith("fapilog: debug route: /evil.example/debug/logging?once=")


class Gone:
    """A pipe that nobody reads any more."""

    def write(self, _: str) -> int:
        """Fail."""
        raise BrokenPipeError

    def flush(self) -> None:
        """Fail."""
        raise BrokenPipeError


@pytest.mark.parametrize("stream", [None, Gone()])
async def test_an_application_starts_where_nobody_can_be_told(stream: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """A daemon has no standard error, and that of another may be a broken pipe."""
    monkeypatch.setattr("sys.stderr", stream)
    options = DebugOptions()

    options.announce()

    assert options.announced
