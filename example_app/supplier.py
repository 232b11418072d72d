"""Asks a supplier for prices, over and over. This one never answers: the sort of thing that fills a log."""

import asyncio
from typing import NoReturn

from fapilog import get_logger

log = get_logger(__name__)

# Made up. They are in the error that is logged below, and in no line of the log.
PASSWORD, TOKEN = "tea4two", "9f2c4d71a8"
SUPPLIER = f"https://shop:{PASSWORD}@supplier.example/prices?token={TOKEN}"
ASK_AGAIN_SECONDS = 0.05


async def watch_supplier() -> NoReturn:
    """Ask until it is cancelled. The same warning each time: the first is written, the others are summed up."""
    while True:
        try:
            await _fetch_prices()
        except ConnectionError as error:
            log.warning("Supplier does not answer", error=error)
        await asyncio.sleep(ASK_AGAIN_SECONDS)


async def _fetch_prices() -> None:
    raise ConnectionRefusedError(f"no connection to {SUPPLIER}")
