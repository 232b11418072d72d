"""A dashboard around panels: their places, its variables, and the links to the other dashboards."""

from collections.abc import Iterable, Sequence
from typing import Any

from docs.dashboards.panels import WIDTH, Panel, datasource

SCHEMA_VERSION = 39
"""Of Grafana 11.0; later ones read it and bring it up to date."""
TAG = "fapilog"
PREFIX = "fapilog-"
"""What the uid of each dashboard starts with; those that a link leads to keep theirs for good."""
Row = tuple[str, Sequence[Panel]]
"""A title and the panels below it."""


def dashboard(name: str, title: str, text: str, variables: Sequence[dict[str, Any]], rows: Iterable[Row]) -> Any:
    """Return a dashboard.

    Args:
        name: The end of its uid.
        title: Its title.
        text: What it answers.
        variables: What the viewer chooses.
        rows: Its panels, from the top.
    """
    return {
        "annotations": {"list": []},
        "description": text,
        "editable": True,
        "graphTooltip": 1,
        "links": [
            {
                "asDropdown": False,
                "icon": "external link",
                "includeVars": True,
                "keepTime": True,
                "tags": [TAG],
                "targetBlank": False,
                "title": "fapilog",
                "type": "dashboards",
            }
        ],
        "panels": _placed(rows),
        "refresh": "30s",
        "schemaVersion": SCHEMA_VERSION,
        "tags": [TAG],
        "templating": {"list": list(variables)},
        "time": {"from": "now-1h", "to": "now"},
        "timepicker": {},
        "timezone": "browser",
        "title": title,
        "uid": f"{PREFIX}{name}",
        "version": 1,
        "weekStart": "",
    }


def _placed(rows: Iterable[Row]) -> list[Panel]:
    """Give every panel its id and its place: from left to right, then below the highest of the line."""
    placed: list[Panel] = []
    top = 0
    for title, panels in rows:
        header = {"type": "row", "title": title, "collapsed": False, "panels": []}
        placed.append({**header, "id": len(placed) + 1, "gridPos": {"x": 0, "y": top, "w": WIDTH, "h": 1}})
        top += 1
        left = height = 0
        for panel in panels:
            size = panel["gridPos"]
            if left + size["w"] > WIDTH:
                left, top, height = 0, top + height, 0
            placed.append({**panel, "id": len(placed) + 1, "gridPos": {"x": left, "y": top, **size}})
            left, height = left + size["w"], max(height, size["h"])
        top += height
    return placed


def source(kind: str, title: str) -> dict[str, Any]:
    """Return the variable that chooses a data source of this kind."""
    return {"name": kind, "type": "datasource", "query": kind, "label": title, "hide": 0, "refresh": 1, "regex": ""}


def choice(name: str, title: str, expression: str, every: str = ".+") -> dict[str, Any]:
    """Return the variable that chooses among the values of a label in Prometheus, at first all of them.

    Args:
        name: Its name.
        title: What the viewer reads.
        expression: What asks for the values.
        every: What all of them match. Loki refuses a selector that everything matches, ``.*``; series that do not have
            the label match only that.
    """
    asked = {"query": expression, "qryType": 1, "refId": name}
    return _chosen(name, title, "prometheus", expression, every, asked)


def stream(name: str, title: str) -> dict[str, Any]:
    """Return the variable that chooses among the values of the label of this name in Loki, at first all of them."""
    asked = {"label": name, "refId": name, "stream": "", "type": 1}
    return _chosen(name, title, "loki", f"label_values({name})", ".+", asked)


def _chosen(name: str, title: str, kind: str, shown: str, every: str, asked: dict[str, Any]) -> dict[str, Any]:
    return {
        "name": name,
        "type": "query",
        "label": title,
        "datasource": datasource(kind),
        "definition": shown,
        "query": asked,
        "allValue": every,
        "includeAll": True,
        "multi": True,
        "current": {"selected": True, "text": ["All"], "value": ["$__all"]},
        "hide": 0,
        "refresh": 2,
        "sort": 1,
    }


def text_box(name: str, title: str, value: str = "") -> dict[str, Any]:
    """Return the variable that the viewer types."""
    current = {"selected": False, "text": value, "value": value}
    return {"name": name, "type": "textbox", "label": title, "query": value, "current": current, "hide": 0}
