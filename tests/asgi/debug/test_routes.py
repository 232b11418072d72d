"""``/debug/logging`` and what is below it, in front of an application."""

from typing import Any

import pytest

from fapilog import _runtime
from fapilog.asgi.debug import one_time_link
from fapilog.asgi.debug.options import DebugOptions
from fapilog.asgi.debug.routes import DebugRoute
from fapilog.errors import ConfigError
from fapilog.fastapi import FastAPIBuilder
from fapilog.sinks.memory import MemorySink
from tests.asgi.debug.front import BEARER, PATH, MakeFront, ask

BELOW = ("", "/health", "/history", "/levels", "/louder", "/metrics", "/openapi.json", "/requests", "/requests/x",
         "/session", "/static/app.js", "/tail", "/traces/x", "/nothing", "/../x")  # fmt: skip
pytestmark = pytest.mark.asyncio


async def test_it_answers_json_although_the_application_answers_everything(front: MakeFront) -> None:
    """P26: reachable in front of a catch-all route."""
    answer = await ask(front(), headers=BEARER)

    assert answer.status_code == 200
    assert answer.headers["content-type"] == "application/json"
    assert answer.json()["queue"]["depth"] == 0
    assert "x-app" not in answer.headers


@pytest.mark.parametrize("path", BELOW)
@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "POST", "DELETE"])
async def test_nothing_is_answered_without_a_token(front: MakeFront, path: str, method: str) -> None:
    """Every route, those that do not exist among them, by every method."""
    answer = await ask(front(), method, PATH + path)

    if (path, method) == ("/session", "POST"):
        assert answer.status_code in {400, 403, 415}  # the login form, without a form
    else:
        assert answer.status_code == (418 if ".." in path else 401)
    assert "set-cookie" not in answer.headers


@pytest.mark.parametrize("path", ["/nothing", "/requests/", "/static/", "/static/app.py", "/levels/x"])
async def test_what_does_not_exist_is_a_404(front: MakeFront, path: str) -> None:
    """It is the console's to say so: the application has nothing below this path."""
    answer = await ask(front(), "GET", PATH + path, headers=BEARER)

    assert (answer.status_code, "error" in answer.json()) == (404, True)


@pytest.mark.parametrize("headers", [{}, {"authorization": "Bearer wrong"}])
async def test_without_the_token_it_is_a_401(front: MakeFront, headers: dict[str, str]) -> None:
    """H10: nothing of the figures, and a header that says what is missing."""
    answer = await ask(front(), headers=headers)

    assert answer.status_code == 401
    assert answer.headers["www-authenticate"].startswith("Bearer")
    assert b"queue" not in answer.content


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "BREW"])
async def test_it_only_reads(front: MakeFront, method: str) -> None:
    """H10: every other method is refused, and says which are not."""
    answer = await ask(front(), method, headers=BEARER)

    assert answer.status_code == 405
    assert answer.headers["allow"] == "GET, HEAD"


async def test_head_has_the_headers_and_no_body(front: MakeFront) -> None:
    """RFC 9110: the same headers as GET, length included."""
    route = front()
    get, head = [await ask(route, method, f"{PATH}/health", headers=BEARER) for method in ("GET", "HEAD")]

    assert head.status_code == 200
    assert head.content == b""
    assert head.headers == get.headers


@pytest.mark.parametrize("headers", [{}, BEARER])
async def test_no_answer_is_kept_or_shared(front: MakeFront, headers: dict[str, str]) -> None:
    """Neither caches nor other sites get at figures or link."""
    answer = await ask(front(), headers=headers)

    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["referrer-policy"] == "no-referrer"
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert "access-control-allow-origin" not in answer.headers


@pytest.mark.parametrize(
    "path",
    ["/", "/debug", "/debug/logging/", "/debug//logging", "//debug/logging", "/debug%2Flogging", "/debug/%6Cogging",
     "/DEBUG/logging", "/debug/logging;a=1", "/x/debug/logging", "/debug/logging%00", "/debug/logging%20"],
)  # fmt: skip
async def test_another_spelling_of_the_path_is_the_applications(front: MakeFront, path: str) -> None:
    """H10: what a proxy in front did not recognise is not served behind it."""
    answer = await ask(front(), path=path, headers=BEARER)

    assert answer.status_code == 418


@pytest.mark.parametrize("path", ["/metric%73", "/%72equests/x", "/levels%2F", "/health%20"])
async def test_another_spelling_of_what_is_below_is_not_served(front: MakeFront, path: str) -> None:
    """The same for the parts of the console."""
    assert (await ask(front(), path=PATH + path, headers=BEARER)).status_code in {404, 418}


