"""The published fapilog: its FastAPIBuilder's lifespan and the logger of its dependency."""

import importlib
from pathlib import Path
from typing import Any

from fastapi import Depends, FastAPI

from benchmarks.asgi_apps import order
from benchmarks.harness import MESSAGE

EVENTS_PER_REQUEST = 2
SETUP = "FastAPIBuilder of 0.18.1, drop_on_full=False, Depends(get_request_logger)"
_edge: Any = importlib.import_module("fapilog.fastapi")
_DEPENDENCY: Any = Depends(_edge.get_request_logger)


def build(directory: Path) -> FastAPI:
    """Return the application."""
    builder = _edge.FastAPIBuilder().with_backpressure(wait_ms=60_000, drop_on_full=False)
    app = FastAPI(lifespan=builder.add_file(str(directory), max_bytes="10 GB").build())

    @app.get("/orders/{order_id}")
    async def show(order_id: int, logger: Any = _DEPENDENCY) -> dict[str, object]:
        await logger.info(MESSAGE, seq=order_id, path="/orders", status=200, duration_ms=1.5)
        return order(order_id)

    return app
