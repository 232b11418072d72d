"""docs/redaction.md says what the rules do: its tables are held to the code."""

import re
from pathlib import Path

import pytest

from fapilog.redaction.options import RedactionOptions
from fapilog.redaction.presets import PRESETS
from fapilog.redaction.redactor import Redactor
from fapilog.redaction.text import KINDS, TextRules

PAGE = (Path(__file__).parents[2] / "docs" / "redaction.md").read_text("utf-8")
CODE = re.compile(r"`([^`]+)`")
CREDENTIALS = Redactor(RedactionOptions())


def rows(heading: str) -> list[list[str]]:
    """Return the cells of the table below a heading."""
    section = PAGE.split(f"\n## {heading}\n")[1].split("\n## ")[0]
    lines = [line for line in section.splitlines() if line.startswith("| `")]
    return [[cell.strip() for cell in line.strip("|").split(" | ")] for line in lines]


@pytest.mark.parametrize("row", rows("Content"), ids=lambda row: row[0])
def test_an_example_leaves_what_the_page_says(row: list[str]) -> None:
    """The rule of this kind alone makes the last cell of the one before it."""
    kind, example, left = (CODE.findall(row[index])[0] for index in (0, 2, 3))

    rules = TextRules([kind], lambda name: CREDENTIALS.verdict(name) == "mask")

    assert rules.clean(example) == left


def test_every_kind_has_its_example() -> None:
    """None is missing and none is made up."""
    assert sorted(CODE.findall(row[0])[0] for row in rows("Content")) == sorted(KINDS)


def test_every_preset_is_told_with_its_kinds() -> None:
    """The kinds of a preset are those of the code; one that begins with another's has its kinds, too."""
    told: dict[str, set[str]] = {}
    for row in rows("Presets"):
        words = CODE.findall(row[2])
        told[CODE.findall(row[0])[0]] = {kind for word in words for kind in told.get(word, {word})}

    assert told == {name: set(preset.kinds) for name, preset in PRESETS.items()}
