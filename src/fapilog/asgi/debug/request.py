"""A request to the console, and its body."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl

import orjson

from fapilog.asgi.debug.answers import Answer, BadRequestError
from fapilog.asgi.debug.auth import Access
from fapilog.asgi.types import Receive, Scope, Send

MAX_BODY = 16_384
_MAX_FIELDS = 50


@dataclass(frozen=True, slots=True)
class Request:
    """What a handler is given.

    Attributes:
        console: What it is asked of.
        scope, receive, send: As the server gave them.
        rest: What follows the console's own path: ``""``, ``"levels"``, ``"requests/5f0c"``.
        query: The first value of each parameter.
        access: How far the request may go.
        client: The address of whoever asks, as the completion events have it.
    """

    console: Any
    scope: Scope
    receive: Receive
    send: Send
    rest: str
    query: Mapping[str, str]
    access: Access
    client: str

    def header(self, name: bytes) -> str | None:
        """Return the value of a header by its lower-case name; the first one if there are more."""
        found = next((value for key, value in self.scope["headers"] if key.lower() == name), None)
        return None if found is None else found.decode("latin-1")

    async def body(self, max_bytes: int) -> bytes:
        """Return the body.

        Raises:
            BadRequestError: 413 if it is longer than ``max_bytes``; 400 if the client goes away before its end.
        """
        parts: list[bytes] = []
        left = max_bytes
        while True:
            message = await self.receive()
            if message["type"] != "http.request":
                raise BadRequestError("the request ended before its body did")
            part = message.get("body") or b""
            left -= len(part)
            if left < 0:
                raise BadRequestError(f"the body may have {max_bytes} bytes", 413)
            parts.append(part)
            if not message.get("more_body", False):
                return b"".join(parts)

    async def json(self) -> dict[str, Any]:
        """Return the body, a JSON object sent as ``application/json``: what a form of another site cannot send.

        Raises:
            BadRequestError: 415 for another content type, 413 for more than 16 KB, 400 for anything else that
                is not an object.
        """
        kind = (self.header(b"content-type") or "").partition(";")[0].strip().lower()
        if kind != "application/json":
            raise BadRequestError("the body has to be application/json", 415)
        raw = await self.body(MAX_BODY)
        try:
            value = orjson.loads(raw)
        except orjson.JSONDecodeError as error:
            raise BadRequestError("the body is not JSON") from error
        if not isinstance(value, dict):
            raise BadRequestError("the body has to be a JSON object")
        return value


Handler = Callable[[Request], Awaitable[Answer | None]]
"""Answers a request, or says by None that it has sent the answer itself."""


def query_of(raw: bytes) -> dict[str, str]:
    """Return the first value of each parameter of a query string; none of a malformed or absurdly long one."""
    try:
        pairs = parse_qsl(raw.decode("latin-1"), keep_blank_values=True, max_num_fields=_MAX_FIELDS)
    except ValueError:
        return {}
    return dict(reversed(pairs))
