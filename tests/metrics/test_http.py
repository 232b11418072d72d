"""The durations of requests: counted by labels, bounded, from any thread."""

import os
import threading
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fapilog.metrics.catalogue import HTTP_DURATION, HTTP_LABELS
from fapilog.metrics.http import HttpDurations
from fapilog.metrics.points import Counts, Exemplar

OK = ("GET", "http", "/orders", "200", "", "1.1")
MISSING = ("GET", "http", "", "404", "404", "1.1")
OTHERS = ("_OTHER",) * len(HTTP_LABELS)


def counts(durations: HttpDurations) -> dict[tuple[str, ...], Counts]:
    metric, points = durations.family()
    assert metric is HTTP_DURATION
    found = {point.labels: point.value for point in points}
    assert len(found) == len(points)
    return {labels: value for labels, value in found.items() if isinstance(value, Counts)}


def test_each_combination_of_labels_is_counted_on_its_own() -> None:
    """A route that is slow is told apart from one that is not there."""
    durations = HttpDurations()
    durations.record(OK, 0.004)
    durations.record(OK, 0.3)
    durations.record(MISSING, 20.0)

    found = counts(durations)

    assert sum(found[OK].buckets) == 2
    assert (found[OK].buckets[0], found[OK].sum) == (1, 0.304)
    assert (found[MISSING].buckets[-1], found[MISSING].sum) == (1, 20.0)


def test_a_bound_belongs_to_the_bucket_below_it() -> None:
    """Prometheus's ``le`` is less or equal."""
    durations = HttpDurations()
    durations.record(OK, 0.005)

    assert counts(durations)[OK].buckets[0] == 1


def test_the_span_of_a_measurement_is_kept_with_its_bucket() -> None:
    """From a slow bucket to the trace that was slow; the latest one of each bucket."""
    durations = HttpDurations()
    first, second = (Exemplar(0.3, trace * 32, "b" * 16, 1) for trace in "ac")
    durations.record(OK, 0.3, first)
    durations.record(OK, 0.31, second)
    durations.record(OK, 0.32)

    exemplars = counts(durations)[OK].exemplars

    assert list(exemplars.values()) == [second]


@given(st.lists(st.integers(0, 30), max_size=100), st.integers(1, 10))
def test_what_is_beyond_the_bound_counts_under_other(routes: list[int], limit: int) -> None:
    """P49: a client that asks for ever new paths fills no memory, and no request goes uncounted."""
    durations = HttpDurations(limit)
    for route in routes:
        durations.record(("GET", "http", str(route), "200", "", "1.1"), 0.1)

    found = counts(durations)
    told_apart = set(found) - {OTHERS}
    first = list(dict.fromkeys(map(str, routes)))[:limit]

    assert {labels[2] for labels in told_apart} == set(first)
    assert sum(sum(value.buckets) for value in found.values()) == len(routes)


class Counting:
    """Stands for a histogram; lets other threads run in the middle of a measurement."""

    def __init__(self, boundaries: Sequence[float]) -> None:
        del boundaries
        self.count = 0

    def record(self, value: float, exemplar: Exemplar | None) -> None:
        del value, exemplar
        before = self.count
        os.sched_yield()
        self.count = before + 1

    def counts(self) -> Counts:
        return Counts((self.count,), 0.0, {})


@pytest.mark.skipif(not hasattr(os, "sched_yield"), reason="needs sched_yield")
def test_threads_count_every_request_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Several event loops may serve one process."""
    monkeypatch.setattr("fapilog.metrics.http.Histogram", Counting)
    durations = HttpDurations(3)
    threads, each = 4, 2_000
    together = threading.Barrier(threads)

    def serve(thread: int) -> None:
        together.wait()
        for number in range(each):
            durations.record(("GET", "http", str((thread + number) % 5), "200", "", "1.1"), 0.1)

    running = [threading.Thread(target=serve, args=(thread,)) for thread in range(threads)]
    for thread in running:
        thread.start()
    for thread in running:
        thread.join()

    assert sum(sum(value.buckets) for value in counts(durations).values()) == threads * each


def test_a_forked_child_starts_at_zero_although_a_request_was_being_counted() -> None:
    """Its figures are its own, and a lock that another thread of the parent held does not stop it."""
    durations = HttpDurations()
    durations.record(OK, 0.1)
    durations._lock.acquire()
    durations.reset()
    durations.record(MISSING, 0.1)

    assert list(counts(durations)) == [MISSING]
