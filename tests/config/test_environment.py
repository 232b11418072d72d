"""What the text of a variable means."""

import re
from collections.abc import Mapping, Sequence
from typing import Any, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fapilog.config.environment import decode, read, variable_of
from fapilog.config.settings import Settings, hints_of_settings, parts_of_settings
from fapilog.diagnostics import attempt
from fapilog.errors import ConfigError


@pytest.mark.parametrize(
    ("text", "hint", "meant"),
    [
        ("5", int, "5"),
        ("none", int | None, None),
        (" None ", float | str | None, None),
        ("none", str | None, "none"),
        ("none", Literal["a"] | None, None),
        ("a,b", tuple[str, ...], ["a", "b"]),
        (" a , ,b ", Sequence[str], ["a", "b"]),
        ("", Sequence[str], []),
        ('["a,b", "c"]', tuple[str, ...], ["a,b", "c"]),
        ("a", frozenset[str], ["a"]),
        ("[0-9]{2,3}", tuple[str | re.Pattern[str], ...], ["[0-9]{2,3}"]),
        ('["a,b", "c"]', tuple[str | re.Pattern[str], ...], ["a,b", "c"]),
        ("a,b", str | Sequence[str] | Mapping[str, Any], "a,b"),
        ('["a", "b"]', str | Sequence[str], ["a", "b"]),
        ("[::1]:9092", str | Sequence[str], "[::1]:9092"),
        ('[{"a": 1}]', str | Sequence[str] | Mapping[str, Any], '[{"a": 1}]'),
        ('{"a": 1}', Mapping[str, Any], {"a": 1}),
    ],
)
def test_the_type_of_an_option_decides(text: str, hint: Any, meant: object) -> None:
    """Lists are JSON or between commas; what may be absent is ``none``, but for a text, of which any is one."""
    assert decode(text, hint, "VARIABLE") == meant


@pytest.mark.parametrize(
    ("text", "hint"), [("[1", tuple[str, ...]), ("{", Mapping[str, Any]), ("[]", Mapping[str, Any])]
)
def test_malformed_json_is_refused(text: str, hint: Any) -> None:
    """By the variable's name."""
    with pytest.raises(ConfigError, match=r"^VARIABLE: a value of type str cannot be used; allowed: "):
        decode(text, hint, "VARIABLE")


def test_the_variable_of_an_option_has_the_last_word() -> None:
    """Over that of its part, whichever comes first in the environment."""
    environ = {"FAPILOG_QUEUE__CAPACITY": "2", "FAPILOG_QUEUE": '{"capacity": 1, "reserve": 1}'}
    for names in (environ, dict(reversed(environ.items()))):
        said = read(names, hints_of_settings(), parts_of_settings())

        assert said.values == {"queue": {"capacity": "2", "reserve": 1}}
        assert said.places == {"queue": "FAPILOG_QUEUE", "queue.capacity": "FAPILOG_QUEUE__CAPACITY"}


@pytest.mark.parametrize(
    "name", ["FAPILOG_REQUIRE_SERVICES", "FAPILOG_X", "FAPILOGLEVEL", "XFAPILOG_LEVEL", "FAPILOG_"]
)
def test_what_is_not_ours_is_left_alone(name: str) -> None:
    """A program may have variables that begin like ours."""
    assert read({name: "x"}, hints_of_settings(), parts_of_settings()).values == {}


@pytest.mark.parametrize(
    "name", ["FAPILOG_QUEUE__DEPTH_OF_ALL", "FAPILOG_LEVLE", "FAPILOG_QUEUE_CAPACITY", "fapilog_nam"]
)
def test_what_is_nearly_ours_is_refused(name: str) -> None:
    """And anything that names one of our parts."""
    with pytest.raises(ConfigError, match=f"^environment: '{name}' is not known; allowed: FAPILOG_"):
        read({name: "x"}, hints_of_settings(), parts_of_settings())


@given(st.dictionaries(st.sampled_from(["service", "queue", "batch", "asgi"]), st.text(max_size=20), max_size=3))
def test_no_text_of_a_part_raises_anything_but_a_clear_error(texts: dict[str, str]) -> None:
    """Whatever is put into the variable of a part."""
    environ = {variable_of(name): text for name, text in texts.items()}
    _, error = attempt(read, environ, hints_of_settings(), parts_of_settings())

    assert error is None or isinstance(error, ConfigError)
    assert str(error or "FAPILOG_").startswith("FAPILOG_")


def test_numbers_and_flags_are_read_as_people_write_them(monkeypatch: pytest.MonkeyPatch) -> None:
    """Through pydantic, which knows more spellings than one."""
    for text, meant in (("yes", True), ("0", False), ("OFF", False), ("true", True)):
        monkeypatch.setenv("FAPILOG_DIAGNOSTICS", text)
        assert Settings().diagnostics is meant
    monkeypatch.setenv("FAPILOG_ASGI__SAMPLE_RATE", "0.25")
    monkeypatch.setenv("FAPILOG_QUEUE__MAX_BYTES", "2 MB")
    assert (Settings().asgi.sample_rate, Settings().queue.max_bytes) == (0.25, "2 MB")
