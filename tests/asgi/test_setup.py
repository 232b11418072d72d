"""What variables and settings mean for the edge of an application, without a builder of the hosts."""

import json
from typing import Any

import pytest

import fapilog
from fapilog import _runtime
from fapilog.asgi import FapilogMiddleware
from fapilog.errors import ConfigError
from fapilog.sinks.memory import MemorySink
from tests.asgi.driver import Server, answering, http_scope

BEARER = [(b"host", b"localhost"), (b"authorization", b"Bearer t0ken")]


async def served(app: Any, path: str, **more: Any) -> Server:
    server = Server()
    await server.run(app, http_scope(path, query_string=b"", **more))
    return server


def requests(sink: MemorySink) -> list[Any]:
    fapilog.get_logger().drain()
    return [event.get("path") for event in sink.events if event["logger"] == "fapilog.request"]


@pytest.mark.asyncio
async def test_variables_reach_the_middleware(monkeypatch: pytest.MonkeyPatch) -> None:
    """Paths to skip, the header of the id, the debug route: nobody has built anything."""
    monkeypatch.setenv("FAPILOG_ASGI__SKIP_PATHS", "/health")
    monkeypatch.setenv("FAPILOG_ASGI__REQUEST_ID_HEADER", "X-Correlation-ID")
    monkeypatch.setenv("FAPILOG_DEBUG_ROUTE__TOKEN", "t0ken")
    sink = MemorySink()
    fapilog.configure(builder=fapilog.LoggerBuilder().add_sink(sink))
    app = FapilogMiddleware(answering())
    await served(app, "/health")
    page = await served(app, "/page")
    figures = await served(app, "/debug/logging", headers=BEARER)

    assert b"x-correlation-id" in dict(page.sent[0]["headers"])
    assert json.loads(figures.body)["withheld"] == {"skip_paths": 1}
    assert requests(sink) == ["/page"]


@pytest.mark.asyncio
async def test_what_the_default_engine_was_configured_with_reaches_the_middleware() -> None:
    """``configure(settings=…)`` and no word to the middleware."""
    sink = MemorySink()
    fapilog.configure(settings=fapilog.Settings(sinks=[sink], asgi={"skip_paths": ["/health"]}))
    app = FapilogMiddleware(answering())
    for path in ("/health", "/page"):
        await served(app, path)

    assert requests(sink) == ["/page"]
    assert _runtime.default_options().asgi.skip_paths == ("/health",)


@pytest.mark.parametrize(
    ("variable", "text"),
    [("FAPILOG_ASGI__LEVEL", "LOUD"), ("FAPILOG_STDLIB__LEVEL", "LOUD"), ("FAPILOG_ASGI__SAMPLE_RATE", "2")],
)
def test_a_wrong_variable_is_found_when_the_middleware_is_made(
    variable: str, text: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By its name, with a builder and without."""
    monkeypatch.setenv(variable, text)
    for builder in (fapilog.LoggerBuilder(), None):
        with pytest.raises(ConfigError, match=f"^{variable}: "):
            FapilogMiddleware(answering(), builder=builder)
