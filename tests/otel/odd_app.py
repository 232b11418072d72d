"""Requests that end in odd ways, added to the application of the matrix."""

from collections.abc import AsyncIterator
from typing import Any, NamedTuple

from fastapi import FastAPI, HTTPException, Request, WebSocket, WebSocketException
from opentelemetry.trace import Tracer
from starlette.responses import JSONResponse, StreamingResponse

from tests.otel.matrix_app import shop


class Odd(NamedTuple):
    """One kind of request.

    Attributes:
        path: What is asked for, which is the template, too.
        events: The messages of its events, in order.
        records: How many exception records there are over all signals.
        counts: Log events by level on the server span.
        error: ``error.type`` of the server span.
        is_cut_off: Whether the application raises in the middle of its answer. Contrib's span then has the exception
            twice, with fapilog or without.
    """

    path: str
    events: tuple[str, ...]
    records: int = 0
    counts: dict[str, int] = {}  # noqa: RUF012 - never written to
    error: str | None = None
    is_cut_off: bool = False

    @property
    def is_socket(self) -> bool:
        """Whether it is a WebSocket."""
        return self.path.startswith("/socket")


ODD = {
    "logged and raised": Odd("/logged-raised", ("failed", "request_failed"), 1, {"error": 1}, "ValueError"),
    "logged and handled": Odd("/logged-handled", ("failed", "request_completed"), 1, {"error": 1}),
    "on a span inside, logged and handled": Odd("/on-a-span", ("failed", "request_completed"), 1, {"error": 1}),
    "raised in the middle of the answer": Odd("/midway", ("request_failed",), 1, {}, "ValueError", is_cut_off=True),
    "a 503 that is meant": Odd("/meant", ("endpoint", "request_completed"), 0, {"info": 1}, "503"),
    "an exception with a handler of its own": Odd("/own", ("handler", "request_completed"), 0, {"info": 1}),
    "no route": Odd("/nowhere", ("request_completed",)),
    "a socket that raises": Odd(
        "/socket/raises",
        ("websocket_opened", "endpoint", "websocket_failed"),
        1,
        {"info": 2},
        "ValueError",
        is_cut_off=True,
    ),
    "a socket that is refused": Odd("/socket/refused", ("endpoint", "websocket_refused"), 0, {"info": 1}),
    "a socket that is refused by an exception": Odd(
        "/socket/policy", ("endpoint", "websocket_refused"), 0, {"info": 1}
    ),
}


class _OwnError(Exception):
    """One that the application has a handler for."""


def add_odd(app: FastAPI, tracer: Tracer) -> None:
    """Add the endpoints."""
    _add_exceptions(app, tracer)
    _add_answers(app)
    _add_sockets(app)


def _add_exceptions(app: FastAPI, tracer: Tracer) -> None:
    @app.get("/logged-raised")
    async def logged_and_raised() -> None:
        try:
            raise ValueError("odd")
        except ValueError:
            shop.exception("failed")
            raise

    @app.get("/logged-handled")
    async def logged_and_handled() -> None:
        try:
            raise ValueError("odd")
        except ValueError:
            shop.exception("failed")

    @app.get("/on-a-span")
    async def on_a_span() -> None:
        try:
            with tracer.start_as_current_span("work"):
                raise ValueError("odd")
        except ValueError:
            shop.exception("failed")


def _add_answers(app: FastAPI) -> None:
    @app.get("/midway")
    async def midway() -> StreamingResponse:
        async def chunks() -> AsyncIterator[bytes]:
            yield b"a"
            raise ValueError("odd")

        return StreamingResponse(chunks())

    @app.get("/meant")
    async def meant() -> None:
        shop.info("endpoint")
        raise HTTPException(503)

    @app.get("/own")
    async def own() -> None:
        raise _OwnError

    @app.exception_handler(_OwnError)
    async def handler(request: Request, error: Any) -> JSONResponse:
        shop.info("handler")
        return JSONResponse({}, 418)


def _add_sockets(app: FastAPI) -> None:
    @app.websocket("/socket/raises")
    async def raises(socket: WebSocket) -> None:
        await socket.accept()
        shop.info("endpoint")
        raise ValueError("odd")

    @app.websocket("/socket/refused")
    async def refused(socket: WebSocket) -> None:
        shop.info("endpoint")
        await socket.close(4001)

    @app.websocket("/socket/policy")
    async def policy(socket: WebSocket) -> None:
        shop.info("endpoint")
        raise WebSocketException(1008)
