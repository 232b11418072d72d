"""One request louder, through a whole application: the header, and the rules over HTTP."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from fastapi import BackgroundTasks, Depends, FastAPI
from starlette.middleware.base import BaseHTTPMiddleware

from fapilog import bind_context, get_logger
from fapilog.asgi import FapilogMiddleware
from fapilog.asgi.debug import level_token
from fapilog.fastapi import FastAPIBuilder
from fapilog.sinks.memory import MemorySink
from tests.asgi.driver import Message, Server, http_scope

SECRET = "s3cret-token"
P = "/debug/logging"
pytestmark = pytest.mark.asyncio
shop = get_logger("shop")


def _application() -> FastAPI:
    app = FastAPI()

    def dependency(user: str = "41") -> None:
        bind_context(user_id=user)
        shop.debug("dependency")

    @app.get("/sync", dependencies=[Depends(dependency)])
    def sync_endpoint(tasks: BackgroundTasks) -> None:
        shop.debug("endpoint")
        tasks.add_task(shop.debug, "background")

    async def dispatch(request: Any, call_next: Any) -> Any:
        shop.debug("middleware")
        return await call_next(request)

    app.add_middleware(BaseHTTPMiddleware, dispatch=dispatch)
    return app


class Site:
    """An application with a console, in front of it whoever asks."""

    def __init__(self) -> None:
        self.sink = MemorySink(max_events=10_000)
        builder = FastAPIBuilder().with_level("INFO").with_debug_route(token=SECRET).add_sink(self.sink)
        self.app = FapilogMiddleware(_application(), builder=builder)

    async def call(self, path: str, *, method: str = "GET", body: Any = None, token: str = SECRET, **more: Any) -> Any:
        """Send a request; return status and JSON of the answer."""
        headers = [(b"host", b"127.0.0.1:8000"), *more.pop("headers", ())]
        message: Message = {"type": "http.request", "body": b"", "more_body": False}
        if path.startswith(P):
            headers.append((b"authorization", b"Bearer " + token.encode()))
        if body is not None:
            message["body"] = body if isinstance(body, bytes) else json.dumps(body).encode()
            headers.append((b"content-type", b"application/json"))
        server = Server(message)
        await server.run(self.app, http_scope(path, method=method, headers=headers, **{"query_string": b"", **more}))
        return server.sent[0]["status"], json.loads(server.body)

    @property
    def debug(self) -> list[str]:
        """The messages below the level that have come out."""
        assert shop.flush(10.0)
        return [event["message"] for event in self.sink.events if event["level"] == "DEBUG"]


@pytest.fixture
def site() -> Iterator[Site]:
    site = Site()
    yield site
    shop.drain(10.0)


ALL = ["middleware", "dependency", "endpoint", "background"]


async def test_the_header_reaches_the_thread_pool_and_background_tasks(site: Site) -> None:
    """A synchronous dependency and endpoint run in other threads, behind a middleware that makes tasks."""
    header = [(b"x-log-level", level_token(SECRET).encode())]

    assert await site.call("/sync") == (200, None)
    assert site.debug == []
    assert await site.call("/sync", headers=header) == (200, None)
    assert site.debug == ALL
    assert shop._origin.level == shop._origin.threshold


async def test_a_rule_is_set_seen_and_taken_back(site: Site) -> None:
    """Over HTTP alone, as a runbook does it."""
    status, answer = await site.call(
        f"{P}/louder", method="PUT", body={"level": "DEBUG", "ttl_seconds": 60, "path": "/sync"}
    )
    (rule,) = answer["rules"]
    assert (status, set(rule)) == (
        200, {"id", "level", "path", "header", "user", "until", "seconds_left", "matched"},
    )  # fmt: skip

    await site.call("/sync")
    await site.call("/other")
    assert site.debug == ALL
    assert (await site.call(f"{P}/louder"))[1]["rules"][0]["matched"] == 1

    back = {"id": rule["id"], "level": None}
    assert await site.call(f"{P}/louder", method="PUT", body=back) == (200, {"rules": []})
    await site.call("/sync")
    assert site.debug == ALL
    assert (await site.call(f"{P}/louder", method="PUT", body=back))[0] == 404


async def test_a_user_that_a_synchronous_dependency_binds_is_louder_from_then_on(site: Site) -> None:
    """In the endpoint's thread and in the background; what came before belongs to nobody yet."""
    await site.call(f"{P}/louder", method="PUT", body={"level": "DEBUG", "ttl_seconds": 60, "user": "42"})

    await site.call("/sync", query_string=b"user=42")
    await site.call("/sync", query_string=b"user=43")

    assert site.debug == ALL[1:]


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"level": "DEBUG", "ttl_seconds": 60}, 400),
        ({"level": "DEBUG", "ttl_seconds": 60, "header": "cookie: a=b"}, 400),
        ({"id": "3f9a1c07", "level": "DEBUG"}, 400),
        ({"id": "3f9a1c07"}, 400),
        ({"id": ["3f9a1c07"], "level": None}, 404),
        ([], 400),
        (b"{", 400),
        (b'{"level": "DEBUG", "ttl_seconds": 1e999, "path": "/"}', 400),
    ],
)
async def test_what_cannot_be_used_is_answered_with_what_is_wrong(site: Site, body: Any, status: int) -> None:
    """And changes nothing."""
    answered, answer = await site.call(f"{P}/louder", method="PUT", body=body)

    assert (answered, set(answer)) == (status, {"error"})
    assert (await site.call(f"{P}/louder"))[1] == {"rules": []}


async def test_without_the_token_nothing_is_set(site: Site) -> None:
    """Nor seen."""
    body = {"level": "DEBUG", "ttl_seconds": 60, "path": "*"}

    assert (await site.call(f"{P}/louder", method="PUT", body=body, token="wrong"))[0] == 401
    assert (await site.call(f"{P}/louder", token="wrong"))[0] == 401
    await site.call("/sync")
    assert site.debug == []
