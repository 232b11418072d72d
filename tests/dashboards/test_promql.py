"""Every PromQL query parses, and names only metrics and labels that are published."""

import pytest

from docs.dashboards.promql import series
from fapilog.metrics.catalogue import CATALOGUE, HTTP_DURATION
from fapilog.metrics.naming import series_names
from tests.dashboards.promql import faults, filled_in, known_series, labels_of, matched_values
from tests.dashboards.reading import Query, datasources, name, queries, rules

PROMETHEUS = queries("prometheus")
RATE = "rate(http_server_request_duration_seconds_bucket[5m])"
VALUES = {
    "outcome": {"delivered", "filtered", "dropped", "failed"},
    "level": {"DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"},
    "state": {"closed", "open", "half-open"},
}


def everything() -> dict[str, frozenset[str]]:
    """Return what is published, and what the recording rules make of it."""
    known = known_series()
    for rule in rules():
        if "record" in rule:
            known[rule["record"]] = labels_of(rule["expr"], known)
    return known


@pytest.mark.parametrize("query", PROMETHEUS, ids=name)
def test_a_query_names_what_exists(query: Query) -> None:
    """It parses; its series, and every label that it matches, groups or joins by, are there."""
    known = everything() if query.where.startswith("prometheus-rules") else known_series()

    assert faults(filled_in(query.text), known) == []
    if query.label:
        assert query.label in labels_of(filled_in(query.text), known)


@pytest.mark.parametrize("query", PROMETHEUS, ids=name)
def test_a_query_names_values_that_exist(query: Query) -> None:
    """No panel asks for an outcome, a level or a state that there never is."""
    for label, value in matched_values(query.text):
        assert label not in VALUES or value in VALUES[label]


def test_every_metric_is_shown() -> None:
    """Each metric of the catalogue is asked for by some panel."""
    text = " ".join(query.text for query in PROMETHEUS if not query.where.startswith("prometheus-rules"))

    assert [metric.name for metric in CATALOGUE if not any(one in text for one in series_names(metric))] == []


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("sum(fapilog_event_total)", "no series fapilog_event_total"),
        ("fapilog_events", "no series fapilog_events"),
        ('fapilog_queue_depth{sink="x"}', "no label sink"),
        ("sum by (route) (fapilog_queue_depth)", "no label route"),
        ("sum by (level) (sum by (outcome) (fapilog_events_total))", "no label level"),
        ("fapilog_queue_depth / on (sink) fapilog_queue_capacity", "no label sink"),
        (f"histogram_quantile(0.99, sum by (job) ({RATE}))", "without le"),
        ("(sum(rate(nothing[5m])) or vector(0)) > 1", "no series nothing"),
    ],
)
def test_the_reader_sees_a_wrong_query(text: str, fault: str) -> None:
    """A query with a misspelt metric or label is found; this reader is no rubber stamp."""
    found = faults(text, known_series())

    assert len(found) == 1
    assert fault in found[0]


def test_the_reader_refuses_what_is_no_promql() -> None:
    """A bracket is missing."""
    with pytest.raises(ValueError, match=r"."):
        faults("sum(rate(fapilog_events_total[5m])", known_series())


def test_the_figures_of_a_span_are_found_by_its_own_labels() -> None:
    """The attributes of a span are mapped to labels that the metric has."""
    tags = datasources()["tempo"]["jsonData"]["tracesToMetrics"]["tags"]
    known = known_series()[series(HTTP_DURATION, part="count")]

    assert {tag["value"] for tag in tags} <= known
    assert {tag["key"] for tag in tags} == {"service.name", "http.request.method", "http.route"}
