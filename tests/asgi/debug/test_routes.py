"""``GET /debug/logging`` in front of an application."""

import os
from collections import Counter
from collections.abc import Mapping
from typing import Any

import httpx
import orjson
import pytest
from opentelemetry.sdk.trace import TracerProvider

from fapilog import _version
from fapilog.asgi.debug.options import DebugOptions
from fapilog.asgi.debug.routes import DebugRoute, process_figures
from fapilog.errors import ConfigError

PATH = "/debug/logging"
BEARER = {"authorization": "Bearer s3cret"}
pytestmark = pytest.mark.asyncio


async def catch_all(scope: Any, receive: Any, send: Any) -> None:
    """Stand for an application that answers everything."""
    await send({"type": "http.response.start", "status": 418, "headers": [(b"x-app", b"1")]})
    await send({"type": "http.response.body", "body": scope["path"].encode()})


def debug_route(figures: Mapping[str, Any] | None = None) -> DebugRoute:
    return DebugRoute(catch_all, DebugOptions(PATH, "s3cret"), lambda: figures or {"queue": {"depth": 0}})


async def ask(
    route: DebugRoute, method: str = "GET", path: str = PATH, root_path: str = "", **kwargs: Any
) -> httpx.Response:
    transport = httpx.ASGITransport(route, root_path=root_path)  # type: ignore[arg-type]
    async with httpx.AsyncClient(transport=transport, base_url="http://app") as client:
        return await client.request(method, path, **kwargs)


async def test_it_answers_json_although_the_application_answers_everything() -> None:
    """P26: reachable in front of a catch-all route."""
    answer = await ask(debug_route({"queue": {"depth": 3}}), headers=BEARER)

    assert answer.status_code == 200
    assert answer.headers["content-type"] == "application/json"
    assert answer.json() == {"queue": {"depth": 3}}
    assert "x-app" not in answer.headers


@pytest.mark.parametrize("headers", [{}, {"authorization": "Bearer wrong"}])
async def test_without_the_token_it_is_a_401(headers: dict[str, str]) -> None:
    """H10: nothing of the figures, and a header that says what is missing."""
    answer = await ask(debug_route({"secret": "figure"}), headers=headers)

    assert answer.status_code == 401
    assert answer.headers["www-authenticate"].startswith("Bearer")
    assert b"figure" not in answer.content


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "BREW"])
@pytest.mark.parametrize("headers", [{}, BEARER])
async def test_it_only_reads(method: str, headers: dict[str, str]) -> None:
    """H10: with or without the token every other method is refused, and says which are not."""
    answer = await ask(debug_route(), method, headers=headers)

    assert answer.status_code == 405
    assert answer.headers["allow"] == "GET, HEAD"


async def test_head_has_the_headers_and_no_body() -> None:
    """RFC 9110: the same headers as GET, length included."""
    get, head = await ask(debug_route(), headers=BEARER), await ask(debug_route(), "HEAD", headers=BEARER)

    assert head.status_code == 200
    assert head.content == b""
    assert head.headers == get.headers


@pytest.mark.parametrize("headers", [{}, BEARER])
async def test_no_answer_is_kept_or_shared(headers: dict[str, str]) -> None:
    """Neither caches nor other sites get at figures or link."""
    answer = await ask(debug_route(), headers=headers)

    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["referrer-policy"] == "no-referrer"
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert "access-control-allow-origin" not in answer.headers


@pytest.mark.parametrize(
    "path",
    ["/", "/debug", "/debug/logging/", "/debug//logging", "//debug/logging", "/debug%2Flogging", "/debug/%6Cogging",
     "/DEBUG/logging", "/debug/logging;a=1", "/x/debug/logging", "/debug/logging%00", "/debug/logging%20"],
)  # fmt: skip
async def test_another_spelling_of_the_path_is_the_applications(path: str) -> None:
    """H10: what a proxy in front did not recognise is not served behind it."""
    answer = await ask(debug_route(), path=path, headers=BEARER)

    assert answer.status_code == 418


@pytest.mark.parametrize("path", ["/x/debug/logging", "/debug/logging/", "/api/x/debug/logging"])
async def test_without_the_raw_path_only_the_path_decides(path: str) -> None:
    """``raw_path`` is optional in ASGI."""
    scope = {"type": "http", "method": "GET", "path": path, "root_path": "/api", "headers": [], "query_string": b""}
    sent: list[dict[str, Any]] = []

    async def send(message: Any) -> None:
        sent.append(message)

    for asked in (path, PATH, f"/api{PATH}"):
        await debug_route()({**scope, "path": asked}, None, send)  # type: ignore[arg-type]

    assert [message["status"] for message in sent if "status" in message] == [418, 401, 401]


@pytest.mark.parametrize("path", ["/api/debug/logging", "/debug/logging"])
async def test_below_a_root_path(path: str) -> None:
    """P22: servers put the root path in front of the path, proxies may have taken it off."""
    assert (await ask(debug_route(), path=path, root_path="/api", headers=BEARER)).status_code == 200


