"""The files of docs/dashboards as a reader finds them in the tree, and every query in them."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import yaml

FOLDER = Path(__file__).parents[2] / "docs" / "dashboards"
DASHBOARDS = tuple(sorted(FOLDER.glob("grafana-*.json")))
RULES = FOLDER / "prometheus-rules.yaml"
DATASOURCES = FOLDER / "grafana-datasources.yaml"
_VALUES = re.compile(r"label_values\((?P<selector>.+), (?P<label>\w+)\)|label_values\((?P<alone>\w+)\)")


class Query(NamedTuple):
    """One query.

    Attributes:
        language: ``prometheus``, ``loki`` or ``tempo``: the kind of data source that understands it.
        where: The file and what shows it.
        text: As it stands there, variables and all.
        label: Whose values are asked for, of a query that only fills a list; else empty.
    """

    language: str
    where: str
    text: str
    label: str = ""


def dashboard(path: Path) -> dict[str, Any]:
    """Return a dashboard."""
    return json.loads(path.read_text("utf-8"))


def panels(path: Path) -> list[dict[str, Any]]:
    """Return a dashboard's panels but for the headers of the rows."""
    return [panel for panel in dashboard(path)["panels"] if panel["type"] != "row"]


def rules() -> list[dict[str, Any]]:
    """Return all recording rules and alerts."""
    return [rule for group in yaml.safe_load(RULES.read_text("utf-8"))["groups"] for rule in group["rules"]]


def datasources() -> dict[str, dict[str, Any]]:
    """Return the provisioned data sources by their type."""
    return {one["type"]: one for one in yaml.safe_load(DATASOURCES.read_text("utf-8"))["datasources"]}


def queries(language: str = "") -> list[Query]:
    """Return every query of every file, or those in one language."""
    found = [*_of_panels(), *_of_variables(), *_of_rules(), *_of_links()]
    return [query for query in found if language in ("", query.language)]


def name(query: Query) -> str:
    """Return what a test with this query is called."""
    return query.where


def _of_panels() -> Iterator[Query]:
    for path in DASHBOARDS:
        for panel in panels(path):
            for target in panel["targets"]:
                text = target["query"] if target["datasource"]["type"] == "tempo" else target["expr"]
                where = f"{path.stem}: {panel['title']} {target['refId']}"
                yield Query(target["datasource"]["type"], where, text)


def _of_variables() -> Iterator[Query]:
    for path in DASHBOARDS:
        for variable in dashboard(path)["templating"]["list"]:
            if variable["type"] != "query":
                continue
            found = _VALUES.fullmatch(variable["definition"])
            assert found is not None, variable["definition"]
            text, label = found["selector"] or "", found["label"] or found["alone"]
            yield Query(variable["datasource"]["type"], f"{path.stem}: ${variable['name']}", text, label)


def _of_rules() -> Iterator[Query]:
    for rule in rules():
        yield Query("prometheus", f"{RULES.stem}: {rule.get('alert', rule.get('record'))}", rule["expr"])


def _of_links() -> Iterator[Query]:
    tempo = datasources()["tempo"]["jsonData"]
    yield Query("loki", f"{DATASOURCES.stem}: logs of a span", tempo["tracesToLogsV2"]["query"].replace("$$", "$"))
    for query in tempo["tracesToMetrics"]["queries"]:
        text = query["query"].replace("$$", "$")
        yield Query("prometheus", f"{DATASOURCES.stem}: {query['name']} of a span", text)
