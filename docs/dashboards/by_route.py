"""The dashboard of the requests: how many, how many fail, how long they take, and what was logged meanwhile."""

from typing import Any

from docs.dashboards.layout import Row, choice, dashboard, source
from docs.dashboards.panels import (
    Panel,
    bars,
    figure,
    found_traces,
    graph,
    heatmap,
    helped,
    log_lines,
    now,
    query,
    unit_of,
)
from docs.dashboards.promql import label, series
from docs.dashboards.scope import Scope
from fapilog.metrics.catalogue import HTTP_DURATION

ROUTE = label(HTTP_DURATION, "http.route")
STATUS = label(HTTP_DURATION, "http.response.status_code")
METHOD = label(HTTP_DURATION, "http.request.method")
FAULT = label(HTTP_DURATION, "error.type")
SERVER_ERRORS = (STATUS, "=~", "5..")
_SCOPE = Scope({"job": "service", ROUTE: "route"})
_OF_SERVICE = '{service=~"$service"}'
_AT_ROUTE = f"{{{{{METHOD}}}}} {{{{{ROUTE}}}}}"


def by_route() -> Any:
    """Return the dashboard."""
    of_service = series(HTTP_DURATION, ("job", "=~", "$service"), part="count")
    variables = [
        source("prometheus", "Metrics"),
        source("loki", "Logs"),
        source("tempo", "Traces"),
        choice("service", "Service", f"label_values({series(HTTP_DURATION, part='count')}, job)"),
        choice("route", "Route", f"label_values({of_service}, {ROUTE})", every=".*"),
    ]
    rows: list[Row] = [
        ("All chosen routes", _whole()),
        ("By route", _routes()),
        ("Slow and failed", _worst()),
        ("Logs", _logs()),
    ]
    text = "Rate, errors and duration of requests by route, with the way to the trace of one and to what it logged."
    return dashboard("requests", "fapilog: requests", text, variables, rows)


def _requests(*labels: str, failed: bool = False) -> str:
    where = (SERVER_ERRORS,) if failed else ()
    return _SCOPE.rate(HTTP_DURATION, *labels, where=where, part="count")


def _share(*labels: str) -> str:
    """Return which share of the requests has failed; 0 where none has."""
    every = _requests(*labels)
    return f"({_requests(*labels, failed=True)} or 0 * {every}) / {every}"


def _whole() -> list[Panel]:
    return [
        figure("Requests", now(f"sum({_requests('job')})", "requests"), unit="reqps", text=helped(HTTP_DURATION)),
        figure(
            "Failed",
            now(f"max({_share('job')})", "share"),
            unit="percentunit",
            limits=(0.01, 0.05),
            text=helped(HTTP_DURATION, more="Here: the share that was answered 500 or above."),
        ),
        figure(
            "p50",
            now(f"max({_SCOPE.quantile(0.5, HTTP_DURATION, 'job')})", "p50"),
            unit=unit_of(HTTP_DURATION),
            text=helped(HTTP_DURATION, more="Half of them take no longer."),
        ),
        figure(
            "p95",
            now(f"max({_SCOPE.quantile(0.95, HTTP_DURATION, 'job')})", "p95"),
            unit=unit_of(HTTP_DURATION),
            text=helped(HTTP_DURATION, more="19 of 20 take no longer."),
        ),
        figure(
            "p99",
            now(f"max({_SCOPE.quantile(0.99, HTTP_DURATION, 'job')})", "p99"),
            unit=unit_of(HTTP_DURATION),
            limits=(1, 2.5),
            text=helped(HTTP_DURATION, more="99 of 100 take no longer."),
        ),
        figure(
            "Routes",
            now(f"count(count by ({ROUTE}) ({_SCOPE.series(HTTP_DURATION, part='count')}))", "routes"),
            unit="short",
            text=helped(HTTP_DURATION, more="Here: how many routes were asked for."),
        ),
    ]


def _routes() -> list[Panel]:
    duration = unit_of(HTTP_DURATION)
    linked = "A point is one request: click it for its trace."
    return [
        graph(
            "Rate",
            query(_requests(METHOD, ROUTE), _AT_ROUTE),
            unit="reqps",
            text=helped(HTTP_DURATION),
            stack=True,
        ),
        graph(
            "Errors",
            query(_share(METHOD, ROUTE), _AT_ROUTE),
            unit="percentunit",
            text=helped(HTTP_DURATION, more="Here: the share that was answered 500 or above."),
        ),
        graph(
            "Duration: p99",
            query(_SCOPE.quantile(0.99, HTTP_DURATION, METHOD, ROUTE), _AT_ROUTE, exemplar=True),
            unit=duration,
            text=helped(HTTP_DURATION, more=linked),
        ),
        heatmap(
            "Duration: all of them",
            query(_SCOPE.rate(HTTP_DURATION, "le", part="bucket"), "{{le}}", exemplar=True),
            unit=duration,
            text=helped(HTTP_DURATION, more=linked),
        ),
        graph(
            "Answers by status",
            query(_requests(STATUS), f"{{{{{STATUS}}}}}"),
            unit="reqps",
            text=helped(HTTP_DURATION),
            width=12,
            stack=True,
        ),
    ]


def _worst() -> list[Panel]:
    slowest = f"sort_desc(topk(10, {_SCOPE.quantile(0.95, HTTP_DURATION, METHOD, ROUTE)}))"
    faults = _SCOPE.rate(HTTP_DURATION, FAULT, ROUTE, where=((FAULT, "!=", ""),), part="count")
    spans = 'kind = server && resource.service.name =~ "$service" && span.http.route =~ "$route"'
    return [
        bars(
            "Slowest routes (p95)",
            now(slowest, _AT_ROUTE),
            unit=unit_of(HTTP_DURATION),
            text=helped(HTTP_DURATION, more="The ten slowest."),
            width=12,
        ),
        graph(
            "Errors by type",
            query(faults, f"{{{{{FAULT}}}}} {{{{{ROUTE}}}}}"),
            unit="reqps",
            text=helped(HTTP_DURATION, more="The exception's type, or the status where there was none."),
            width=12,
        ),
        found_traces(
            "Slow traces",
            f"{{ {spans} && duration > 500ms }}",
            text="Requests that took longer than half a second. A click opens the trace.",
            width=12,
        ),
        found_traces(
            "Failed traces",
            f"{{ {spans} && status = error }}",
            text="Requests whose span says that they failed. A click opens the trace.",
            width=12,
        ),
    ]


def _logs() -> list[Panel]:
    return [
        log_lines(
            "Errors and warnings",
            '{service=~"$service", level=~"warn|error|critical"}',
            text="What the service has logged from WARNING on, of all routes. Open a line: its trace is a link.",
        ),
        log_lines(
            "Requests of the route",
            f'{_OF_SERVICE} |= `"request_` | json | message=~"request_completed|request_failed" '
            '| http_route=~"$route" | line_format `{{.http_method}} {{.path}} {{.status_code}} {{.duration_ms}} ms`',
            text="One line for each request of the chosen routes, as the access event has it.",
        ),
    ]
