"""``docs/options.md`` is what the option classes say."""

import inspect
import re
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest

import fapilog
from fapilog.config.options import PARTS, Options
from fapilog.config.parts import KINDS
from fapilog.config.settings import Settings, parts_of_settings
from fapilog.config.table import render
from fapilog.fastapi import FastAPIBuilder
from tests.config import roads

PAGE = Path(__file__).parents[2] / "docs" / "options.md"
NOT_SAID = frozenset({"sources"})
"""Fields of ``Options`` that are found out and not said."""


def test_the_page_is_what_the_generator_gives() -> None:
    """Else: ``make docs``."""
    assert PAGE.read_text("utf-8") == render()


def test_settings_have_the_parts_and_options_of_options() -> None:
    """One list of parts: each field of ``Options`` is a setting of the same name, type and default."""
    settings = Settings.model_fields
    for item in fields(Options):
        if item.name not in NOT_SAID | {"preset", "sinks"}:
            assert settings[item.name].get_default(call_default_factory=True) == getattr(Options(), item.name), (
                item.name
            )
    assert set(settings) - set(KINDS) == {item.name for item in fields(Options)} - NOT_SAID
    assert {name: kind for name, kind in parts_of_settings().items() if name in PARTS} == dict(PARTS)


@pytest.mark.parametrize("line", roads.LINES, ids=roads.name_of)
def test_every_option_is_described(line: Any) -> None:
    """With a unit, a method that exists and takes it, a meaning, and a variable unless it is an object of code."""
    found = re.fullmatch(r"(\w+)\(\*{0,2}(\w+)\)", line.method)
    assert found, line
    assert found[2] in inspect.signature(getattr(FastAPIBuilder, found[1])).parameters
    assert line.unit not in ("", "number")
    assert line.meaning.endswith((".", ")"))
    assert "``" not in line.meaning + line.unit
    assert bool(line.variable) == (line.option not in roads.CODE_ONLY or bool(line.part))


def test_every_method_of_the_builders_is_in_the_table() -> None:
    """There is nothing to say that only one road can say, but objects."""
    shorthand = {"add_memory", "with_settings", "build", "options", "edge"}
    named = {line.method.partition("(")[0] for line in roads.LINES}
    methods = {
        name
        for kind in (fapilog.LoggerBuilder, FastAPIBuilder)
        for name, _ in inspect.getmembers(kind, inspect.isfunction)
        if not name.startswith("_")
    }

    assert methods - named - shorthand == set()
