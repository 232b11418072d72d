"""FastAPIBuilder's lifespan and a logger of the module."""

from pathlib import Path

from fastapi import FastAPI

import fapilog
from benchmarks.asgi_apps import order
from benchmarks.harness import LOGGER_NAME, MESSAGE
from fapilog.fastapi import FastAPIBuilder

EVENTS_PER_REQUEST = 2
SETUP = "FastAPIBuilder: request id, context, completion event; get_logger() in the module"


def build(directory: Path) -> FastAPI:
    """Return the application."""
    logger = fapilog.get_logger(LOGGER_NAME)
    app = FastAPI(lifespan=FastAPIBuilder().add_file(directory / "ours.jsonl", max_bytes="10 GB").build())

    @app.get("/orders/{order_id}")
    async def show(order_id: int) -> dict[str, object]:
        logger.info(MESSAGE, seq=order_id, path="/orders", status=200, duration_ms=1.5)
        return order(order_id)

    return app
