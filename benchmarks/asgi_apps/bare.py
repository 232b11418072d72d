"""FastAPI without any logging."""

from pathlib import Path

from fastapi import FastAPI

from benchmarks.asgi_apps import order

EVENTS_PER_REQUEST = 0
SETUP = "FastAPI, no logging"


def build(directory: Path) -> FastAPI:
    """Return the application."""
    del directory
    app = FastAPI()

    @app.get("/orders/{order_id}")
    async def show(order_id: int) -> dict[str, object]:
        return order(order_id)

    return app
