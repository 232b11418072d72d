"""The duration of HTTP requests, as Prometheus reads it; OpenTelemetry has a histogram of its own."""

import threading

from fapilog.metrics.catalogue import HTTP_DURATION, HTTP_LABELS
from fapilog.metrics.points import Exemplar, Family, Histogram, Point

MAX_COMBINATIONS = 2_000
_OTHERS = ("_OTHER",) * len(HTTP_LABELS)


class HttpDurations:
    """Counts requests by their duration, for each combination of labels. Thread-safe; one for a process.

    Args:
        limit: How many combinations are told apart; what comes after them counts under ``_OTHER`` in every label, so
            that a client cannot fill the memory. Default 2 000.
    """

    def __init__(self, limit: int = MAX_COMBINATIONS) -> None:
        """Start with nothing recorded."""
        self._limit = limit
        self.reset()

    def record(self, labels: tuple[str, ...], seconds: float, exemplar: Exemplar | None = None) -> None:
        """Count one request.

        Args:
            labels: In the order of ``HTTP_LABELS``; what a request does not have, such as the route of a 404, is empty.
            seconds: How long it took.
            exemplar: The sampled span that it was, if there was one.
        """
        with self._lock:
            histogram = self._histograms.get(labels)
            if histogram is None:
                histogram = self._started(labels)
            histogram.record(seconds, exemplar)

    def _started(self, labels: tuple[str, ...]) -> Histogram:
        if len(self._histograms) >= self._limit:
            labels = _OTHERS
        return self._histograms.setdefault(labels, Histogram(HTTP_DURATION.boundaries))

    def family(self) -> Family:
        """Return the metric with what was recorded so far."""
        points = []
        for labels, histogram in list(self._histograms.items()):
            # Not one lock around all of them: a request would wait for two thousand copies.
            with self._lock:
                points.append(Point(labels, histogram.counts()))
        return HTTP_DURATION, points

    def reset(self) -> None:
        """Forget everything, with a new lock; for a forked child, whose figures are its own."""
        self._lock = threading.Lock()
        self._histograms: dict[tuple[str, ...], Histogram] = {}
