"""Levels by name and number, and a user's own."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fapilog.errors import ConfigError
from fapilog.levels import STANDARD_LEVELS, LevelTable


@pytest.mark.parametrize(
    ("level", "number"),
    [("DEBUG", 10), ("info", 20), (" Warning ", 30), ("warn", 30), ("ERROR", 40), ("fatal", 50),
     ("CRITICAL", 50), (25, 25), (0, 0)],
)  # fmt: skip
def test_a_level_is_found_by_name_in_any_case_or_by_number(level, number) -> None:
    """The standard library's names and their two old spellings."""
    assert LevelTable().number(level, "here") == number


@pytest.mark.parametrize("level", ["", "LOUD", "DEBUG\n!", -1, 1001, 10**400, True, None, 20.0, b"INFO", [], object()])
def test_an_unknown_level_says_what_is_allowed(level) -> None:
    """X16: a level from a configuration file or a request."""
    with pytest.raises(ConfigError, match=r"^with_level\(\): .*DEBUG") as caught:
        LevelTable().number(level, "with_level()")
    assert len(str(caught.value)) < 400


def test_a_misspelt_level_gets_a_hint() -> None:
    """The nearest name, as it is written."""
    with pytest.raises(ConfigError, match="Did you mean 'WARNING'"):
        LevelTable().number("waring", "here")


def test_a_registered_level_has_a_name_and_a_number() -> None:
    """Upper case on the wire; registering it again changes nothing."""
    table = LevelTable()

    table.register("notice", 25)
    table.register("NOTICE", 25)

    assert table.number("Notice", "here") == 25
    assert table.name(25) == "NOTICE"
    assert table.names() == {**STANDARD_LEVELS, "NOTICE": 25}


@pytest.mark.parametrize(
    ("name", "number"),
    [("info", 21), ("notice", 20), ("warn", 30), ("fatal", 55), ("", 5), ("9th", 5), ("two words", 5), ("añb", 5),
     ("a-b", 5), (7, 5), (None, 5),
     ("ok", 0), ("ok", 1001), ("ok", -1), ("ok", True), ("ok", 5.0), ("ok", "5"), ("ok", 10**400)],
)  # fmt: skip
def test_a_level_cannot_take_the_place_of_another(name, number) -> None:
    """Neither a taken name nor a taken number nor anything that would not be one word on the wire."""
    table = LevelTable()

    with pytest.raises(ConfigError):
        table.register(name, number)
    assert table.names() == STANDARD_LEVELS


def test_two_tables_do_not_know_of_each_other() -> None:
    """No process-wide state hides in the module."""
    LevelTable().register("mine", 15)

    assert LevelTable().name(15) == "LEVEL_15"


def test_the_names_are_a_copy() -> None:
    """Whoever looks at the names cannot change them."""
    table = LevelTable()
    table.names()["MINE"] = 1

    assert table.names() == STANDARD_LEVELS


@given(st.integers(min_value=0))
def test_every_number_has_a_name(number) -> None:
    """One upper-case word, whatever number an event came with."""
    name = LevelTable().name(number)

    assert name.isidentifier()
    assert name == name.upper()


def test_an_unnamed_level_is_found_by_what_it_is_called() -> None:
    """``name`` and ``number`` are inverse."""
    levels = LevelTable()

    assert [levels.number(levels.name(number), "here") for number in (0, 25, 40, 1000)] == [0, 25, 40, 1000]
    with pytest.raises(ConfigError, match="LEVEL_1001"):
        levels.number("LEVEL_1001", "here")
