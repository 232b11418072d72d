"""Queries for Loki and Tempo ask for what our Loki sink, our events and our spans really have."""

import re

import orjson
import pytest

from fapilog import LoggerBuilder, context_scope
from fapilog.sinks.loki.labels import level_of
from fapilog.sinks.loki.options import LokiOptions
from fapilog.testing.loki import StrictLoki
from tests.dashboards.others import LogQuery, span_fields
from tests.dashboards.promql import filled_in
from tests.dashboards.reading import Query, datasources, name, queries

TRACE = "0af7651916cd43dd8448eb211c80319c"
LINKED = "4bf92f3577b34da6a3ce929d0e0e4736"
EVENT_KEYS = {
    "message", "request_id", "trace_id", "linked_trace_id", "http_method", "http_route", "path", "status_code",
    "duration_ms",
}  # fmt: skip
"""Of docs/event.md, docs/asgi.md and docs/otel.md."""
SPAN_FIELDS = {
    "kind", "status", "duration", "link:traceID", "resource.service.name", "span.http.route", "span.fapilog.request_id",
}  # fmt: skip
"""TraceQL's own, and attributes that a server span has."""
LOKI_VARIABLES = {"${__tags}": 'service="shop"', "${__trace.traceId}": TRACE}


@pytest.mark.parametrize("query", [one for one in queries("loki") if not one.label], ids=name)
def test_a_log_query_asks_for_what_the_sink_writes(query: Query) -> None:
    """Labels of streams are labels of the Loki sink, levels as it writes them, keys those of our events."""
    read = LogQuery(filled_in(query.text, variables=LOKI_VARIABLES))
    written = {level_of(level) for level in ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL")}

    assert {label for label, _, _ in read.labels} <= set(LokiOptions.label_fields)
    assert {key for key, _, _ in read.keys} <= EVENT_KEYS
    for label, _, value in read.labels:
        assert label != "level" or set(value.split("|")) <= written


@pytest.mark.parametrize("query", [one for one in queries("loki") if one.label], ids=name)
def test_a_list_of_label_values_is_one_of_the_sinks_labels(query: Query) -> None:
    """The variable is filled from a label that the sink sets by default."""
    assert query.label in LokiOptions.label_fields


@pytest.mark.parametrize("query", queries("tempo"), ids=name)
def test_a_trace_query_asks_for_what_spans_have(query: Query) -> None:
    """Each field is TraceQL's own or an attribute of our server spans; a trace id alone is one, too."""
    if query.text == "$trace_id":
        return

    assert {field for field, _, _ in span_fields(filled_in(query.text))} <= SPAN_FIELDS


@pytest.mark.parametrize(
    "text",
    [
        '{service=~".*"} |= "x"',
        '{service="shop"} | request_id="r-1"',
        '{service="shop"} | jsn',
        '{service="shop" |= "x"',
        'service="shop"',
        '{service="shop"} |= x',
        '{service="shop"} | json | path==',
        '{service="shop"} # x',
    ],
)
def test_the_reader_refuses_a_wrong_log_query(text: str) -> None:
    """What Loki would refuse, and what this reader does not know."""
    with pytest.raises(ValueError, match=r"."):
        LogQuery(text)


@pytest.mark.parametrize("text", ["span.a = 1", "{ span.a }", '{ span.a = "x" || span.b = "y" }', '{ "x" = span.a }'])
def test_the_reader_refuses_a_wrong_trace_query(text: str) -> None:
    """The same for TraceQL."""
    with pytest.raises(ValueError, match=r"."):
        span_fields(text)


def test_a_line_of_ours_has_the_links_to_its_traces() -> None:
    """The derived fields find the trace id, and the causing one, in a line as the sink pushes it, and only there."""
    with StrictLoki() as loki:
        logger = LoggerBuilder().with_service("shop").add_loki(loki.url).build()
        with context_scope(trace_id=TRACE):
            logger.info("Work begun", linked_trace_id=LINKED)
        logger.info("Nothing to see")
        logger.drain()
        lines = [entry.line for entry in loki.entries(service="shop")]
    found = {
        field["name"]: [re.findall(field["matcherRegex"], line) for line in lines]
        for field in datasources()["loki"]["jsonData"]["derivedFields"]
    }

    assert orjson.loads(lines[0])["message"] == "Work begun"
    assert found == {"trace_id": [[TRACE], []], "linked_trace_id": [[LINKED], []]}


def test_a_dollar_of_a_provisioning_file_is_doubled() -> None:
    """Grafana would take a single one for a variable of its environment."""
    sources = datasources()
    texts = [field["url"] for field in sources["loki"]["jsonData"]["derivedFields"]]
    tempo = sources["tempo"]["jsonData"]
    texts += [tempo["tracesToLogsV2"]["query"], *(one["query"] for one in tempo["tracesToMetrics"]["queries"])]

    for text in texts:
        assert "$" in text
        assert re.search(r"(?<!\$)\$(?!\$)", text) is None
