"""FastAPIBuilder's lifespan and the logger of ``Depends(get_request_logger)``."""

from pathlib import Path
from typing import Annotated

from fastapi import Depends, FastAPI

from benchmarks.asgi_apps import order
from benchmarks.harness import MESSAGE
from fapilog import AsyncLoggerFacade
from fapilog.fastapi import FastAPIBuilder, get_request_logger

EVENTS_PER_REQUEST = 2
SETUP = "the same with Depends(get_request_logger)"


def build(directory: Path) -> FastAPI:
    """Return the application."""
    app = FastAPI(lifespan=FastAPIBuilder().add_file(directory / "ours.jsonl", max_bytes="10 GB").build())

    @app.get("/orders/{order_id}")
    async def show(
        order_id: int,
        logger: Annotated[AsyncLoggerFacade, Depends(get_request_logger)],
    ) -> dict[str, object]:
        await logger.info(MESSAGE, seq=order_id, path="/orders", status=200, duration_ms=1.5)
        return order(order_id)

    return app
