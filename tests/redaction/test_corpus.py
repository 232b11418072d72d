"""The corpus of labelled texts, through the content rules alone."""

import re

import pytest

from fapilog.redaction.text import KINDS, TextRules
from tests.redaction.corpus import rows
from tests.redaction.corpus.names import is_secret_name

OPT_IN = {"email", "phone"}


@pytest.fixture(scope="module")
def scores() -> list[rows.Score]:
    every = TextRules(KINDS, is_secret_name)
    usual = TextRules([kind for kind in KINDS if kind not in OPT_IN], is_secret_name)
    of_all = [row for row in rows.texts() if row.hidden or row.label not in OPT_IN]
    opted_out = [row for row in rows.texts() if not row.hidden and row.label in OPT_IN]
    return rows.score(of_all, every.clean) + rows.score(opted_out, usual.clean)


def test_every_secret_of_the_corpus_disappears(scores):
    """Recall is 100 % in each class."""
    print(rows.table(scores))  # noqa: T201 - the table is what the test shows
    assert [row.given for score in scores for row in score.missed] == []


def test_nothing_harmless_of_the_corpus_is_touched(scores):
    """There is no false alarm."""
    assert [row.given for score in scores for row in score.alarms] == []


def test_the_corpus_is_large():
    """At least 160 labelled cases, secret and harmless in like number, every kind among them."""
    texts, payloads = rows.texts(), rows.payloads()
    secret = sum(1 for row in texts + payloads if row.hidden)
    assert len(texts) + len(payloads) >= 320
    assert 0.4 < secret / (len(texts) + len(payloads)) < 0.6
    assert {row.label for row in texts if row.hidden} == set(KINDS)


@pytest.mark.parametrize("kind", KINDS)
def test_each_kind_alone_finds_its_own(kind):
    """A kind does not lean on another: its rows are found by it alone, but for values that other kinds are named in."""
    alone = TextRules([kind], is_secret_name)
    (score,) = rows.score([row for row in rows.texts() if row.hidden and row.label == kind], alone.clean)
    assert [row.given for row in score.missed] == []


def test_what_surrounds_a_secret_stays():
    """Only the secret is replaced, by a mask that tells nothing."""
    rules = TextRules(KINDS, is_secret_name)
    for row in rows.texts():
        cleaned = rules.clean(row.given)
        for word in re.findall(r"[^\W\d_]+", cleaned):
            assert word in row.given
