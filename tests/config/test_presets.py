"""The presets: the table of the design, what each means, and what it says of itself."""

from pathlib import Path

import pytest

import fapilog
from fapilog.config.parts import StdoutOptions
from fapilog.config.presets import PRESETS, TABLE, preset
from fapilog.edge_options import DebugRouteOptions
from fapilog.engine.journal.options import JournalOptions
from fapilog.errors import ConfigError
from fapilog.redaction.options import RedactionOptions

NAMES = ["minimal", "dev", "production", "fastapi", "serverless", "hardened"]


def test_the_list_is_of_names_and_prints_as_a_table() -> None:
    """``print(list_presets())`` tells what each means, ``in`` and ``for`` work on the names."""
    presets = fapilog.list_presets()
    lines = str(presets).splitlines()

    assert list(presets) == NAMES[: len(presets)]
    assert "production" in presets
    assert [line.split()[0] for line in lines[2:]] == NAMES
    assert lines[0].split() == ["preset", "level", "sinks", "full", "queue", "redaction", "notes"]
    assert max(map(len, lines)) <= 160


def test_the_table_stands_in_the_documentation() -> None:
    """Row by row."""
    page = (Path(__file__).parents[2] / "docs" / "configuration.md").read_text("utf-8")
    for row in TABLE:
        assert f"| `{row.preset}` | {' | '.join(row[1:])} |" in page


@pytest.mark.parametrize("name", list(PRESETS))
def test_a_preset_is_what_its_row_says(name: str) -> None:
    """Level, format and what a full queue does."""
    options = PRESETS[name]
    row = next(row for row in TABLE if row.preset == name)
    stdout = next(sink for sink in options.sinks if isinstance(sink, StdoutOptions))

    assert options.preset == name
    assert options.level == row.level
    assert stdout.format == row.sinks.partition(" + ")[0].removeprefix("stdout ").lower()
    assert options.queue.policy == row.full_queue.partition(" ")[0]
    assert options.queue.wait_seconds == 0.05
    rules = {
        "credentials": "CREDENTIALS", "content patterns": "CONTENT_PATTERNS", "PCI": "PCI_DSS", "HIPAA": "HIPAA_PHI",
    }  # fmt: skip
    said = row.redaction.removesuffix(", fail closed").replace(", ", " + ")
    assert list(options.redaction.presets) == [rules[word] for word in said.split(" + ")]
    assert options.redaction.enabled


def test_hardened_loses_nothing_and_fails_closed() -> None:
    """Two sinks and a journal, three sets of rules, and callers that wait."""
    hardened = PRESETS["hardened"]

    assert hardened.redaction == RedactionOptions(("CREDENTIALS", "PCI_DSS", "HIPAA_PHI"), fail="mask_all")
    assert [sink.name for sink in hardened.sinks] == ["stdout", "file"]
    assert hardened.queue.policy == "wait"
    assert hardened.journal == JournalOptions()


def test_minimal_is_the_same_as_no_preset() -> None:
    """Value by value."""
    assert fapilog.LoggerBuilder().options() == fapilog.LoggerBuilder().with_preset("minimal").options()


def test_what_the_notes_say() -> None:
    """Small batches, flush at once, diagnostics, the debug route."""
    assert PRESETS["serverless"].batch.max_events < PRESETS["minimal"].batch.max_events
    assert float(PRESETS["dev"].batch.max_age_seconds) <= 0.001
    assert PRESETS["dev"].diagnostics
    assert PRESETS["fastapi"].debug_route == DebugRouteOptions()
    assert PRESETS["production"].debug_route is None


@pytest.mark.parametrize(("given", "hint"), [("prodution", "production"), ("prod", "production"), ("Dev", "dev")])
def test_an_unknown_name_is_answered_with_the_nearest(given: str, hint: str) -> None:
    """Also one that was only begun."""
    with pytest.raises(ConfigError, match=rf"'{given}' is not known; allowed: auto, .*mean '{hint}'"):
        preset(given)
