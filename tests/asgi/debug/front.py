"""A console in front of an application that answers everything."""

from collections.abc import Callable
from typing import Any

import httpx

from fapilog import _runtime
from fapilog.asgi.debug.routes import DebugRoute
from fapilog.asgi.setup import debug_route
from fapilog.asgi.stack import stacked
from fapilog.fastapi import FastAPIBuilder
from fapilog.sinks.memory import MemorySink

PATH = "/debug/logging"
BEARER = {"authorization": "Bearer s3cret"}
MakeFront = Callable[..., DebugRoute]


async def catch_all(scope: Any, receive: Any, send: Any) -> None:
    """Stand for an application that answers everything."""
    await send({"type": "http.response.start", "status": 418, "headers": [(b"x-app", b"1")]})
    await send({"type": "http.response.body", "body": scope["path"].encode()})


def make_front(app: Any = catch_all, builder: FastAPIBuilder | None = None, **options: Any) -> DebugRoute:
    """Return a console with an engine of its own, which becomes the default."""
    chosen = (builder or FastAPIBuilder()).with_debug_route(**{"token": "s3cret", **options}).add_sink(MemorySink())
    made = chosen.options()
    engine = _runtime.build_engine(made)
    _runtime.push_default(engine)
    stack = stacked(app, made, debug_route(made), lambda: engine)
    assert isinstance(stack.app, DebugRoute)
    return stack.app


async def ask(app: Any, method: str = "GET", path: str = PATH, root_path: str = "", **kwargs: Any) -> httpx.Response:
    """Send one request from this machine."""
    transport = httpx.ASGITransport(app, root_path=root_path)
    async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
        return await client.request(method, path, **kwargs)
