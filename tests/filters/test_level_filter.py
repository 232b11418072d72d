"""Thresholds as a filter: the directives of ``with_level``, counted."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

import fapilog
from fapilog.engine.levels import LevelRules
from fapilog.errors import ConfigError
from fapilog.filters.level import LevelFilter, parse_directives
from fapilog.levels import LevelTable
from tests.filters.events import LEVELS, event

NAMES = st.lists(st.sampled_from(["app", "db", "web"]), min_size=1, max_size=3).map(".".join)
NUMBERS = st.sampled_from([10, 20, 30, 40])


def test_it_holds_back_what_is_below_the_threshold_of_its_logger() -> None:
    """The longest name wins, the level without a name is for all others."""
    keep = LevelFilter("warning,app=info,app.db=error")
    kept = {name: [keep(event(level=level, logger=name)) for level in ("DEBUG", "INFO", "WARNING", "ERROR")]
            for name in ("shop", "app", "app.web", "app.db", "app.db.pool", "application")}  # fmt: skip

    assert kept == {
        "shop": [False, False, True, True],
        "app": [False, True, True, True],
        "app.web": [False, True, True, True],
        "app.db": [False, False, False, True],
        "app.db.pool": [False, False, False, True],
        "application": [False, False, True, True],
    }


@given(st.dictionaries(NAMES, NUMBERS), st.none() | NUMBERS, NAMES, NUMBERS)
def test_it_says_what_the_thresholds_of_an_engine_say(
    loggers: dict[str, int], default: int | None, name: str, level: int
) -> None:
    """The same directives mean the same in both places."""
    text = ",".join([f"{name}={number}" for name, number in loggers.items()] + ([str(default)] if default else []))
    if not text:
        return
    told = parse_directives(text, LEVELS.number, "here")
    rules = LevelRules(told.default or 0, LEVELS, told.loggers)

    assert LevelFilter(text)(event(level=LEVELS.name(level), logger=name)) is (level >= rules.effective(name))


def test_what_no_directive_is_about_goes_on() -> None:
    """And so do the toolkit's own events, and levels that nobody knows."""
    keep = LevelFilter("app=error")

    assert keep(event(level="DEBUG", logger="shop"))
    assert not keep(event(level="WARNING", logger="app"))
    assert keep(event(level="LOUD", logger="app"))
    assert keep({})
    assert LevelFilter(50)(event(level="DEBUG", logger="fapilog"))


def test_levels_of_ones_own() -> None:
    """Registered ones where their table is given, unnamed numbers in any case."""
    levels = LevelTable()
    levels.register("NOTICE", 25)
    keep = LevelFilter("notice", levels.number)

    assert [keep(event(level=level)) for level in ("INFO", "LEVEL_24", "NOTICE", "LEVEL_26")] == [
        False, False, True, True,
    ]  # fmt: skip


def test_a_million_names_stay_bounded() -> None:
    """Names of loggers can come from outside, by the standard library's handler."""
    keep = LevelFilter("info")
    for number in range(100_000):
        assert keep(event(logger=f"n{number}"))

    assert len(keep._thresholds) <= 1_000


@pytest.mark.parametrize("directives", ["loud", "app=", "=info", "info,debug", None, True, ""])
def test_wrong_directives_are_refused(directives: object) -> None:
    """The error names the class."""
    with pytest.raises(ConfigError, match=r"^LevelFilter\(directives\): "):
        LevelFilter(directives)


def test_end_to_end(logs_of) -> None:
    """What it holds back is counted under its name, unlike what is below a threshold."""
    builder = fapilog.LoggerBuilder().with_level("info").with_filter(LevelFilter("root=error"))
    events, result = logs_of(builder, lambda logger: [logger.debug("a"), logger.info("b"), logger.error("c")])

    assert [one["message"] for one in events] == ["c"]
    assert result.sinks["memory"]["filtered"] == {"level": 1}
