"""Two services, ``front`` and ``stock``; the one calls the other through httpx. Started by ``test_two_services.py``.

``STOCK_URL``        where the second one is
``SERVICE_SDK=1``    spans are made and exported by the SDK, as ``OTEL_EXPORTER_OTLP_…`` says
``SERVICE_SPANS``    ``fastapi``: FastAPI's own telemetry makes the server spans; ``ours``: it is off, so fapilog does
``SERVICE_CLIENT``   ``instrumented``: OpenTelemetry's instrumentation of httpx; ``inject``: its propagator by hand
"""

import asyncio
import os
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

import httpx
from fastapi import FastAPI, Request
from opentelemetry import propagate, trace

from fapilog import carry_context, get_logger
from fapilog.fastapi import FastAPIBuilder

INSTRUMENTED = os.environ.get("SERVICE_CLIENT") == "instrumented"
PATIENCE_SECONDS = 20.0
log = get_logger("service")


def set_up_sdk() -> Any:
    """Make the process's tracer provider; return it, or None without the SDK."""
    if os.environ.get("SERVICE_SDK") != "1":
        return None
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor

    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter(), schedule_delay_millis=100))
    trace.set_tracer_provider(provider)
    return provider


provider = set_up_sdk()


@asynccontextmanager
async def life(_: FastAPI) -> AsyncIterator[Mapping[str, Any]]:
    """Hold a client; at the end wait for the jobs and hand the spans on."""
    client = httpx.AsyncClient(timeout=PATIENCE_SECONDS, trust_env=False)
    if INSTRUMENTED:
        from opentelemetry.instrumentation.httpx import HTTPXClientInstrumentor

        HTTPXClientInstrumentor.instrument_client(client)
    jobs: set[asyncio.Task[None]] = set()
    async with client:
        yield {"client": client, "jobs": jobs}
        await asyncio.gather(*jobs)
    if provider is not None:
        await asyncio.to_thread(provider.shutdown)


def service() -> FastAPI:
    """Return an application with the logging that both have."""
    builder = FastAPIBuilder().with_tracing(baggage=("tenant",)).add_stdout(format="json")
    if os.environ.get("OTEL_EXPORTER_OTLP_ENDPOINT"):
        builder = builder.add_otlp()
    tracing = os.environ.get("SERVICE_SPANS") == "fastapi"
    return FastAPI(lifespan=builder.build(lifespan=life), telemetry={"tracing": tracing})


front, stock = service(), service()


@front.post("/orders/{order_id}")
async def place(order_id: int, request: Request) -> dict[str, Any]:
    """Take an order: ask the other service, answer, and send the receipt afterwards in a trace of its own."""
    log.info("Order placed", order_id=order_id)
    headers: dict[str, str] = {}
    if not INSTRUMENTED:
        propagate.inject(headers)
    answer = await request.state.client.get(f"{os.environ['STOCK_URL']}/stock/{order_id}", headers=headers)
    job = carry_context(send_receipt, link=True)
    request.state.jobs.add(asyncio.create_task(job(order_id)))
    return {"stock": answer.json()}


async def send_receipt(order_id: int) -> None:
    """Work for which nobody waits."""
    log.info("Receipt sent", order_id=order_id)


@stock.get("/stock/{order_id}")
async def look_up(order_id: int, request: Request) -> dict[str, Any]:
    """Say what arrived."""
    log.info("Stock looked up", order_id=order_id)
    wanted = ("traceparent", "tracestate", "baggage")
    return {name: request.headers[name] for name in wanted if name in request.headers}
