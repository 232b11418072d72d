"""FastAPI without any logging, but with a dependency that does nothing: what the framework itself asks for one."""

from pathlib import Path
from typing import Annotated

from fastapi import Depends, FastAPI
from starlette.requests import HTTPConnection

from benchmarks.asgi_apps import order

EVENTS_PER_REQUEST = 0
SETUP = "FastAPI, no logging, one dependency that does nothing"


async def _nothing(connection: HTTPConnection) -> str:
    return connection.scope["type"]  # type: ignore[no-any-return]


def build(directory: Path) -> FastAPI:
    """Return the application."""
    del directory
    app = FastAPI()

    @app.get("/orders/{order_id}")
    async def show(order_id: int, nothing: Annotated[str, Depends(_nothing)]) -> dict[str, object]:
        del nothing
        return order(order_id)

    return app
