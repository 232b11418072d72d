"""The figures of a process: which engines they are of, and under which names."""

import gc
from types import SimpleNamespace
from typing import Any
from weakref import WeakKeyDictionary

from hypothesis import given
from hypothesis import strategies as st

from fapilog.metrics.catalogue import ENGINE_METRICS, HTTP_DURATION, QUEUE_DEPTH
from fapilog.metrics.points import Family, Point
from fapilog.metrics.process import ProcessMetrics

ASKED = SimpleNamespace(metrics=object())
SILENT = SimpleNamespace(metrics=None)


class Engine:
    """Tells every metric, with one point of its own."""

    def __init__(self, name: str) -> None:
        self.name = name

    def metrics(self) -> list[Family]:
        return [(metric, [Point((self.name,) * len(metric.labels), 1)]) for metric in ENGINE_METRICS]


def named(families: list[Family]) -> list[str]:
    return [point.labels[0] for metric, points in families if metric is QUEUE_DEPTH for point in points]


def process_of(*engines: tuple[str, Any]) -> tuple[ProcessMetrics, set[Any]]:
    members: set[Any] = set()
    by_engine: WeakKeyDictionary[Engine, Any] = WeakKeyDictionary()
    process = ProcessMetrics(members, by_engine)
    for wanted, options in engines:
        engine = Engine(process.free_name(wanted))
        members.add(engine)
        by_engine[engine] = options
        process.add(engine, engine.name)
    return process, members


@given(st.lists(st.sampled_from(["root", "root-2", "app", "root-2-2"]), max_size=8))
def test_no_two_engines_have_one_name(wanted: list[str]) -> None:
    """P49: their series would be one and the same to Prometheus."""
    process, _ = process_of(*((name, ASKED) for name in wanted))

    names = named(process.families())

    assert len(set(names)) == len(names) == len(wanted)
    assert [name.startswith(first) for name, first in zip(names, wanted, strict=True)] == [True] * len(wanted)


def test_each_metric_is_there_once_with_the_points_of_all_engines() -> None:
    """A family that comes twice is refused by whoever reads the text."""
    process, _ = process_of(("root", ASKED), ("root", ASKED), ("app", ASKED))

    families = process.families()

    assert [metric for metric, _ in families] == list(ENGINE_METRICS)
    assert named(families) == ["root", "root-2", "app"]


def test_engines_that_publish_go_before_those_that_do_not() -> None:
    """Without ``with_metrics`` on any of them all are told, for the debug route answers in any case."""
    assert named(process_of(("root", SILENT), ("app", ASKED))[0].families()) == ["app"]
    assert named(process_of(("root", SILENT), ("app", SILENT))[0].families()) == ["root", "app"]


def test_an_engine_that_is_gone_is_told_no_more_and_its_name_is_free() -> None:
    """Metrics keep no engine alive."""
    process, members = process_of(("root", ASKED), ("root", ASKED))
    members.discard(next(engine for engine in members if engine.name == "root"))
    gc.collect()

    assert named(process.families()) == ["root-2"]
    assert process.free_name("root") == "root"


def test_an_engine_that_counts_no_more_is_not_told() -> None:
    """Whoever takes it off the process's engines need not wait until nobody holds it."""
    process, members = process_of(("root", ASKED), ("app", ASKED))
    held = next(engine for engine in members if engine.name == "root")
    members.discard(held)

    assert named(process.families()) == ["app"]


def test_requests_are_told_if_there_were_any() -> None:
    """An application without requests has no such metric; a forked child starts without."""
    process, _ = process_of(("root", ASKED))
    assert HTTP_DURATION not in dict(process.families())

    process.http.record(("GET", "http", "/orders", "200", "", "1.1"), 0.1)
    assert len(dict(process.families())[HTTP_DURATION]) == 1

    process.after_fork()
    assert HTTP_DURATION not in dict(process.families())