async def test_an_id_may_be_encoded(front: MakeFront) -> None:
    """Ids are anything: how a client encodes one is its own affair."""
    answer = await ask(front(), path=f"{PATH}/requests/%61%20b", headers=BEARER)

    assert (answer.status_code, "error" in answer.json()) == (404, True)


@pytest.mark.parametrize("path", ["/x/debug/logging", "/debug/logging/", "/api/x/debug/logging"])
async def test_without_the_raw_path_only_the_path_decides(front: MakeFront, path: str) -> None:
    """``raw_path`` is optional in ASGI."""
    scope = {"type": "http", "method": "GET", "path": path, "root_path": "/api", "headers": [], "query_string": b""}
    sent: list[dict[str, Any]] = []

    async def send(message: Any) -> None:
        sent.append(message)

    for asked in (path, PATH, f"/api{PATH}"):
        await front()({**scope, "path": asked}, None, send)  # type: ignore[arg-type]

    assert [message["status"] for message in sent if "status" in message] == [418, 401, 401]


@pytest.mark.parametrize("path", ["/api/debug/logging", "/debug/logging"])
async def test_below_a_root_path(front: MakeFront, path: str) -> None:
    """P22: servers put the root path in front of the path, proxies may have taken it off."""
    assert (await ask(front(), path=path, root_path="/api", headers=BEARER)).status_code == 200


async def test_other_protocols_and_paths_pass_untouched(front: MakeFront) -> None:
    """The very scope, receive and send go on to the application, which stays reachable as ``app``."""
    seen: list[tuple[Any, ...]] = []

    async def application(*arguments: Any) -> None:
        seen.append(arguments)

    route = DebugRoute(application, front().console)
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


async def test_the_link_is_told_with_the_first_scope_and_once(
    front: MakeFront, capsys: pytest.CaptureFixture[str]
) -> None:
    """A generated token must reach the operator also where no lifespan runs; a configured one is never printed."""
    for token in (None, "s3cret"):
        route = front(token=token)
        await ask(route, path="/other")
        await ask(route, path="/other")

    lines = capsys.readouterr().err.splitlines()
    assert [line.partition("=")[0] for line in lines if "once" in line] == ["fapilog: debug route: /debug/logging?once"]
    assert "s3cret" not in str(lines)


async def test_a_link_that_opens_once_sets_the_cookie_of_a_session(front: MakeFront) -> None:
    """With which the next request is let in, and the link not a second time."""
    app = front(token="s3cret")
    link, browser = one_time_link("s3cret", base="http://localhost"), {"accept": "text/html"}
    opened = await ask(app, path=link, headers=browser)
    cookie = opened.headers["set-cookie"].partition(";")[0]

    assert opened.status_code == 200
    assert (await ask(app, headers={"cookie": cookie})).json()["scope"] == "this process only"
    assert (await ask(app, path=link, headers=browser)).status_code == 401


async def test_a_refused_try_is_told_whatever_the_levels_are(front: MakeFront) -> None:
    """Whoever has turned everything down, for a while or for good, still hears of who tries the door."""
    sink = MemorySink(name="told")
    app = front(builder=FastAPIBuilder().with_level("CRITICAL").add_sink(sink))

    await ask(app, headers={"authorization": "Bearer wrong"})
    await app.console.engine().flush_async(5)

    (event,) = sink.events
    assert (event["level"], event["logger"], event["message"]) == ("WARNING", "fapilog.console", "debug_access_refused")


@pytest.mark.parametrize(("path", "status"), [("", 200), ("/history", 200), ("/requests", 200), ("/requests/x", 404)])
async def test_an_engine_that_keeps_nothing_is_shown_as_one(front: MakeFront, path: str, status: int) -> None:
    """It may have become the default under an application that was given none of its own."""
    app = front()
    app.console.engine = lambda: _runtime.build_engine(FastAPIBuilder().with_debug_route(None).options())

    assert (await ask(app, "GET", PATH + path, headers=BEARER)).status_code == status


async def test_all_refused_tries_are_told_before_the_application_has_stopped(front: MakeFront) -> None:
    """Also those that wait for the end of their minute."""
    sink = MemorySink(name="told")
    app = front(builder=FastAPIBuilder().add_sink(sink))
    for _ in range(3):
        await ask(app, headers={"authorization": "Bearer wrong"})

    app.console.close()
    await app.console.engine().flush_async(5)

    assert [event["count"] for event in sink.events if event["message"] == "debug_access_refused"] == [1, 2]
