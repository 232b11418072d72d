"""An application that logs what nobody should show as it is, and very much of it; uvicorn runs it."""

import asyncio
import time
from typing import Any

from fastapi import FastAPI

from fapilog import get_logger
from fapilog.fastapi import FastAPIBuilder

MARKUP = "<script>alert(1)</script><img src=x onerror=alert(2)><a href=javascript:alert(3)>x</a>"
ESCAPES = "\x1b[31mred\x1b[0m\x1b]0;title\x07 \x00 \x08"
HIDDEN = "abc\u202edcba\u202c z\u200be\u200dro \u2066iso\u2069 \ufeff \U000e0041 \u2028line"
LONG = "long " + "x" * 1_000_000 + " <b id=evil-end>end</b>"
LARGE = 1_234_567_890_123_456_789  # as ids of orders are in many databases; JavaScript has no such number
FIELDS = 5_000
KEYS = {
    "__proto__": {"polluted": True},
    "constructor": {"prototype": {"polluted": True}},
    "toString": "own",
    "hasOwnProperty": "own",
    "<b id=evil-key>key</b>": MARKUP,
    "onclick": "alert(4)",
    "": "empty key",
}
RATE_SECONDS = 0.01

odd = get_logger("odd<b id=evil-logger>.\u202elogger")
log = get_logger("hostile")
app = FastAPI(lifespan=FastAPIBuilder().with_preset("fastapi").build())
flood: set[asyncio.Task[None]] = set()


def nested(depth: int) -> dict[str, Any]:
    """Return an object in an object in an object, and so on."""
    value: dict[str, Any] = {"bottom": MARKUP}
    for _ in range(depth):
        value = {"deeper": value}
    return value


@app.get("/hostile")
async def hostile() -> str:
    """Log one event of each kind, and fail with markup in the exception."""
    log.info(f"markup {MARKUP}", field=MARKUP, url="javascript:alert(5)")
    odd.warning("of an odd logger", order_id=LARGE, nested={"order_id": -LARGE}, tiny=1e-20)
    log.info(f"escapes {ESCAPES}", field=ESCAPES)
    log.info(f"hidden {HIDDEN}", field=HIDDEN)
    log.info(LONG, long_field=LONG)
    log.info("many fields", **{f"field_{number:04d}": number for number in range(FIELDS)})
    log.info("deep", deep=nested(60))
    log.info("odd keys", **KEYS)
    raise ValueError(MARKUP + ESCAPES)


@app.get("/said/{text:path}")
async def said(text: str) -> str:
    """Log nothing but the completion event, with the path in it."""
    return text


@app.get("/flood")
async def start(rate: int, seconds: float) -> None:
    """Log so many events a second, evenly, for a while."""
    task = asyncio.create_task(_flood(rate, seconds))
    flood.add(task)
    task.add_done_callback(flood.discard)


async def _flood(rate: int, seconds: float) -> None:
    begin = time.monotonic()
    sent = 0
    while sent < rate * seconds:
        due = min(rate * seconds, (time.monotonic() - begin) * rate)
        while sent < due:
            log.info("flooding", number=sent, customer="ada", total_cents=690, path="/api/orders", note="x" * 60)
            sent += 1
        await asyncio.sleep(RATE_SECONDS)
    log.info("flood is over", number=sent, took=time.monotonic() - begin)
