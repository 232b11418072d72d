"""A server made by hand: scope, receive and send of one request, and what came out of it."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

Message = dict[str, Any]
App = Callable[[Any, Any, Any], Awaitable[None]]


def http_scope(path: str = "/things/7", *, method: str = "GET", headers: Any = (), **more: Any) -> Message:
    """Return the scope of a request as uvicorn makes it."""
    return {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.3"},
        "http_version": "1.1",
        "method": method,
        "scheme": "http",
        "path": path,
        "raw_path": path.encode("utf-8", "surrogatepass"),
        "query_string": b"secret=hunter2",
        "root_path": "",
        "headers": list(headers),
        "client": ("203.0.113.9", 40000),
        "server": ("127.0.0.1", 8000),
        "state": {},
        **more,
    }


def websocket_scope(path: str = "/updates", **more: Any) -> Message:
    """Return the scope of a WebSocket."""
    scope = http_scope(path, **more)
    scope.pop("method")
    return {**scope, "type": "websocket", "scheme": "ws", "subprotocols": []}


class Server:
    """Plays the server's part of one exchange: hands out messages, keeps what comes back."""

    def __init__(self, *messages: Message) -> None:
        self.messages = list(messages) or [{"type": "http.request", "body": b"", "more_body": False}]
        self.sent: list[Message] = []
        self._over = asyncio.Event()

    async def receive(self) -> Message:
        """Hand out the next message; when there is none left, wait for the end of the answer as servers do."""
        if self.messages:
            return self.messages.pop(0)
        await self._over.wait()
        return {"type": "http.disconnect"}

    async def send(self, message: Message) -> None:
        """Keep a message of the application."""
        self.sent.append(message)
        if message["type"] == "http.response.body" and not message.get("more_body"):
            self._over.set()

    async def run(self, app: App, scope: Message) -> list[Message]:
        """Serve one scope; what the application raises comes out."""
        await app(scope, self.receive, self.send)
        return self.sent

    def headers(self, name: bytes) -> list[bytes]:
        """Return the values of one header of the answer."""
        return [value for key, value in self.sent[0]["headers"] if key.lower() == name]

    @property
    def body(self) -> bytes:
        """The answer's body."""
        return b"".join(message.get("body", b"") for message in self.sent)


async def reply(send: Any, status: int = 200, body: bytes = b"hello", headers: Any = ()) -> None:
    """Answer in one piece."""
    await send({"type": "http.response.start", "status": status, "headers": list(headers)})
    await send({"type": "http.response.body", "body": body})


def answering(status: int = 200, body: bytes = b"hello", headers: Any = ()) -> App:
    """Return an application that reads the request and answers in one piece."""

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await receive()
        await reply(send, status, body, headers)

    return app
