"""What was measured: points of a metric, and the histogram that they are counted in."""

from bisect import bisect_left
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from fapilog.metrics.catalogue import Metric


class Exemplar(NamedTuple):
    """One measurement, and the sampled span it was made in.

    Attributes:
        value: What was measured.
        trace_id, span_id: In hexadecimal.
        time_ns: When, wall clock.
    """

    value: float
    trace_id: str
    span_id: str
    time_ns: int


class Counts(NamedTuple):
    """What a histogram has counted.

    Attributes:
        buckets: For each boundary, and one more for what is above the last, how many were in that bucket alone.
        sum: Of all measurements.
        exemplars: By bucket, the latest one of each.
    """

    buckets: tuple[int, ...]
    sum: float
    exemplars: Mapping[int, Exemplar]


class Point(NamedTuple):
    """The value of a metric for one combination of labels, in the order of ``Metric.labels``."""

    labels: tuple[str, ...]
    value: float | Counts


Family = tuple[Metric, Sequence[Point]]
"""A metric with its points."""


class Histogram:
    """Counts measurements by size. A measurement is one bisection; written by one thread, read by any.

    Args:
        boundaries: The upper bounds of the buckets, inclusive, ascending.
    """

    __slots__ = ("_boundaries", "_buckets", "_exemplars", "_sum")

    def __init__(self, boundaries: Sequence[float]) -> None:
        """Start at zero."""
        self._boundaries = boundaries
        self._buckets = [0] * (len(boundaries) + 1)
        self._sum = 0.0
        self._exemplars: dict[int, Exemplar] = {}

    def record(self, value: float, exemplar: Exemplar | None = None) -> None:
        """Count one measurement."""
        bucket = bisect_left(self._boundaries, value)
        self._buckets[bucket] += 1
        self._sum += value
        if exemplar is not None:
            self._exemplars[bucket] = exemplar

    def counts(self) -> Counts:
        """Return what was counted so far, a copy."""
        return Counts(tuple(self._buckets), self._sum, dict(self._exemplars))
