"""What a metric is called in Prometheus; needs nothing but the catalogue.

The rules are those of https://opentelemetry.io/docs/specs/otel/compatibility/prometheus_and_openmetrics/: dots become
underscores, the unit is spelt out at the end, what is in braces is left out, and a counter ends in ``_total``.
"""

from fapilog.metrics.catalogue import Metric

_UNITS = {"s": "seconds", "By": "bytes"}


def unit_of(metric: Metric) -> str:
    """Return the unit's word; empty if the unit is one for people."""
    return "" if metric.unit.startswith("{") else _UNITS[metric.unit]


def family_name(metric: Metric) -> str:
    """Return the name of the metric, without what its samples end in."""
    return "_".join(part for part in (_plain(metric.name), unit_of(metric)) if part)


def series_names(metric: Metric) -> tuple[str, ...]:
    """Return the names of the metric's samples, which is what a query asks for."""
    name = family_name(metric)
    if metric.kind == "histogram":
        return f"{name}_bucket", f"{name}_count", f"{name}_sum"
    return (f"{name}_total",) if metric.kind == "counter" else (name,)


def label_names(metric: Metric) -> tuple[str, ...]:
    """Return the names of the labels, without the ``le`` of a histogram's buckets."""
    return tuple(map(_plain, metric.labels))


def _plain(name: str) -> str:
    return name.replace(".", "_")
