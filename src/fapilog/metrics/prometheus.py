"""Figures as Prometheus reads them; the text is made by ``prometheus_client``, which this module needs.

    /debug/logging/metrics ─► render(families, Accept)
    the application's own /metrics ─► prometheus_client.REGISTRY ─► Collector ─► its source, at each scrape

Samples have no ``_created`` time: it would be one more series for each counter and histogram, and Prometheus needs
none to see that a process began anew.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import accumulate

import prometheus_client
from prometheus_client import metrics_core, registry, samples
from prometheus_client.exposition import choose_encoder
from prometheus_client.utils import floatToGoString

from fapilog.diagnostics import attempt
from fapilog.errors import ConfigError
from fapilog.metrics.catalogue import ENGINE_METRICS, HTTP_DURATION, Metric
from fapilog.metrics.naming import family_name, label_names, unit_of
from fapilog.metrics.points import Counts, Exemplar, Family, Point

Source = Callable[[], Iterable[Family]]
"""Returns the figures of now; called at each scrape, on the thread that scrapes."""

_HISTOGRAM = metrics_core.HistogramMetricFamily
_Simple = metrics_core.CounterMetricFamily | metrics_core.GaugeMetricFamily
_SIMPLE: dict[str, type[_Simple]] = {
    "counter": metrics_core.CounterMetricFamily,
    "gauge": metrics_core.GaugeMetricFamily,
}


class Collector(registry.Collector):
    """What a registry of ``prometheus_client`` asks at each scrape.

    Args:
        metrics: What the source may tell; a registry refuses whoever else comes with one of these names.
        source: Tells it.
    """

    def __init__(self, metrics: Sequence[Metric], source: Source) -> None:
        """Keep both."""
        self._metrics = metrics
        self._source = source

    def describe(self) -> Iterator[metrics_core.Metric]:
        """Yield the metrics without their figures."""
        return (converted(metric, ()) for metric in self._metrics)

    def collect(self) -> Iterator[metrics_core.Metric]:
        """Yield the figures of now."""
        return (converted(metric, points) for metric, points in self._source())


def register(engines: Source, http: Source) -> None:
    """Put the figures into ``prometheus_client.REGISTRY``; to be called once in a process.

    The duration of requests is left out if the application has a metric of that name itself.

    Args:
        engines: Tells the figures of engines.
        http: Tells the duration of requests.

    Raises:
        ConfigError: If the registry has metrics of these names.
    """
    _, taken = attempt(prometheus_client.REGISTRY.register, Collector(ENGINE_METRICS, engines))
    if taken is not None:
        raise ConfigError(f"with_metrics(prometheus): prometheus_client.REGISTRY refuses fapilog's metrics: {taken}")
    attempt(prometheus_client.REGISTRY.register, Collector((HTTP_DURATION,), http))


def render(families: Iterable[Family], accept: str = "") -> tuple[bytes, str]:
    """Return the figures as text, and its content type.

    Args:
        families: The figures.
        accept: The request's ``Accept``. OpenMetrics, which has the exemplars, to whoever asks for it, as Prometheus
            does; else the classic text.
    """
    # It raises on a version that is no number, and repeats what it was given in the content type.
    chosen, _ = attempt(choose_encoder, accept if accept.isprintable() else "")
    encode, content_type = chosen or choose_encoder("")
    return encode(_Once(families)), content_type


class _Once(registry.Collector):
    """Figures as the registry that an encoder asks for them."""

    def __init__(self, families: Iterable[Family]) -> None:
        self._families = families

    def collect(self) -> Iterator[metrics_core.Metric]:
        return (converted(metric, points) for metric, points in self._families)


def converted(metric: Metric, points: Iterable[Point]) -> metrics_core.Metric:
    """Return a metric with its points as ``prometheus_client`` has them."""
    name, unit, labels = family_name(metric), unit_of(metric), label_names(metric)
    if metric.kind == "histogram":
        histogram = _HISTOGRAM(name, metric.help, labels=labels, unit=unit)
        bounds = [*map(floatToGoString, metric.boundaries), "+Inf"]
        for point in points:
            if isinstance(point.value, Counts):
                histogram.add_metric(_values(point), _buckets(bounds, point.value), point.value.sum)
        return histogram
    family = _SIMPLE[metric.kind](name, metric.help, labels=labels, unit=unit)
    for point in points:
        if not isinstance(point.value, Counts):
            family.add_metric(_values(point), point.value)
    return family


def _buckets(bounds: Sequence[str], counts: Counts) -> list[tuple[str, float] | tuple[str, float, samples.Exemplar]]:
    """Return buckets as Prometheus counts them: each with all that are smaller."""
    exemplars = counts.exemplars
    return [
        (bound, total, _exemplar(exemplars[place])) if place in exemplars else (bound, total)
        for place, (bound, total) in enumerate(zip(bounds, accumulate(counts.buckets), strict=True))
    ]


def _exemplar(exemplar: Exemplar) -> samples.Exemplar:
    span = {"trace_id": exemplar.trace_id, "span_id": exemplar.span_id}
    return samples.Exemplar(span, exemplar.value, exemplar.time_ns / 1e9)


def _values(point: Point) -> list[str]:
    """Return the values of the labels; half a surrogate pair, which is no text in UTF-8, as a question mark."""
    return [value if value.isascii() else value.encode("utf-8", "replace").decode() for value in point.labels]
