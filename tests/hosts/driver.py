"""A server in this process: the lifespan by the protocol, requests through httpx, WebSockets by hand."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
from asgiref.testing import ApplicationCommunicator

PATIENCE_SECONDS = 10.0
Event = dict[str, Any]


class Running:
    """An application whose lifespan runs.

    Attributes:
        client: Talks to it; an exception of the application is a 500, as with a real server.
        state: What its lifespan put into the state.
    """

    def __init__(self, app: Any, state: dict[str, Any]) -> None:
        self.app = app
        self.state = state
        transport = httpx.ASGITransport(app, raise_app_exceptions=False, client=("203.0.113.9", 40000))
        self.client = httpx.AsyncClient(transport=transport, base_url="http://app")

    async def get(self, path: str, **kwargs: Any) -> httpx.Response:
        return await self.client.get(path, **kwargs)

    async def websocket(self, path: str, *received: dict[str, Any]) -> list[dict[str, Any]]:
        """Connect, let the application have these messages, and return what it sent."""
        scope = {
            "type": "websocket", "asgi": {"version": "3.0"}, "http_version": "1.1", "scheme": "ws", "path": path,
            "raw_path": path.encode(), "query_string": b"", "root_path": "", "headers": [], "subprotocols": [],
            "client": ("203.0.113.9", 40000), "server": ("127.0.0.1", 80), "state": dict(self.state), "extensions": {},
        }  # fmt: skip
        messages = [{"type": "websocket.connect"}, *received, {"type": "websocket.disconnect", "code": 1001}]
        sent: list[dict[str, Any]] = []

        async def receive() -> Any:
            return messages.pop(0)

        async def send(message: Any) -> None:
            sent.append(message)

        await self.app(scope, receive, send)
        return sent


@asynccontextmanager
async def running(app: Any) -> AsyncIterator[Running]:
    """Run the application's lifespan as a server does; fails if it says that startup or shutdown failed."""
    state: dict[str, Any] = {}
    lifespan = ApplicationCommunicator(app, {"type": "lifespan", "asgi": {"version": "3.0"}, "state": state})
    await lifespan.send_input({"type": "lifespan.startup"})
    answer = await lifespan.receive_output(PATIENCE_SECONDS)
    assert answer["type"] == "lifespan.startup.complete", answer
    server = Running(app, state)
    try:
        yield server
    finally:
        await server.client.aclose()
        await lifespan.send_input({"type": "lifespan.shutdown"})
        answer = await lifespan.receive_output(PATIENCE_SECONDS)
        await lifespan.wait()
    assert answer["type"] == "lifespan.shutdown.complete", answer


async def request_of(app: Any, **more: Any) -> list[dict[str, Any]]:
    """Serve one hand-made request and return what was sent; what the application raises comes out."""
    scope = {
        "type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "scheme": "http", "method": "GET",
        "path": "/", "query_string": b"", "root_path": "", "headers": [], "client": None, "server": None, **more,
    }  # fmt: skip
    scope.setdefault("raw_path", scope["path"].encode())
    sent: list[dict[str, Any]] = []
    asked = False

    async def receive() -> Any:
        nonlocal asked
        if asked:
            await asyncio.Event().wait()
        asked = True
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: Any) -> None:
        sent.append(message)

    await app(scope, receive, send)
    return sent
