"""Paths: the tree of segments decides as a naive comparison would."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fapilog.errors import ConfigError
from fapilog.redaction.names import KEEP, MASKED, REMOVE, NameRules, normal
from fapilog.redaction.paths import PathRules, check_rule, is_path, segments_of

names = st.sampled_from(["user", "User", "items", "card", "api_key", "apiKey", "x-api-key", "myToken", "0", "1", "a.b"])
segments = st.sampled_from(["user", "items", "card", "apikey", "*", "*token", "*key", "**key", "0", "b"])
rules = st.lists(segments, min_size=2, max_size=4).map(".".join)
places = st.lists(names | st.integers(0, 2), min_size=1, max_size=4)


def action_at(paths: PathRules, place: list[str | int]) -> str | None:
    state = paths.start
    for key in place:
        below = paths.step(state, key)
        if below is None:
            return None
        state = below
    return paths.action(state)


def fits(segment: str, key: str) -> bool:
    """Tell as naively as can be whether one segment means one key."""
    if segment == "*":
        return True
    if segment.startswith("*"):
        return NameRules(allow=[segment], mask=[key]).verdict(key) == KEEP
    return normal(segment) == normal(key)


def matches(rule: list[str], place: list[str]) -> bool:
    """Tell whether a rule means a place, a flat key with dots taken as one key and as many."""
    if not place:
        return not rule
    first, rest = place[0], place[1:]
    if rule and fits(rule[0], first) and matches(rule[1:], rest):
        return True
    pieces = first.split(".")
    if len(pieces) == 1 or len(rule) < len(pieces):
        return False
    whole = all(fits(segment, piece) for segment, piece in zip(rule, pieces, strict=False))
    return whole and matches(rule[len(pieces) :], rest)


@given(st.lists(rules, max_size=4), st.lists(rules, max_size=3), st.lists(rules, max_size=2), places)
def test_the_tree_decides_as_a_naive_comparison_does(mask, remove, allow, place):
    """All paths at once give what each by itself would: allow before remove before mask."""
    keys = [str(key) for key in place]

    def said(paths: list[str]) -> bool:
        return any(matches(path.split("."), keys) for path in paths)

    expected = KEEP if said(allow) else REMOVE if said(remove) else MASKED if said(mask) else None

    assert action_at(PathRules(mask, remove, allow), place) == expected


@pytest.mark.parametrize(
    ("path", "place", "fits_it"),
    [
        ("user.*.email", ["user", "a", "email"], True),
        ("user.*.email", ["User", 3, "eMail"], True),
        ("user.*.email", ["user", "email"], False),
        ("user.*.email", ["user", "a", "b", "email"], False),
        ("user.email", ["user.email"], True),
        ("user.email", ["app", "user", "email"], False),
        ("items[*].card", ["items", 7, "card"], True),
        ("items[*].card", ["items", 7, "cards"], False),
        ("items[0].card", ["items", 0, "card"], True),
        ("items[0].card", ["items", 1, "card"], False),
        ("items[007].card", ["items", 7, "card"], True),
        ("grid[*][2]", ["grid", 9, 2], True),
        ("grid[*][2]", ["grid", 9, 3], False),
        ("request.headers.x-api-key", ["request", "headers", "X-Api-Key"], True),
        ("request.headers.*token", ["request", "headers", "X-Auth-Token"], True),
        ("request.headers.*token", ["request", "headers", "token_type"], False),
        ("*.secret", ["anything", "secret"], True),
        ("*.secret", ["secret"], False),
        ("http.url", ["http.url"], True),
        ("k8s.pod.name", ["k8s.pod", "name"], True),
    ],
)
def test_a_path_leads_to_a_place_from_the_root(path, place, fits_it):
    """By names in any spelling, by indexes, by wildcards of one step."""
    assert action_at(PathRules(mask=[path]), place) == (MASKED if fits_it else None)


@pytest.mark.parametrize(
    ("kinds", "expected"),
    [
        ({"mask": ["a.b"], "remove": ["a.*"], "allow": ["*.b"]}, KEEP),
        ({"mask": ["a.b"], "remove": ["a.*"]}, REMOVE),
        ({"mask": ["a.*"], "remove": ["a.b"]}, REMOVE),
        ({"mask": ["a.b"], "allow": ["a.b"]}, KEEP),
        ({"mask": ["a.b"], "allow": ["a.c"]}, MASKED),
    ],
)
def test_of_several_paths_to_a_place_the_allowing_one_wins(kinds, expected):
    """Then the one that removes, wherever the wildcards stand."""
    assert action_at(PathRules(**kinds), ["a", "b"]) == expected


def test_a_walk_ends_where_no_path_goes_on():
    """None says that nothing below has to be compared."""
    paths = PathRules(mask=["user.*.email"])

    assert paths.step(paths.start, "order") is None
    user = paths.step(paths.start, "user")
    assert paths.action(user) is None
    leaf = paths.step(paths.step(user, "a"), "email")
    assert paths.step(leaf, "more") is None
    assert PathRules().step(PathRules().start, "user") is None


@pytest.mark.parametrize(
    "path",
    [
        "",
        ".",
        "a..b",
        ".a",
        "a.",
        "items[",
        "items]",
        "items[x]",
        "items[]",
        "items[-1]",
        "items[0",
        "items[0]x",
        "a.[0]",
        "[0].a",
        "a.b*",
        "a.**",
        "a.--",
        "a[0][",
        "items[1234567890]",
    ],
)
@pytest.mark.parametrize(("kind", "option"), [("mask", "fields"), ("remove", "remove"), ("allow", "allow")])
def test_what_is_no_path_is_refused(kind, option, path):
    """The error names the method, what was given, and what a path looks like."""
    with pytest.raises(ConfigError, match=re.escape(f"with_redaction({option}): {path!r}")) as caught:
        PathRules(**{kind: [path]})

    assert "user.*.email" in str(caught.value)


@given(st.text(alphabet="ab*.[]0 -", max_size=12))
def test_a_rule_is_read_or_refused_and_nothing_else(rule):
    """Whatever is written, it is a rule or a ConfigError."""
    try:
        checked = check_rule(rule, "here")
    except ConfigError:
        return

    assert checked == rule
    if is_path(rule):
        assert len(segments_of(rule, "here")) > 1
        PathRules(mask=[rule])
    else:
        NameRules(mask=[rule])


def test_names_are_told_from_paths():
    """Dots and brackets make a path."""
    assert [is_path(rule) for rule in ("ssn", "*api-key", "a.b", "a[0]", "]")] == [False, False, True, True, True]
