"""Options of redaction: what can be given, and what is refused."""

import re

import pytest

from fapilog.errors import ConfigError
from fapilog.redaction.options import RedactionOptions, compiled
from fapilog.redaction.presets import PII, RedactionPreset


def test_credentials_are_hidden_without_a_word():
    """The defaults are safe."""
    options = RedactionOptions()

    assert options.presets == ("CREDENTIALS",)
    assert options.enabled
    assert options.fail == "mask_all"
    assert options.max_text is None


def test_lists_are_taken_as_tuples_and_patterns_compiled():
    """Two options with the same values are equal, whatever they were given as."""
    given = RedactionOptions(
        presets=["pii", PII], fields=["ssn", "*pin", "user.*.email"], allow=iter(["a"]), patterns=[r"EMP-\d{6}"]
    )

    assert given == RedactionOptions(
        presets=("pii", PII), fields=("ssn", "*pin", "user.*.email"), allow=("a",), patterns=(re.compile(r"EMP-\d{6}"),)
    )
    assert hash(given) == hash(given)
    assert RedactionOptions(presets=(RedactionPreset("own", fields=("pet",)),)).presets[0].fields == ("pet",)


@pytest.mark.parametrize("option", ["presets", "fields", "remove", "allow", "patterns"])
@pytest.mark.parametrize(
    "wrong", ["password", b"password", None, 7, True, {"password": 1}, re.compile("x"), PII], ids=str
)
def test_one_value_for_a_list_is_refused_with_the_remedy(option, wrong):
    """A single text would be taken for its letters."""
    with pytest.raises(ConfigError, match=re.escape(f"with_redaction({option})") + r".*a tuple or list, such as \("):
        RedactionOptions(**{option: wrong})


@pytest.mark.parametrize("option", ["fields", "remove", "allow"])
@pytest.mark.parametrize("rule", ["", "*", "a..b", "items[x]", "items[", "pass*", 7, None, b"x", ["a"]], ids=str)
def test_a_rule_that_cannot_be_used_is_refused(option, rule):
    """When the options are made, not when the first event comes."""
    with pytest.raises(ConfigError, match=re.escape(f"with_redaction({option})")):
        RedactionOptions(**{option: ["ssn", rule]})


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("presets", ["PIII"]),
        ("presets", [None]),
        ("presets", [["PII"]]),
        ("fail", "open"),
        ("fail", None),
        ("fail", ["drop"]),
        ("max_text", 0),
        ("max_text", -1),
        ("max_text", "16384"),
        ("max_text", 1.5),
        ("max_text", True),
        ("enabled", 1),
        ("enabled", "no"),
        ("enabled", None),
    ],
)
def test_other_wrong_values_are_refused(option, value):
    """Wrong types too: the error names the method and the parameter."""
    with pytest.raises(ConfigError, match=re.escape(f"with_redaction({option})")):
        RedactionOptions(**{option: value})


@pytest.mark.parametrize(
    "pattern",
    [
        "(",
        "[a",
        "a{2,1}",
        "*",
        "",
        "x*",
        "(a|)",
        r"\b",
        "^",
        "$",
        r"(?<=a)",
        "(?:)",
        b"abc",
        re.compile(b"abc"),
        None,
        7,
        "(" * 5_000 + ")" * 5_000,
        re.compile("a?"),
    ],
    ids=lambda pattern: repr(pattern)[:20],
)
def test_a_pattern_that_cannot_be_used_is_refused(pattern):
    """No expression, not for text, or one that matches nothing at all, which is everywhere."""
    with pytest.raises(ConfigError, match=re.escape("with_redaction(patterns)")):
        RedactionOptions(patterns=[pattern])


def test_a_pattern_is_not_shown_in_an_error():
    """It may be a secret, spelt out to be masked."""
    for pattern in ("hunter2(", "(?:hunter2)?"):
        with pytest.raises(ConfigError) as caught:
            compiled(pattern)
        assert "hunter2" not in str(caught.value)


def test_a_compiled_pattern_keeps_its_flags():
    """It is used as it is."""
    pattern = re.compile("emp-[0-9]+", re.IGNORECASE)

    assert compiled(pattern) is pattern
