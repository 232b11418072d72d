"""Work that requests of a FastAPI application start and do not wait for: what its spans and events point back at."""

import asyncio
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from fastapi import BackgroundTasks, FastAPI

from fapilog import carry_context, get_logger, span_link
from fapilog.fastapi import FastAPIBuilder
from tests.delivery.receivers import Receiver
from tests.hosts.driver import running
from tests.otel.signals import Signals, span_id, trace_id

pytestmark = pytest.mark.asyncio
TRACE, SPAN = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
CALLER = {"traceparent": f"00-{TRACE}-{SPAN}-01", "x-request-id": "r1"}
WAYS = ("background", "decorated", "task", "pool")
logger = get_logger("shop")


@pytest.fixture(autouse=True)
def _as_global(signals: Signals, monkeypatch: pytest.MonkeyPatch) -> None:
    """Make the SDK's provider the one that linked work takes if it is given none."""
    monkeypatch.setattr("fapilog.otel.links.get_tracer_provider", lambda: signals.tracers)


def job(way: str) -> None:
    logger.info("job", way=way)


@span_link("decorated")
async def decorated(way: str) -> None:
    logger.info("job", way=way)


def application(builder: FastAPIBuilder, pool: ThreadPoolExecutor, left: list[Any]) -> FastAPI:
    app = FastAPI(lifespan=builder.build(), telemetry={"tracing": False, "metrics": False, "logs": False})

    @app.get("/{way}")
    async def order(way: str, background: BackgroundTasks) -> None:
        logger.info("ordered", way=way)
        if way == "background":
            background.add_task(carry_context(job, link=True), way)
        elif way == "decorated":
            background.add_task(decorated, way)
        elif way == "task":
            left.append(carry_context(decorated)(way))
        else:
            left.append(asyncio.wrap_future(pool.submit(carry_context(link=True)(job), way)))

    return app


@pytest.mark.parametrize("server_spans", [True, False])
async def test_each_job_is_a_trace_that_points_at_its_request(signals: Signals, *, server_spans: bool) -> None:
    """At the server span, or without one at the caller's; its events have both ids and the request's.

    The deliveries link to the spans of requests and jobs alike, and to nothing else.
    """
    receiver, left = Receiver(name="remote"), []
    builder = FastAPIBuilder().add_sink(receiver)
    if server_spans:
        builder = builder.with_tracing(links=True, tracer_provider=signals.tracers)
    with ThreadPoolExecutor(1) as pool:
        async with running(application(builder, pool, left)) as server:
            for way in WAYS:
                assert (await server.get(f"/{way}", headers=CALLER)).status_code == 200
            # Both are run, or awaited, when their requests have ended long since.
            await asyncio.gather(*left)

    servers = {span.attributes["url.path"][1:]: span for span in signals.server_spans}
    jobs = {f"{span.context.trace_id:032x}": span for span in signals.spans if span.name in {"job", "decorated"}}
    events = {event["way"]: event for event in receiver.taken if event["message"] == "job"}
    assert set(events) == set(WAYS)
    assert len(jobs) == len(WAYS)
    assert len(servers) == (len(WAYS) if server_spans else 0)
    for way, event in events.items():
        span = jobs[event["trace_id"]]
        cause = (TRACE, span_id(servers[way]) if server_spans else SPAN)
        assert span.parent is None
        assert event["span_id"] == span_id(span)
        assert (event["linked_trace_id"], event["linked_span_id"]) == cause
        assert [(f"{it.context.trace_id:032x}", f"{it.context.span_id:016x}") for it in span.links] == [cause]
        assert event["request_id"] == "r1"
    for event in receiver.taken:
        if event["message"] != "job":
            assert "linked_trace_id" not in event
    deliveries = [span for span in signals.spans if span.name == "send remote"]
    shipped = {link.context.span_id for span in deliveries for link in span.links}
    made = {span.context.span_id for span in (*servers.values(), *jobs.values())}
    assert shipped == (made if server_spans else set())
    assert all(span.parent is None for span in deliveries)
    assert not {trace_id(span) for span in deliveries} & {TRACE, *jobs}


async def test_what_a_job_raises_is_redacted_on_its_span(signals: Signals) -> None:
    """As what the request raises is, although that has ended by then."""
    builder = FastAPIBuilder().add_sink(Receiver()).with_tracing(tracer_provider=signals.tracers)
    app = FastAPI(lifespan=builder.build(), telemetry={"tracing": False, "metrics": False, "logs": False})
    left: list[Any] = []

    async def failing() -> None:
        raise ValueError("postgres://bob:hunter2@db/shop refused")

    @app.get("/")
    async def order() -> None:
        left.append(carry_context(failing, link=True))

    async with running(app) as server:
        await server.get("/")
        with pytest.raises(ValueError, match="refused"):
            await left[0]()

    [event] = signals.spans[-1].events
    assert "refused" in event.attributes["exception.message"]
    assert "hunter2" not in signals.spans[-1].to_json()
