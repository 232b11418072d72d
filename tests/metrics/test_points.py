"""Histograms count each measurement once, in the right bucket."""

import bisect

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fapilog.metrics.catalogue import CATALOGUE, EVENTS, SECONDS
from fapilog.metrics.points import Exemplar, Histogram

numbers = st.floats(0, 1e6) | st.sampled_from([*SECONDS, *EVENTS])


@given(st.lists(numbers, max_size=50), st.sampled_from([SECONDS, EVENTS]))
def test_a_measurement_counts_in_the_first_bucket_that_holds_it(
    measured: list[float], bounds: tuple[float, ...]
) -> None:
    """A boundary belongs to the bucket below it, as ``le`` says; above the last one there is one more bucket."""
    histogram = Histogram(bounds)
    for value in measured:
        histogram.record(value)
    counts = histogram.counts()

    assert len(counts.buckets) == len(bounds) + 1
    assert sum(counts.buckets) == len(measured)
    assert counts.sum == pytest.approx(sum(measured))
    for place, bound in enumerate(bounds):
        assert sum(counts.buckets[: place + 1]) == sum(value <= bound for value in measured)


def test_each_bucket_keeps_its_latest_exemplar() -> None:
    """A measurement outside of any sampled span leaves the one that is there."""
    histogram = Histogram(SECONDS)
    first, second = (Exemplar(value, f"{value}", "", 1) for value in (0.003, 0.004))
    for exemplar in (first, second):
        histogram.record(exemplar.value, exemplar)
    histogram.record(0.001)
    histogram.record(9.0)

    assert histogram.counts().exemplars == {bisect.bisect_left(SECONDS, 0.004): second}


def test_what_was_read_does_not_change() -> None:
    """A collector may take its time."""
    histogram = Histogram(SECONDS)
    before = histogram.counts()
    histogram.record(1.0, Exemplar(1.0, "", "", 1))

    assert (sum(before.buckets), before.sum, before.exemplars) == (0, 0.0, {})


def test_the_catalogue_names_each_metric_once_and_bounds_of_histograms_alone() -> None:
    """Ascending, and only where there is something to bound."""
    assert len({metric.name for metric in CATALOGUE}) == len(CATALOGUE)
    for metric in CATALOGUE:
        assert bool(metric.boundaries) == (metric.kind == "histogram")
        assert list(metric.boundaries) == sorted(set(metric.boundaries))
        assert metric.help.endswith(".")
