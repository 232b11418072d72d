"""An afternoon at the shop: customers who come and go, some of them with no luck."""

import asyncio
import contextlib
import math
import random
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx
from websockets.asyncio.client import ClientConnection

from example_app.demo.traffic import order_listener
from tests.e2e.console.places import Shop

NAMES = ("ada", "grace", "edsger", "barbara", "alan", "radia", "guest")
BROWSERS = (
    "Mozilla/5.0 (X11; Linux x86_64) Firefox/146.0",
    "Mozilla/5.0 (iPhone) Safari/605.1",
    "ShopApp/4.2 (Android)",
)
BUSIEST_A_SECOND = 22.0
WAVE_SECONDS = 37.0
VISITS: tuple[tuple[float, str, str], ...] = (  # how often, what, where
    (14, "GET", "/api/products"),
    (14, "GET", "/api/products/{product}"),
    (10, "GET", "/api/products/{product}/stock"),
    (12, "POST", "/api/orders"),
    (8, "GET", "/api/orders/{order}"),
    (6, "GET", "/api/orders/{order}/items"),
    (4, "POST", "/backoffice/orders/{order}/ship"),
    (3, "GET", "/api/reports/export.csv?rows=400"),
    (1.5, "GET", "/api/reports/slow?seconds={seconds}"),
    (1.5, "GET", "/api/products/99"),
    (1.2, "POST", "/api/orders?too-many"),
    (0.8, "GET", "/api/reports/average-order/1999-12-31"),
    (0.6, "GET", "/favicon.ico"),
)


@contextmanager
def customers(shop: Shop) -> Iterator[None]:
    """Let customers come and go until the end of the block, always the same ones."""
    closing = threading.Event()
    thread = threading.Thread(target=lambda: asyncio.run(_afternoon(shop.base, closing)))
    thread.start()
    try:
        yield
    finally:
        closing.set()
        thread.join()


async def _afternoon(base: str, closing: threading.Event) -> None:
    dice = random.Random(4)
    start = time.monotonic()
    visits: set[asyncio.Task[None]] = set()
    async with httpx.AsyncClient(base_url=base, timeout=30.0, trust_env=False) as client:
        async with order_listener(client, "orders-on-the-wall") as websocket:
            reading = asyncio.create_task(_read(websocket))
            while not closing.is_set():
                wave = 0.55 + 0.45 * math.sin((time.monotonic() - start) * math.tau / WAVE_SECONDS)
                visit = asyncio.create_task(_visit(client, dice))
                visits.add(visit)
                visit.add_done_callback(visits.discard)
                await asyncio.sleep(dice.expovariate(BUSIEST_A_SECOND * max(wave, 0.1)))
        await asyncio.gather(reading, *visits)


async def _read(websocket: ClientConnection) -> None:
    async for _ in websocket:
        pass


async def _visit(client: httpx.AsyncClient, dice: random.Random) -> None:
    [(_, method, path)] = dice.choices(VISITS, [often for often, _, _ in VISITS])
    where = path.format(product=dice.randint(1, 4), order=dice.randint(1, 40), seconds=round(dice.uniform(0.3, 1.6), 2))
    headers = {"X-Customer": dice.choice(NAMES), "User-Agent": dice.choice(BROWSERS)}
    if "average" in where:
        headers["Connection"] = "close"
    with contextlib.suppress(httpx.TransportError):
        await client.request(method, where, headers=headers, json=_order(where, dice) if method == "POST" else None)


def _order(where: str, dice: random.Random) -> dict[str, Any]:
    if "too-many" in where:
        return {"email": "ada@example.org", "items": [{"product_id": 5, "quantity": 9}]}
    products = dice.sample(range(1, 5), dice.randint(1, 3))
    items = [{"product_id": product, "quantity": dice.randint(1, 4)} for product in products]
    return {"email": "ada@example.org", "items": items}
