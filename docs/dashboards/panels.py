"""Panels of Grafana, and how they are laid out. Their JSON is that of Grafana 11, schema version 39.

The keys are those of Grafana's schema, https://github.com/grafana/grafana-foundation-sdk, which the tests hold them to.
"""

from collections.abc import Sequence
from typing import Any

from fapilog.metrics.catalogue import Metric

Panel = dict[str, Any]
Target = dict[str, Any]
WIDTH = 24
"""Columns of a dashboard."""
GREEN, YELLOW, RED = "green", "yellow", "red"
_RATES = {"{event}": "eps", "s": "s/s", "By": "Bps"}
_UNITS = {"s": "s", "By": "bytes"}


def datasource(kind: str) -> dict[str, str]:
    """Return the data source that the variable of this name chooses."""
    return {"type": kind, "uid": f"${{{kind}}}"}


def unit_of(metric: Metric) -> str:
    """Return Grafana's unit for a metric's values."""
    return _UNITS.get(metric.unit, "short")


def rate_of(metric: Metric) -> str:
    """Return Grafana's unit for how much of it there is a second."""
    return _RATES.get(metric.unit, "cps")


def query(expression: str, legend: str, *, exemplar: bool = False, **more: Any) -> Target:
    """Return a PromQL query."""
    kinds = {"instant": False, "range": True}
    source = datasource("prometheus")
    return {"datasource": source, "expr": expression, "legendFormat": legend, "exemplar": exemplar, **kinds, **more}


def now(expression: str, legend: str, **more: Any) -> Target:
    """Return a PromQL query for one value: the latest."""
    return query(expression, legend, instant=True, range=False, **more)


def panel(kind: str, title: str, targets: Sequence[Target], *, text: str, size: tuple[int, int]) -> Panel:
    """Return a panel without a place.

    Args:
        kind: What Grafana calls it.
        title: What it shows.
        targets: Its queries; they become A, B, C.
        text: What the viewer reads who wants to know more.
        size: Columns and rows.
    """
    columns, rows = size
    return {
        "type": kind,
        "title": title,
        "description": text,
        "datasource": targets[0]["datasource"],
        "targets": [{"refId": chr(ord("A") + number), **target} for number, target in enumerate(targets)],
        "gridPos": {"w": columns, "h": rows},
    }


def helped(*metrics: Metric, more: str = "") -> str:
    """Return a description: what the catalogue says of these metrics, and one thing more."""
    return " ".join([*dict.fromkeys(metric.help for metric in metrics), *([more] if more else [])])


def graph(title: str, *targets: Target, unit: str, text: str, width: int = 8, stack: bool = False) -> Panel:
    """Return lines over time; stacked, they are shares of a whole."""
    custom = {
        "drawStyle": "line",
        "fillOpacity": 30 if stack else 8,
        "lineWidth": 1,
        "showPoints": "never",
        "stacking": {"group": "A", "mode": "normal" if stack else "none"},
    }
    return {
        **panel("timeseries", title, targets, text=text, size=(width, 8)),
        "fieldConfig": {"defaults": {"unit": unit, "min": 0, "custom": custom}, "overrides": []},
        "options": {
            "legend": {"displayMode": "list", "placement": "bottom", "showLegend": True},
            "tooltip": {"mode": "multi", "sort": "desc"},
        },
    }


def figure(title: str, target: Target, *, unit: str, text: str, limits: tuple[float, ...] = ()) -> Panel:
    """Return one number: green, yellow from the first limit on, red from the last; with one limit only red."""
    colours = (RED,) if len(limits) == 1 else (YELLOW, RED)
    steps: list[dict[str, Any]] = [{"color": GREEN, "value": None}]
    steps += [{"color": colour, "value": limit} for colour, limit in zip(colours, limits, strict=False)]
    return {
        **panel("stat", title, [target], text=text, size=(4, 4)),
        "fieldConfig": {
            "defaults": {"unit": unit, "noValue": "–", "thresholds": {"mode": "absolute", "steps": steps}},
            "overrides": [],
        },
        "options": {
            "colorMode": "value" if not limits else "background",
            "graphMode": "none",
            "reduceOptions": {"calcs": ["lastNotNull"], "fields": "", "values": False},
        },
    }


def states(title: str, target: Target, *, text: str, names: Sequence[tuple[str, str]]) -> Panel:
    """Return which state something was in when: values 0, 1, 2 with their names and colours."""
    options = {
        str(value): {"text": name, "color": colour, "index": value} for value, (name, colour) in enumerate(names)
    }
    return {
        **panel("state-timeline", title, [target], text=text, size=(12, 6)),
        "fieldConfig": {
            "defaults": {"unit": "short", "mappings": [{"type": "value", "options": options}]},
            "overrides": [],
        },
        "options": {"mergeValues": True, "showValue": "auto", "rowHeight": 0.8},
    }


def bars(title: str, target: Target, *, unit: str, text: str, width: int = 8) -> Panel:
    """Return one bar for each series, in the order of the query."""
    return {
        **panel("bargauge", title, [target], text=text, size=(width, 8)),
        "fieldConfig": {"defaults": {"unit": unit, "min": 0, "color": {"mode": "continuous-GrYlRd"}}, "overrides": []},
        "options": {
            "displayMode": "gradient",
            "orientation": "horizontal",
            "reduceOptions": {"calcs": ["lastNotNull"], "fields": "", "values": False},
        },
    }


def heatmap(title: str, target: Target, *, unit: str, text: str, width: int = 12) -> Panel:
    """Return how measurements spread over the buckets of a histogram, with its exemplars as points."""
    return {
        **panel("heatmap", title, [{**target, "format": "heatmap"}], text=text, size=(width, 8)),
        "options": {
            "calculate": False,
            "cellGap": 1,
            "color": {"mode": "scheme", "scheme": "Oranges", "steps": 64},
            "exemplars": {"color": "rgba(31,120,193,0.9)"},
            "yAxis": {"unit": unit},
            "tooltip": {"mode": "single", "yHistogram": True},
        },
    }


def log_lines(title: str, expression: str, *, text: str, rows: int = 10) -> Panel:
    """Return lines from Loki, the newest first."""
    target = {"datasource": datasource("loki"), "expr": expression, "queryType": "range", "maxLines": 500}
    return {
        **panel("logs", title, [target], text=text, size=(WIDTH, rows)),
        "options": {
            "dedupStrategy": "none",
            "enableLogDetails": True,
            "showTime": True,
            "sortOrder": "Descending",
            "wrapLogMessage": True,
        },
    }


def found_traces(title: str, expression: str, *, text: str, rows: int = 8, width: int = WIDTH) -> Panel:
    """Return a table of the traces that a TraceQL query finds."""
    target = {"datasource": datasource("tempo"), "query": expression, "queryType": "traceql", "limit": 20}
    return panel("table", title, [{**target, "tableType": "traces"}], text=text, size=(width, rows))


def one_trace(title: str, trace_id: str, *, text: str) -> Panel:
    """Return a trace as a waterfall."""
    target = {"datasource": datasource("tempo"), "query": trace_id, "queryType": "traceql"}
    return panel("traces", title, [target], text=text, size=(WIDTH, 14))
