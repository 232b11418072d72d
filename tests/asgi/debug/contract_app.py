"""A shop with everything switched on that the console tells of; for uvicorn in a process of its own.

Not to be imported by a test: it sets the global provider of spans.
"""

import os

from fastapi import FastAPI
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider

from fapilog import bind_context, get_logger
from fapilog.asgi.debug import levels, louder
from fapilog.fastapi import FastAPIBuilder

levels._MOST_CHANGES = louder.MOST_RULES = 100_000
"""There is room for whatever is generated."""

trace.set_tracer_provider(TracerProvider())
builder = FastAPIBuilder().with_preset("fastapi").with_tracing().with_flight_recorder(slow_seconds=5)
builder = builder.with_debug_route(token=os.environ["LOGGING_TOKEN"], trace_url="https://traces.example/{trace_id}")
app = FastAPI(lifespan=builder.build())


@app.get("/orders/{number}")
async def order(number: int) -> int:
    """Return an order; there is no order 0."""
    bind_context(user_id="42")
    get_logger("shop.orders").debug("looking", number=number)
    get_logger("shop.orders").info("order shown", number=number)
    if number == 0:
        raise RuntimeError("no such order")
    return number
