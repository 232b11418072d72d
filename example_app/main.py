"""The application: ``uvicorn example_app.main:app``."""

import asyncio
import contextlib
import json
import os
from collections.abc import AsyncIterator, Coroutine, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse

from example_app.backoffice import backoffice
from example_app.routes import api
from example_app.settings import ShopSettings, error_file
from example_app.store import OutOfStockError, Store, UnknownProductError
from example_app.supplier import watch_supplier
from example_app.telemetry import SERVICE, exports, start_tracing
from example_app.updates import OrderUpdates
from fapilog import get_async_logger, get_logger
from fapilog.delivery import Route
from fapilog.fastapi import FastAPIBuilder

log = get_logger(__name__)
settings = ShopSettings.from_environment()
tracing = start_tracing(kept=settings.spans)


@asynccontextmanager
async def open_shop(_: FastAPI) -> AsyncIterator[Mapping[str, Any]]:
    """Open what the endpoints use. fapilog wraps this: its engine runs before the shop opens and after it closes."""
    with TemporaryDirectory(prefix="shop-") as folder:
        store = Store(settings.database or Path(folder, "shop.sqlite3"))
        log.info("Shop opened", products=len(store.products()))
        async with background(watch_supplier()):
            yield {"store": store, "updates": OrderUpdates()}
        log.info("Shop closed")
    if settings.report_folder is not None or tracing is not None:
        await drain(settings.report_folder)
    if tracing is not None:
        await asyncio.to_thread(tracing.shutdown)


@asynccontextmanager
async def background(work: Coroutine[Any, Any, Any]) -> AsyncIterator[None]:
    """Let something run beside the block; at its end it is cancelled."""
    task = asyncio.create_task(work)
    try:
        yield
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


async def drain(folder: Path | None) -> None:
    """Deliver everything, and keep the figures for somebody who counts.

    fapilog's lifespan drains anyway; it is done here once more by hand because the result is wanted, and because the
    spans around the last deliveries have to be there before tracing ends.
    """
    logger = await get_async_logger(__name__)
    result = await logger.drain()
    if folder is None:
        return
    report = folder / f"drain-{os.getpid()}.json"
    await asyncio.to_thread(report.write_text, json.dumps(result._asdict()), encoding="utf-8")


def logging_setup() -> FastAPIBuilder:
    """Say which events there are, what is hidden in them, and where they go."""
    builder = (
        FastAPIBuilder()
        .with_service(
            name=SERVICE["service.name"],
            version=SERVICE["service.version"],
            env=SERVICE["deployment.environment.name"],
        )
        # Of a look at the products the completion event says all there is to say.
        .with_level("info,example_app.routes.products=warning")
        # One line and a sum for what is said over and over. Each request and order speaks for itself.
        .with_dedupe(window="10s", key=("logger", "message", "request_id", "order_id"))
        # Passwords and tokens are hidden anyway; here the customers' addresses, too.
        .with_redaction("PII")
        .with_backpressure(policy="wait")
        .include_headers("x-customer")
        .skip_paths("/backoffice/health")
        .with_debug_route(token=settings.debug_token, trace_url=settings.trace_url)
        # Logs, spans and metrics that point at each other; without a collector the ids and figures are there as well.
        .with_tracing(links=True)
        .with_metrics()
        .capture_stdlib()
        .add_stdout(format=settings.log_format)
    )
    everything = ["stdout"]
    if exports():
        builder = builder.add_otlp()
        everything.append("otlp")
    if settings.log_file is None:
        return builder
    return (
        builder.add_file(settings.log_file)
        .add_file(error_file(settings.log_file), name="errors")
        .with_routing(Route([*everything, "file"]), Route("errors", levels=("ERROR", "CRITICAL")))
    )


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