async def test_other_protocols_and_paths_pass_untouched() -> None:
    """The very scope, receive and send go on to the application, which stays reachable as ``app``."""
    seen: list[tuple[Any, ...]] = []

    async def application(*arguments: Any) -> None:
        seen.append(arguments)

    route = DebugRoute(application, DebugOptions(PATH, "s3cret"), dict)
    websocket = {"type": "websocket", "path": PATH, "headers": [], "query_string": b""}
    calls = [(websocket, object(), object()), ({"type": "lifespan"}, object(), object())]
    for call in calls:
        await route(*call)  # type: ignore[arg-type]

    assert all(
        given is passed
        for call, seen_call in zip(calls, seen, strict=True)
        for given, passed in zip(call, seen_call, strict=True)
    )
    assert route.app is application


async def test_the_token_of_a_link_does_not_outlive_the_request() -> None:
    """A server writes its access line from the scope after the answer, tracing has the query on its span."""
    scope: dict[str, Any] = {
        "type": "http", "method": "GET", "path": PATH, "raw_path": PATH.encode(), "root_path": "", "headers": [],
        "query_string": b"token=s3cret",
    }  # fmt: skip
    sent: list[dict[str, Any]] = []

    async def send(message: Any) -> None:
        sent.append(message)

    with (
        TracerProvider()
        .get_tracer("server")
        .start_as_current_span("GET", attributes={"url.query": "token=s3cret"}) as span
    ):
        await debug_route()(scope, None, send)  # type: ignore[arg-type]

    assert sent[0]["status"] == 200
    assert scope["query_string"] == b"token=***"
    assert span.attributes is not None  # type: ignore[attr-defined]
    assert span.attributes["url.query"] == "token=***"  # type: ignore[attr-defined]


async def test_odd_figures_are_still_json() -> None:
    """A level that only has a number is a key like any other."""
    answer = await ask(debug_route({"dropped": {20: 1}}), headers=BEARER)

    assert orjson.loads(answer.content) == {"dropped": {"20": 1}}


def snapshot() -> dict[str, Any]:
    """Stand for an engine that has something to hide."""
    return {
        "state": "running",
        "sinks": {"file": {"failed": {"error": 1}, "last_error": "OSError: canary"}, "memory": {"last_error": None}},
        "diagnostics": {"counts": {"sink": 1}, "recent": [{"time_ns": 0, "kind": "sink", "text": "OSError: canary"}]},
    }


async def test_the_figures_say_whose_they_are() -> None:
    """With several workers each answers for itself."""

    class Clock:
        now = 100.0

        def time_ns(self) -> int:
            return 0

        def monotonic(self) -> float:
            return self.now

    clock, withheld = Clock(), Counter[str]()
    ask_figures = process_figures(snapshot, withheld, clock)
    clock.now += 2.5
    withheld["skip_paths"] += 1
    figures = ask_figures()

    assert figures["fapilog"] == _version.__version__
    assert figures["pid"] == os.getpid()
    assert figures["scope"] == "this process only"
    assert figures["uptime_seconds"] == 2.5
    assert figures["state"] == "running"
    assert figures["withheld"] == {"skip_paths": 1}


async def test_of_an_error_only_time_kind_and_type_are_shown() -> None:
    """H12: a library may have put a connection string into the message; the snapshot itself is left as it is."""
    given = snapshot()
    figures = process_figures(lambda: given, {})()

    assert figures["sinks"]["file"] == {"failed": {"error": 1}, "last_error": "OSError"}
    assert figures["sinks"]["memory"] == {"last_error": None}
    assert figures["diagnostics"]["recent"] == [{"time": "1970-01-01T00:00:00.000000Z", "kind": "sink"}]
    assert given == snapshot()


@pytest.mark.parametrize(
    "path",
    [
        "",
        "debug",
        "/",
        "/debug/",
        "//debug",
        "/de bug",
        "/debug?x",
        "/debug#x",
        "/de%62ug",
        "/{name}",
        "/dëbug",
        "/a\n",
        7,
    ],
)
async def test_an_unusable_path_is_refused(path: object) -> None:
    """A path that no request could ask for in that spelling fails when the builder is called."""
    with pytest.raises(ConfigError, match="debug/logging"):
        DebugOptions(path)  # type: ignore[arg-type]


async def test_the_link_is_told_with_the_first_scope_and_once(capsys: pytest.CaptureFixture[str]) -> None:
    """A generated token must reach the operator also where no lifespan runs; a configured one is never printed."""
    for options in (DebugOptions(PATH), DebugOptions(PATH, "s3cret")):
        route = DebugRoute(catch_all, options, dict)
        await ask(route, path="/other")
        await ask(route, path="/other")

    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("fapilog: debug route: /debug/logging?token=")
