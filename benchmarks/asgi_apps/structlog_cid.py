"""structlog's fastest set-up, the request id of asgi-correlation-id, and a completion event in pure ASGI."""

import time
from collections.abc import MutableMapping
from pathlib import Path
from typing import Any

import structlog
from asgi_correlation_id import CorrelationIdMiddleware, correlation_id
from fastapi import FastAPI
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from benchmarks.asgi_apps import order
from benchmarks.contenders import structlog_json
from benchmarks.harness import LOGGER_NAME, MESSAGE

EVENTS_PER_REQUEST = 2
SETUP = "structlog as above, asgi-correlation-id, a pure ASGI middleware of a few lines for the completion event"


class CompletionMiddleware:
    """Logs one event for each request: the least that somebody would write by hand."""

    def __init__(self, app: ASGIApp) -> None:
        """Wrap ``app``."""
        self._app = app
        self._logger = structlog.get_logger().bind(logger="request")

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        status = 500
        began = time.perf_counter()

        async def sending(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self._app(scope, receive, sending)
        finally:
            took = (time.perf_counter() - began) * 1_000
            self._logger.info(
                "request_completed",
                http_method=scope["method"],
                path=scope["path"],
                status_code=status,
                duration_ms=took,
            )


def build(directory: Path) -> FastAPI:
    """Return the application."""
    structlog_json.configure((directory / "structlog.jsonl").open("wb"), _request_id)
    logger = structlog.get_logger().bind(logger=LOGGER_NAME)
    app = FastAPI()
    app.add_middleware(CompletionMiddleware)
    app.add_middleware(CorrelationIdMiddleware)

    @app.get("/orders/{order_id}")
    async def show(order_id: int) -> dict[str, object]:
        logger.info(MESSAGE, seq=order_id, path="/orders", status=200, duration_ms=1.5)
        return order(order_id)

    return app


def _request_id(_logger: object, _name: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    event["request_id"] = correlation_id.get()
    return event
