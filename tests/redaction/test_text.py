"""The content rules together: the gate in front of them, what comes out, and patterns of the user's own."""

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fapilog.coerce import MASK
from fapilog.errors import ConfigError
from fapilog.redaction.text import KINDS, TextRules
from tests.redaction.corpus.harmless import HARMLESS
from tests.redaction.corpus.names import is_secret_name
from tests.redaction.corpus.secrets import SECRETS

OWN = (re.compile(r"EMP-\d{6}"), re.compile(r"^code (?P<secret>\w+)$"))
RULES = TextRules(KINDS, is_secret_name, OWN)
WITHOUT_OPT_IN = TextRules([kind for kind in KINDS if kind not in ("email", "phone")], is_secret_name)
SECRET_TEXTS = [row[0] for rows in SECRETS.values() for row in rows]
HARMLESS_TEXTS = [text for texts in HARMLESS.values() for text in texts]

pieces = (
    st.sampled_from(SECRET_TEXTS)
    | st.sampled_from(HARMLESS_TEXTS)
    | st.sampled_from("\"'\\=:;,&?#@/<>()[]{}-_. \n\t%*|+~")
    | st.sampled_from(["***", "://", "eyJ", "Bearer ", "password=", '\\"', "--", "4111 1111 1111 1111"])
    | st.text(max_size=6)
)
texts = st.lists(pieces, max_size=6).map("".join)
cut_texts = st.tuples(texts, st.integers(0, 200), st.integers(0, 200)).map(lambda it: it[0][it[1] : it[1] + it[2]])


@settings(max_examples=600)
@given(texts | cut_texts)
def test_cleaning_twice_is_cleaning_once(text):
    """What was cleaned stays as it is, whatever stands around the secrets and wherever the text was cut."""
    once = RULES.clean(text)
    assert RULES.clean(once) == once


@settings(max_examples=600)
@given(texts | cut_texts)
def test_the_gate_lets_nothing_by_that_would_be_hidden(text):
    """A text in which something is hidden is one that may hide something."""
    if RULES.clean(text) != text:
        assert RULES.may_hide(text)


@settings(max_examples=600)
@given(st.lists(texts | cut_texts, min_size=2, max_size=4))
def test_joined_texts_show_what_one_of_them_shows(several):
    """Texts joined by line ends may hide something if one of them alone does."""
    if any(RULES.clean(text) != text for text in several):
        assert RULES.may_hide("\n".join(several))


@settings(max_examples=300)
@given(texts)
def test_a_text_with_nothing_to_hide_is_returned_itself(text):
    """The same object goes on, so that nobody has to compare."""
    cleaned = RULES.clean(text)
    assert cleaned is text or cleaned != text


@pytest.mark.parametrize("text", SECRET_TEXTS)
def test_the_corpus_passes_the_gate_and_is_masked(text):
    """Each secret of the corpus is seen by the gate and leaves a mask."""
    assert RULES.may_hide(text)
    assert MASK in RULES.clean(text)


@pytest.mark.parametrize(
    "text", ["order paid\nEUR\ncus_8842\n/orders/77", "status=ok; count=3", "12:30:45 done, 3 left", "a/b.c-d_e"]
)
def test_the_gate_stops_ordinary_texts(text):
    """Texts without a sign cost no more than the look at them."""
    assert not WITHOUT_OPT_IN.may_hide(text)


def test_a_kind_that_is_not_asked_for_hides_nothing():
    """Only the kinds given are looked for."""
    rules = TextRules(["card"], is_secret_name)
    assert rules.clean("password=hunter2 4111111111111111") == "password=hunter2 ***"
    assert TextRules([], is_secret_name).clean("password=hunter2") == "password=hunter2"
    assert not TextRules([], is_secret_name).may_hide("password=hunter2")


def test_an_unknown_kind_is_refused_with_the_nearest():
    """The error says what was given, what there is, and the nearest of it."""
    with pytest.raises(ConfigError, match=r"'cards' is not known.*Did you mean 'card'"):
        TextRules(["cards"], is_secret_name)


def test_a_pattern_of_the_users_hides_the_whole_match():
    """Without a group of its own the whole match is the secret."""
    assert RULES.clean("by EMP-004711, EMP-1") == "by ***, EMP-1"


def test_a_pattern_with_a_group_named_secret_hides_only_that():
    """What stands around the group stays."""
    rules = TextRules((), is_secret_name, [re.compile(r"badge (?P<secret>\d+)(?P<rest>x)?")])
    assert rules.clean("badge 12 and badge 34x") == "badge *** and badge ***x"


@pytest.mark.parametrize(
    "pattern", [r"^code \w+$", r"\Acode \w+\Z", r"(?<!.)code \w+(?!.)", r"(?>code) \w++(?!.)", r"\Bx?\B"]
)
def test_a_pattern_that_needs_the_edges_of_a_text_is_seen_in_joined_ones(pattern):
    """An anchor does not hide from the gate what it finds in a text of its own."""
    rules = TextRules((), is_secret_name, [re.compile(pattern)])
    assert rules.may_hide("order paid\ncode abc\nEUR")


@pytest.mark.parametrize("pattern", [r"x*", r"(?P<secret>)", r"a(?P<secret>b)?"])
def test_an_empty_match_hides_nothing(pattern):
    """A pattern that matches nothing at all puts no mask between two letters."""
    rules = TextRules((), is_secret_name, [re.compile(pattern)])
    assert rules.clean("aaa") == "aaa"


def test_a_pattern_that_finds_itself_in_the_mask_ends():
    """A pattern of stars masks the text as a whole rather than growing it for ever."""
    rules = TextRules((), is_secret_name, [re.compile(r"\*")])
    assert rules.clean("a * b") == MASK
    assert rules.clean(MASK) == MASK


def test_names_are_asked_once():
    """The verdict on a name is remembered, the memory is bounded."""
    asked = []
    rules = TextRules(["key_value"], lambda name: bool(asked.append(name)))
    for _ in range(3):
        rules.clean("page=1 sort=asc")
    assert sorted(asked) == ["page", "sort"]
    rules.clean(" ".join(f"name{number}=1" for number in range(10_000)))
    assert len(asked) == 10_002
    rules.clean("page=1")
    assert asked.count("page") == 2


def test_a_text_that_cannot_be_encoded_is_no_trouble():
    """A lone surrogate is a character like another."""
    assert RULES.clean("\ud800 4111111111111111") == "\ud800 ***"
    assert RULES.clean("\ud800") == "\ud800"
