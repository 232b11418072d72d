"""Figures as Prometheus reads them: what its own parsers and its own linter find in the text."""

import subprocess
from collections.abc import Callable, Iterator
from typing import Any

import prometheus_client
import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_openmetrics
from prometheus_client.parser import text_string_to_metric_families as parse_classic

from fapilog.errors import ConfigError
from fapilog.metrics.catalogue import CATALOGUE, ENGINE_METRICS, HTTP_DURATION, Metric
from fapilog.metrics.naming import label_names, series_names
from fapilog.metrics.points import Counts, Exemplar, Family, Histogram, Point
from fapilog.metrics.prometheus import Collector, register, render

OPENMETRICS = "application/openmetrics-text;version=1.0.0;q=0.5,text/plain;version=0.0.4;q=0.3"
PARSERS: dict[str, Callable[[str], Any]] = {"": parse_classic, OPENMETRICS: parse_openmetrics}

texts = st.one_of(
    st.sampled_from(
        ["root", "", "a b", 'quo"te', "back\\slash", "line\nfeed", "ü€😀", "\r", "\x00", "half \ud800 of it"]
    ),
    st.text(),
)
numbers = st.one_of(st.integers(0, 2**53), st.floats(0, allow_nan=False))
hexadecimals = st.text("0123456789abcdef", min_size=16, max_size=32)


@st.composite
def counted(draw: st.DrawFn, metric: Metric) -> Counts:
    histogram = Histogram(metric.boundaries)
    for value in draw(st.lists(st.floats(0, 10_000), max_size=8)):
        exemplar = Exemplar(value, draw(hexadecimals), draw(hexadecimals), draw(st.integers(0, 2**62)))
        histogram.record(value, exemplar if draw(st.booleans()) else None)
    return histogram.counts()


@st.composite
def families(draw: st.DrawFn) -> list[Family]:
    found: list[Family] = []
    for metric in draw(st.lists(st.sampled_from(CATALOGUE), unique=True)):
        labels = draw(st.lists(st.tuples(*[texts] * len(metric.labels)), unique_by=readable, max_size=4))
        values = counted(metric) if metric.kind == "histogram" else numbers
        found.append((metric, [Point(those, draw(values)) for those in labels]))
    return found


def readable(labels: tuple[str, ...]) -> tuple[str, ...]:
    """Return labels as UTF-8 has them."""
    return tuple(label.encode("utf-8", "replace").decode() for label in labels)


def parsed(text: bytes, accept: str) -> dict[tuple[str, frozenset[tuple[str, str]]], float]:
    samples = [sample for family in PARSERS[accept](text.decode()) for sample in family.samples]
    found = {(sample.name, frozenset(sample.labels.items())): sample.value for sample in samples}
    assert len(found) == len(samples)
    return found


def expected(given: list[Family]) -> dict[tuple[str, frozenset[tuple[str, str]]], float]:
    """Return the samples that the families mean."""
    samples = {}
    for metric, points in given:
        names = series_names(metric)
        for point in points:
            labels = frozenset(zip(label_names(metric), readable(point.labels), strict=True))
            if not isinstance(point.value, Counts):
                samples[names[0], labels] = float(point.value)
                continue
            for place, bound in enumerate([*map(str, metric.boundaries), "+Inf"]):
                samples[names[0], labels | {("le", bound)}] = sum(point.value.buckets[: place + 1])
            samples[names[1], labels] = sum(point.value.buckets)
            samples[names[2], labels] = point.value.sum
    return samples


@given(families(), st.sampled_from(list(PARSERS)))
def test_the_parser_reads_back_what_was_written(given: list[Family], accept: str) -> None:
    """Whatever a label holds, each figure arrives under its own name and labels, and nothing beside it."""
    text, _ = render(given, accept)

    assert parsed(text, accept) == expected(given)


@given(families())
def test_openmetrics_has_the_spans(given: list[Family]) -> None:
    """From a bucket to the trace of a request that fell into it."""
    text, _ = render(given, OPENMETRICS)
    found = {
        (sample.exemplar.labels["trace_id"], sample.exemplar.labels["span_id"], sample.exemplar.value)
        for family in parse_openmetrics(text.decode())
        for sample in family.samples
        if sample.exemplar is not None
    }

    exemplars = [
        exemplar
        for _, points in given
        for point in points
        if isinstance(point.value, Counts)
        for exemplar in point.value.exemplars.values()
    ]
    assert found == {(exemplar.trace_id, exemplar.span_id, exemplar.value) for exemplar in exemplars}


