"""``http.server.request.duration``: recorded once, with the span's ids, by bounded labels."""

from time import perf_counter
from typing import Any

import pytest
from fastapi import FastAPI
from opentelemetry.instrumentation.asgi import OpenTelemetryMiddleware
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from fapilog import LoggerBuilder, _runtime
from fapilog.asgi import FapilogMiddleware
from fapilog.asgi.each_request import RequestMiddleware
from fapilog.asgi.setup import with_telemetry
from fapilog.fastapi import FastAPIBuilder
from fapilog.metrics.catalogue import HTTP_LABELS
from fapilog.metrics.points import Counts
from tests.asgi.driver import Server, answering, http_scope, reply
from tests.hosts.driver import running
from tests.otel.signals import span_id, trace_id

pytestmark = pytest.mark.asyncio
NAME = "http.server.request.duration"


def measured(traced: Any, app: Any, **metrics: Any) -> RequestMiddleware:
    """Return an application that is measured, and traced."""
    builder = LoggerBuilder().with_tracing(tracer_provider=traced.signals.tracers)
    options = builder.with_metrics(meter_provider=traced.signals.meters, **metrics).options()
    return RequestMiddleware(with_telemetry(app, options), options.asgi)


def points(traced: Any) -> list[Any]:
    """Return the points that the SDK has of the metric."""
    data = traced.signals.reader.get_metrics_data()
    return [
        point
        for resource in (data.resource_metrics if data else ())
        for scope in resource.scope_metrics
        for metric in scope.metrics
        if metric.name == NAME
        for point in metric.data.data_points
    ]


def counted(route: str) -> dict[tuple[str, ...], Counts]:
    """Return what is counted for Prometheus under a route; the store is the process's."""
    _, found = _runtime.http_durations().family()
    return {point.labels: point.value for point in found if point.labels[HTTP_LABELS.index("http.route")] == route}


def routed(template: str, app: Any) -> Any:
    async def inner(scope: Any, receive: Any, send: Any) -> None:
        scope["path_template"] = template
        await app(scope, receive, send)

    return inner


async def test_it_is_recorded_with_the_labels_of_the_conventions_and_an_exemplar(traced):
    """With OpenTelemetry and for Prometheus."""
    await Server().run(measured(traced, routed("/durations/{one}", answering(503))), http_scope())

    (point,) = points(traced)
    assert dict(point.attributes) == {
        "http.request.method": "GET", "url.scheme": "http", "http.route": "/durations/{one}",
        "http.response.status_code": 503, "error.type": "503", "network.protocol.version": "1.1",
    }  # fmt: skip
    assert point.count == 1
    (exemplar,) = point.exemplars
    assert f"{exemplar.trace_id:032x}" == trace_id(traced.span)
    ((labels, counts),) = counted("/durations/{one}").items()
    assert labels == ("GET", "http", "/durations/{one}", "503", "503", "1.1")
    (mark,) = counts.exemplars.values()
    assert (mark.trace_id, mark.span_id) == (trace_id(traced.span), span_id(traced.span))


async def test_a_404_has_no_route_and_a_method_of_its_own_is_other(traced):
    """P20: nothing that a client invents becomes a label."""
    scope = http_scope("/x/1", method="BREW", scheme="gopher", http_version="7.3")
    await Server().run(measured(traced, answering(404)), scope)

    (point,) = points(traced)
    assert dict(point.attributes) == {
        "http.request.method": "_OTHER", "url.scheme": "_OTHER", "http.response.status_code": 404,
    }  # fmt: skip


async def test_a_background_task_makes_it_no_longer(traced):
    """P14: until the last body byte; and what the task raises is no failure of the request."""
    times = [perf_counter()]

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await reply(send)
        times.append(perf_counter())
        raise ValueError("background")

    with pytest.raises(ValueError, match="background"):
        await Server().run(measured(traced, routed("/durations/task", app)), http_scope())

    (point,) = points(traced)
    assert point.sum <= times[1] - times[0]
    assert "error.type" not in point.attributes


async def test_without_otel_it_is_counted_for_prometheus_alone(traced):
    """``with_metrics(otel=False)``."""
    await Server().run(measured(traced, routed("/durations/prom", answering()), otel=False), http_scope())

    assert points(traced) == []
    assert len(counted("/durations/prom")) == 1


class TheirHistogram:
    """Stands for the one that contrib makes with ``OTEL_SEMCONV_STABILITY_OPT_IN=http``, which it reads only once."""

    def record(self, *args: Any, **kwargs: Any) -> None:
        """Count nothing."""


@pytest.mark.parametrize("stable", [False, True])
async def test_contribs_middleware_records_it_once_the_stable_names_are_opted_for(stable, traced):
    """Before that it records ``http.server.duration`` in milliseconds, which is another metric."""
    contrib = OpenTelemetryMiddleware(
        answering(), tracer_provider=traced.signals.tracers, meter_provider=traced.signals.meters
    )
    contrib.duration_histogram_new = TheirHistogram() if stable else None
    await Server().run(measured(traced, contrib), http_scope())

    assert len(points(traced)) == (not stable)


async def test_fastapis_telemetry_records_it_and_then_we_do_not(traced):
    """Its meter provider is configured."""
    telemetry = {"tracer_provider": traced.signals.tracers, "meter_provider": traced.signals.meters}
    app = FastAPI(telemetry=telemetry)

    @app.get("/durations/theirs")
    async def endpoint() -> None:
        """Answer."""

    builder = LoggerBuilder().add_sink(traced.log.sink).with_metrics(meter_provider=traced.signals.meters)
    async with running(FapilogMiddleware(app, builder=builder)) as server:
        await server.get("/durations/theirs")
        await server.get("/durations/theirs")

    (point,) = points(traced)
    assert point.count == 2
    assert counted("/durations/theirs") == {}


@pytest.mark.parametrize("opt_in", ["", "http", "http/dup"])
async def test_contribs_middleware_outside_records_it_once_the_stable_names_are_opted_for(opt_in, traced, monkeypatch):
    """It is not among our layers: the variable that it goes by tells."""
    monkeypatch.setenv("OTEL_SEMCONV_STABILITY_OPT_IN", opt_in)
    app = measured(traced, answering())
    await Server().run(OpenTelemetryMiddleware(app, tracer_provider=traced.signals.tracers), http_scope())

    assert len([point for point in points(traced) if "http.response.status_code" in point.attributes]) == (not opt_in)


async def test_fastapis_telemetry_measures_what_is_mounted_too(traced):
    """Routing puts the mounted application in its place in the scope."""
    telemetry = {"tracer_provider": traced.signals.tracers, "meter_provider": traced.signals.meters}
    builder = FastAPIBuilder().add_sink(traced.log.sink).with_metrics(meter_provider=traced.signals.meters)
    app = FastAPI(telemetry=telemetry, lifespan=builder.build())
    app.mount("/durations", Starlette(routes=[Route("/mounted", lambda request: PlainTextResponse("x"))]))

    async with running(app) as server:
        await server.get("/durations/mounted")

    (point,) = points(traced)
    assert point.count == 1
    assert counted("/durations/mounted") == {}
