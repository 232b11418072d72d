"""What Grafana needs of a dashboard to show it, and a viewer to understand it."""

import re
from itertools import combinations
from pathlib import Path
from typing import Any

import pytest

from tests.dashboards.reading import DASHBOARDS, dashboard, datasources, panels, queries

EACH = pytest.mark.parametrize("path", DASHBOARDS, ids=lambda path: path.stem)
UIDS = {
    "grafana-pipeline": "fapilog-pipeline",
    "grafana-requests": "fapilog-requests",
    "grafana-trace": "fapilog-request",
}
KINDS = {"prometheus", "loki", "tempo"}
NO_UNIT = {"logs", "table", "traces", "heatmap"}


def area(panel: dict[str, Any]) -> set[tuple[int, int]]:
    place = panel["gridPos"]
    columns = range(place["x"], place["x"] + place["w"])
    return {(x, y) for x in columns for y in range(place["y"], place["y"] + place["h"])}


@EACH
def test_it_is_a_dashboard(path: Path) -> None:
    """Title, description, schema of Grafana 11 or later, and a uid that stays what it is: others link to it."""
    content = dashboard(path)

    assert content["uid"] == UIDS[path.stem]
    assert content["schemaVersion"] >= 39
    assert content["title"]
    assert content["description"].endswith((".", "?"))
    assert "id" not in content
    assert "fapilog" in content["tags"]


@EACH
def test_no_panel_lies_on_another(path: Path) -> None:
    """Each has its place within the 24 columns."""
    placed = dashboard(path)["panels"]

    for panel in placed:
        assert panel["gridPos"]["x"] + panel["gridPos"]["w"] <= 24
    for one, other in combinations(placed, 2):
        assert not area(one) & area(other), (one["title"], other["title"])


@EACH
def test_every_panel_says_what_it_shows(path: Path) -> None:
    """Its own id, a title, a sentence, a unit where there are figures, a name for each line."""
    ids = [panel["id"] for panel in dashboard(path)["panels"]]
    assert len(ids) == len(set(ids))

    for panel in panels(path):
        assert panel["title"]
        assert panel["description"].endswith((".", "?"))
        assert panel["targets"]
        assert len({target["refId"] for target in panel["targets"]}) == len(panel["targets"])
        if panel["type"] not in NO_UNIT:
            assert panel["fieldConfig"]["defaults"]["unit"]
            assert all(target["legendFormat"] for target in panel["targets"])


@EACH
def test_data_sources_are_chosen_by_variables(path: Path) -> None:
    """It can be imported beside any data sources: none is named by its uid."""
    variables = {one["name"]: one for one in dashboard(path)["templating"]["list"]}

    users = [*panels(path), *(target for panel in panels(path) for target in panel["targets"])]
    users += [one for one in variables.values() if one["type"] == "query"]
    for user in users:
        kind = user["datasource"]["type"]
        assert kind in KINDS
        assert user["datasource"]["uid"] == f"${{{kind}}}"
        assert variables[kind]["type"] == "datasource"
        assert variables[kind]["query"] == kind


@pytest.mark.parametrize("query", queries(), ids=lambda query: query.where)
def test_every_variable_of_a_query_exists(query: Any) -> None:
    """What is asked for with `$…` is a variable of that dashboard, or one of Grafana's own."""
    own = {"__rate_interval", "__range", "__tags", "__trace.traceId"}
    for path in DASHBOARDS:
        if query.where.startswith(f"{path.stem}:"):
            own |= {one["name"] for one in dashboard(path)["templating"]["list"]}

    assert set(re.findall(r"\$\{?([\w.]+)", query.text)) <= own


def test_exemplars_are_shown_where_requests_are() -> None:
    """From the point of a slow request to its trace: panels ask for exemplars, the data source has the link."""
    shown = {
        panel["title"]
        for path in DASHBOARDS
        for panel in panels(path)
        for target in panel["targets"]
        if target.get("exemplar") and "http_server_request_duration_seconds_bucket" in target["expr"]
    }
    sources = datasources()

    assert shown == {"Duration: p99", "Duration: all of them"}
    [link] = sources["prometheus"]["jsonData"]["exemplarTraceIdDestinations"]
    assert link == {"name": "trace_id", "datasourceUid": sources["tempo"]["uid"]}


def test_the_data_sources_know_one_another() -> None:
    """Each link leads to a data source of the same file."""
    sources = datasources()
    uids = {one["uid"] for one in sources.values()}
    tempo = sources["tempo"]["jsonData"]

    assert set(sources) == KINDS
    assert {field["datasourceUid"] for field in sources["loki"]["jsonData"]["derivedFields"]} <= uids
    assert {tempo["tracesToLogsV2"]["datasourceUid"], tempo["tracesToMetrics"]["datasourceUid"]} <= uids