@pytest.mark.parametrize(
    ("accept", "content_type"),
    [
        ("", "text/plain; version=0.0.4; charset=utf-8"),
        ("*/*", "text/plain; version=0.0.4; charset=utf-8"),
        ("text/html,application/xhtml+xml,*/*;q=0.8", "text/plain; version=0.0.4; charset=utf-8"),
        (OPENMETRICS, "application/openmetrics-text; version=1.0.0; charset=utf-8; escaping=underscores"),
        ("application/openmetrics-text", "application/openmetrics-text; version=1.0.0; charset=utf-8"),
        ("application/openmetrics-text;version=x", "text/plain; version=0.0.4; charset=utf-8"),
        ("application/openmetrics-text;version=2.1\r\nx-evil: 1", "text/plain; version=0.0.4; charset=utf-8"),
    ],
)
def test_the_format_is_the_one_that_was_asked_for(accept: str, content_type: str) -> None:
    """Classic text for people and old scrapers, OpenMetrics for who asks; what cannot be understood changes nothing."""
    text, told = render([], accept)

    assert told == content_type
    assert (text == b"# EOF\n") == told.startswith("application/")


@given(st.text())
def test_whatever_is_accepted_there_is_an_answer(accept: str) -> None:
    """No header of a client raises or gets into ours."""
    _, content_type = render([], f"application/openmetrics-text;version={accept}")

    assert content_type.isprintable()


@pytest.mark.requires_service("prometheus", command="promtool")
def test_prometheus_own_linter_has_nothing_to_say() -> None:
    """Names, units and help are as Prometheus's own tool wants them."""
    text, _ = render([example(metric) for metric in CATALOGUE])

    checked = subprocess.run(["promtool", "check", "metrics"], input=text, capture_output=True, timeout=60, check=False)

    assert (checked.returncode, checked.stdout, checked.stderr) == (0, b"", b"")


def example(metric: Metric, name: str = "x") -> Family:
    histogram = Histogram(metric.boundaries)
    histogram.record(0.1)
    return metric, [Point((name,) * len(metric.labels), histogram.counts() if metric.kind == "histogram" else 1)]


@pytest.fixture
def registry(monkeypatch: pytest.MonkeyPatch) -> Iterator[prometheus_client.CollectorRegistry]:
    """Give each test a default registry of its own."""
    own = prometheus_client.CollectorRegistry(auto_describe=True)
    monkeypatch.setattr(prometheus_client, "REGISTRY", own)
    return own


def test_a_scrape_reads_the_figures_of_now(registry: prometheus_client.CollectorRegistry) -> None:
    """Nothing is counted twice or kept: the source is asked at each scrape, and only then."""
    asked: list[str] = []

    def engines() -> list[Family]:
        asked.append("engines")
        return [(ENGINE_METRICS[0], [Point(("root", "INFO", "delivered"), len(asked))])]

    register(engines, list)
    assert asked == []

    labels = {"engine": "root", "level": "INFO", "outcome": "delivered"}
    assert registry.get_sample_value("fapilog_events_total", labels) == 1
    assert registry.get_sample_value("fapilog_events_total", labels) == 2


def test_two_of_them_are_refused_with_the_reason(registry: prometheus_client.CollectorRegistry) -> None:
    """A second one would tell every figure twice, and Prometheus would refuse the scrape."""
    register(list, list)

    with pytest.raises(ConfigError, match=r"with_metrics\(prometheus\).*fapilog_events_total"):
        register(list, list)


def test_a_metric_of_the_application_goes_before_ours(registry: prometheus_client.CollectorRegistry) -> None:
    """Whoever records the duration of requests already is left alone; the figures of the engines are there."""
    theirs = prometheus_client.Histogram("http_server_request_duration_seconds", "Theirs.", registry=registry)
    theirs.observe(1.0)

    register(lambda: [example(ENGINE_METRICS[0])], lambda: [example(HTTP_DURATION)])
    text = prometheus_client.generate_latest(registry).decode()

    assert text.count("# TYPE http_server_request_duration_seconds ") == 1
    assert "# HELP http_server_request_duration_seconds Theirs." in text
    assert "fapilog_events_total{" in text


def test_a_collector_tells_beforehand_which_names_are_its_own() -> None:
    """So that a registry finds a clash when something is registered and not when it is scraped."""
    described = Collector(CATALOGUE, list).describe()

    assert [(family.type, family.samples) for family in described] == [(metric.kind, []) for metric in CATALOGUE]
