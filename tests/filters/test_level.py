"""Directives: which text means which thresholds, and which means nothing."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fapilog.errors import ConfigError
from fapilog.filters.level import Directives, parse_directives
from fapilog.levels import LevelTable
from tests.filters.events import LEVELS


def parsed(text: object, levels: LevelTable = LEVELS) -> Directives:
    return parse_directives(text, levels.number, "with_level(level)")


@pytest.mark.parametrize(
    ("text", "default", "loggers"),
    [
        (10, 10, {}),
        (0, 0, {}),
        ("debug", 10, {}),
        (" Warn ", 30, {}),
        ("10", 10, {}),
        ("info,app.db=debug,httpx=warning", 20, {"app.db": 10, "httpx": 30}),
        ("app.db=debug,info", 20, {"app.db": 10}),
        ("app=debug", None, {"app": 10}),
        (" info , app.db = 15 ,h=FATAL", 20, {"app.db": 15, "h": 50}),
        ("größe=error,app-1=error,a;b=error", None, {"größe": 40, "app-1": 40, "a;b": 40}),
    ],
)
def test_what_a_text_means(text: object, default: int | None, loggers: dict[str, int]) -> None:
    """One level without a name, in any place, and one for each name; spaces around them do not count."""
    assert parsed(text) == (default, loggers)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "'' is not known; allowed: CRITICAL"),
        ("  ", "is not known"),
        (",", "directives such as"),
        ("info,", "directives such as"),
        (",info", "directives such as"),
        ("app=", "directives such as"),
        ("=debug", "directives such as"),
        ("=", "directives such as"),
        ("a=b=c", "directives such as"),
        ("info,info", "'info' is a second"),
        ("info,debug", "'debug' is a second"),
        ("app=info,app=debug", "'app=debug' is a second"),
        ("foo=bar", "'bar' is not known; allowed: CRITICAL"),
        ("info,app=debgu", "'debgu' is not known; .*Did you mean 'DEBUG'"),
        ("app=1001", "1001 cannot be used"),
        ("99999999999999999999", "is not known"),
        ("-5", "is not known"),
        ("app=1e1", "is not known"),
        ("²", "is not known"),
        ("app.*=debug", "wildcards"),
        ("*=debug", "wildcards"),
        ("app.=debug", "below it"),
        (".app=debug", "below it"),
        ("my app=debug", "spaces"),
        ("info app=debug", "spaces"),
        ("info,app . db=debug", "spaces"),
        (None, "None cannot be used"),
        (True, "True cannot be used"),
        (1.5, "1.5 cannot be used"),
        (-1, "-1 cannot be used"),
        (b"info", "cannot be used"),
        (["info"], "cannot be used"),
        ({"app": "info"}, "cannot be used"),
    ],
)
def test_what_means_nothing(text: object, said: str) -> None:
    """Says where it came from, what was given, and what is allowed."""
    with pytest.raises(ConfigError, match=rf"^with_level\(level\): .*{said}"):
        parsed(text)


def test_levels_of_ones_own() -> None:
    """A registered name is one like the others; before that it is not known."""
    levels = LevelTable()
    with pytest.raises(ConfigError, match="'audit' is not known"):
        parsed("app=audit", levels)

    levels.register("AUDIT", 35)

    assert parsed("audit,app=audit", levels) == (35, {"app": 35})


@given(
    st.dictionaries(st.from_regex(r"[a-z_]{1,8}(\.[a-z_]{1,8}){0,3}", fullmatch=True), st.sampled_from([10, 20, 35])),
    st.none() | st.sampled_from(["debug", "ERROR", "7"]),
)
def test_what_is_written_is_read_back(loggers: dict[str, int], default: str | None) -> None:
    """Any names with any levels, in any number."""
    parts = [f"{name}={level}" for name, level in loggers.items()] + ([default] if default else [])
    if parts:
        levels = {"debug": 10, "ERROR": 40, "7": 7, None: None}
        assert parsed(" , ".join(parts)) == (levels[default], loggers)


@given(st.text(st.sampled_from("=,. *aINFO1\n"), max_size=30))
def test_any_text_is_read_or_refused(text: str) -> None:
    """Nothing but a ``ConfigError`` comes out, and what is read can be asked by name."""
    try:
        default, loggers = parsed(text)
    except ConfigError:
        return
    assert default is not None or loggers
    assert all(name.strip() == name != "" for name in loggers)
