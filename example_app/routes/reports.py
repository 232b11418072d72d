"""Reports: a slow endpoint, one that fails, and a streaming export."""

import asyncio
from collections.abc import AsyncIterator
from typing import Annotated

from fastapi import APIRouter, Query
from fastapi.responses import StreamingResponse

from example_app.dependencies import LoggerDep, StoreDep
from fapilog import get_logger
from fapilog.asgi import annotate

router = APIRouter(prefix="/reports", tags=["reports"])
log = get_logger(__name__)

ROWS_A_CHUNK = 50
PAUSE_SECONDS = 0.005


@router.get("/slow")
async def slow_report(logger: LoggerDep, seconds: Annotated[float, Query(ge=0, le=2)] = 0.2) -> dict[str, float]:
    """Take its time."""
    await logger.info("Slow report started", seconds=seconds)
    await asyncio.sleep(seconds)
    await logger.warning("Slow report took long", seconds=seconds)
    return {"seconds": seconds}


@router.get("/average-order/{day}")
async def average_order(day: str, store: StoreDep, logger: LoggerDep) -> dict[str, float]:
    """Divide a day's turnover by its orders: a plausible bug, for a day without orders is a division by zero."""
    count, total_cents = await asyncio.to_thread(store.day_totals, day)
    await logger.info("Average order asked for", day=day, orders=count)
    return {"average_cents": total_cents / count}


@router.get("/export.csv")
async def export(store: StoreDep, rows: Annotated[int, Query(ge=1, le=1_000_000)] = 500) -> StreamingResponse:
    """Stream the catalogue, over and over, as lines."""
    products = await asyncio.to_thread(store.products)
    line = ",".join(product.name for product in products) + "\n"
    annotate(rows=rows)
    log.info("Export started", rows=rows)
    return StreamingResponse(_chunks(line, rows), media_type="text/csv")


async def _chunks(line: str, rows: int) -> AsyncIterator[str]:
    for start in range(0, rows, ROWS_A_CHUNK):
        await asyncio.sleep(PAUSE_SECONDS)
        yield line * min(ROWS_A_CHUNK, rows - start)
    log.info("Export finished", rows=rows)
