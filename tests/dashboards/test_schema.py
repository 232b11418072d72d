"""The dashboards are Grafana's: read into the types that Grafana makes of its own schema, they lose nothing."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.cog.plugins import register_default_plugins
from grafana_foundation_sdk.models.dashboard import Dashboard

from tests.dashboards.reading import DASHBOARDS, dashboard, panels

NOT_IN_THE_SCHEMA = {"definition"}
"""What Grafana itself writes beside it: how a variable's query is shown in the list of variables."""


@pytest.fixture(autouse=True, scope="module")
def _know_every_panel() -> None:
    register_default_plugins()


def again(content: dict[str, Any]) -> dict[str, Any]:
    """Return a dashboard as Grafana's types have understood it."""
    return json.loads(json.dumps(Dashboard.from_json(content), cls=JSONEncoder))


def lost(before: Any, after: Any, where: str = "") -> Iterator[str]:
    """Yield what is not there any more."""
    if isinstance(before, dict):
        for key, value in before.items():
            if key in after:
                yield from lost(value, after[key], f"{where}.{key}")
            elif key not in NOT_IN_THE_SCHEMA:
                yield f"{where}.{key}"
    elif isinstance(before, list):
        assert len(before) == len(after)
        for number, (one, other) in enumerate(zip(before, after, strict=True)):
            yield from lost(one, other, f"{where}[{number}]")
    elif before != after:
        yield f"{where}: {before!r} is {after!r}"


@pytest.mark.parametrize("path", DASHBOARDS, ids=lambda path: path.stem)
def test_grafana_knows_every_key(path: Path) -> None:
    """A key that is misspelt, or in the wrong place, would be passed over in silence by Grafana; here it is lost."""
    assert list(lost(dashboard(path), again(dashboard(path)))) == []


@pytest.mark.parametrize("key", ["fieldConfig", "targets", "options"])
def test_a_misspelt_key_is_lost(key: str) -> None:
    """Such a key is noticed in options, in queries and in what a panel has of units."""
    content = dashboard(DASHBOARDS[0])
    [panel, *_] = [one for one in content["panels"] if one["title"] == panels(DASHBOARDS[0])[0]["title"]]
    place = panel[key][0] if key == "targets" else panel[key]
    place["mispelt"] = "x"

    assert len(list(lost(content, again(content)))) == 1
