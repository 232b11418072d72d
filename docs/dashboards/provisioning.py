"""Grafana's data sources with the links between them: a line's trace, a span's logs and figures, a point's trace."""

from typing import Any

from docs.dashboards.by_route import METHOD, ROUTE
from docs.dashboards.promql import series
from fapilog.metrics.catalogue import HTTP_DURATION

PROMETHEUS, LOKI, TEMPO = "prometheus", "loki", "tempo"
"""The uids; the three sources know one another by them."""
HEXADECIMAL = "([0-9a-f]+)"
_DOLLAR = "$$"
"""In a provisioning file; a single one would be a variable of the environment."""


def datasources() -> Any:
    """Return the provisioning file's content."""
    return {
        "apiVersion": 1,
        "datasources": [
            {
                "name": "Prometheus",
                "uid": PROMETHEUS,
                "type": "prometheus",
                "access": "proxy",
                "url": "http://prometheus:9090",
                "isDefault": True,
                "jsonData": {
                    "httpMethod": "POST",
                    "timeInterval": "15s",
                    "exemplarTraceIdDestinations": [{"name": "trace_id", "datasourceUid": TEMPO}],
                },
            },
            {
                "name": "Loki",
                "uid": LOKI,
                "type": "loki",
                "access": "proxy",
                "url": "http://loki:3100",
                "jsonData": {
                    "maxLines": 1000,
                    "derivedFields": [_derived("trace_id", "Trace"), _derived("linked_trace_id", "Caused by")],
                },
            },
            {
                "name": "Tempo",
                "uid": TEMPO,
                "type": "tempo",
                "access": "proxy",
                "url": "http://tempo:3200",
                "jsonData": {"tracesToLogsV2": _to_logs(), "tracesToMetrics": _to_metrics()},
            },
        ],
    }


def _derived(key: str, title: str) -> dict[str, str]:
    """Return the field that makes a key of our JSON lines a link to a trace.

    The quotation mark before the name tells ``trace_id`` from ``linked_trace_id``.
    """
    return {
        "name": key,
        "matcherRegex": f'"{key}":"{HEXADECIMAL}"',
        "url": f"{_DOLLAR}{{__value.raw}}",
        "urlDisplayLabel": title,
        "datasourceUid": TEMPO,
    }


def _to_logs() -> dict[str, Any]:
    return {
        "datasourceUid": LOKI,
        "spanStartTimeShift": "-1m",
        "spanEndTimeShift": "1m",
        "tags": [{"key": "service.name", "value": "service"}],
        "customQuery": True,
        "query": f'{{{_DOLLAR}{{__tags}}}} |= "{_DOLLAR}{{__trace.traceId}}"',
    }


def _to_metrics() -> dict[str, Any]:
    bucket = series(HTTP_DURATION, part="bucket")
    count = series(HTTP_DURATION, part="count")
    return {
        "datasourceUid": PROMETHEUS,
        "spanStartTimeShift": "-15m",
        "spanEndTimeShift": "15m",
        "tags": [
            {"key": "service.name", "value": "job"},
            {"key": "http.request.method", "value": METHOD},
            {"key": "http.route", "value": ROUTE},
        ],
        "queries": [
            {"name": "Requests a second", "query": f"sum(rate({count}{{{_DOLLAR}__tags}}[5m]))"},
            {
                "name": "p99",
                "query": f"histogram_quantile(0.99, sum by (le) (rate({bucket}{{{_DOLLAR}__tags}}[5m])))",
            },
        ],
    }
