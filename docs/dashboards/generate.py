"""Writes the dashboards, the data sources and the rules into this folder: ``python -m docs.dashboards.generate``.

The same catalogue gives the same bytes; a test holds the files to it.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from docs.dashboards.by_route import by_route
from docs.dashboards.one_request import one_request
from docs.dashboards.pipeline import pipeline
from docs.dashboards.provisioning import datasources
from docs.dashboards.rules import rules

FOLDER = Path(__file__).parent
_NOTE = "# Written by `make docs` from the catalogue of metrics; docs/dashboards.md. What is changed here is lost.\n"


def generated() -> Mapping[str, str]:
    """Return each file's name and content."""
    return {
        "grafana-pipeline.json": _as_json(pipeline()),
        "grafana-requests.json": _as_json(by_route()),
        "grafana-trace.json": _as_json(one_request()),
        "grafana-datasources.yaml": _as_yaml(datasources()),
        "prometheus-rules.yaml": _as_yaml(rules()),
    }


def write(folder: Path) -> None:
    """Write the files into a folder."""
    for name, content in generated().items():
        (folder / name).write_text(content, "utf-8")


def _as_json(content: Any) -> str:
    return json.dumps(content, indent=2, ensure_ascii=False) + "\n"


class _Writer(yaml.SafeDumper):
    """YAML for people: a text of several lines as several lines, nothing by reference."""

    def ignore_aliases(self, data: Any) -> bool:  # noqa: ARG002 - the library's signature
        return True


def _text(writer: _Writer, text: str) -> yaml.Node:
    return writer.represent_scalar("tag:yaml.org,2002:str", text, style="|" if "\n" in text else None)


_Writer.add_representer(str, _text)


def _as_yaml(content: Any) -> str:
    return _NOTE + yaml.dump(content, Dumper=_Writer, sort_keys=False, allow_unicode=True, width=10_000)


if __name__ == "__main__":
    write(FOLDER)
