"""The application: ``uvicorn example_app.main:app``."""

import asyncio
import json
import os
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse

from example_app.backoffice import backoffice
from example_app.routes import api
from example_app.settings import ShopSettings
from example_app.store import OutOfStockError, Store, UnknownProductError
from example_app.updates import OrderUpdates
from fapilog import get_async_logger, get_logger
from fapilog.fastapi import FastAPIBuilder

log = get_logger(__name__)
settings = ShopSettings.from_environment()


@asynccontextmanager
async def open_shop(_: FastAPI) -> AsyncIterator[Mapping[str, Any]]:
    """Open what the endpoints use. fapilog wraps this: its engine runs before the shop opens and after it closes."""
    with TemporaryDirectory(prefix="shop-") as folder:
        store = Store(settings.database or Path(folder, "shop.sqlite3"))
        log.info("Shop opened", products=len(store.products()))
        yield {"store": store, "updates": OrderUpdates()}
        log.info("Shop closed")
    if settings.report_folder is not None:
        await leave_drain_report(settings.report_folder)


async def leave_drain_report(folder: Path) -> None:
    """Deliver everything and keep the figures, for somebody who counts.

    fapilog's lifespan drains anyway; it is done here once more by hand because the result is wanted.
    """
    logger = await get_async_logger(__name__)
    result = await logger.drain()
    report = folder / f"drain-{os.getpid()}.json"
    await asyncio.to_thread(report.write_text, json.dumps(result._asdict()), encoding="utf-8")


def logging_setup() -> FastAPIBuilder:
    """Say where the events go."""
    builder = (
        FastAPIBuilder()
        .with_service(name="shop", version="1.0", env="demo")
        .with_backpressure(policy="wait")
        .include_headers("x-customer")
        .skip_paths("/backoffice/health")
        .with_debug_route(token=settings.debug_token)
        .capture_stdlib()
        .add_stdout(format=settings.log_format)
    )
    return builder.add_file(settings.log_file) if settings.log_file else builder


app = FastAPI(title="Shop", lifespan=logging_setup().build(lifespan=open_shop))
app.include_router(api)
app.mount("/backoffice", backoffice)


@app.exception_handler(UnknownProductError)
async def unknown_product(_: Request, error: UnknownProductError) -> JSONResponse:
    """Answer 404."""
    return JSONResponse({"detail": f"There is no product {error}"}, 404)


@app.exception_handler(OutOfStockError)
async def out_of_stock(_: Request, error: OutOfStockError) -> JSONResponse:
    """Answer 409: a refusal that the customer can do something about."""
    log.warning("Order refused", product_id=error.product_id, stock_left=error.left)
    return JSONResponse({"detail": str(error)}, 409)
