"""No text takes more than linear time: a megabyte of almost-secrets is looked at like any other."""

import re
import time

import pytest

from fapilog.redaction.text import KINDS, TextRules
from tests.redaction.corpus.names import is_secret_name

SMALL, LARGE = 16 * 1024, 128 * 1024
MEGABYTE = 1024 * 1024
RULES = TextRules(KINDS, is_secret_name, [re.compile(r"EMP-\d{6}")])

# Each is repeated up to the length, and the second part ends it.
ATTACKS = {
    "letters": ("a", "!"),
    "capitals": ("A", "!"),
    "digits": ("1", "!"),
    "digits apart": ("4 ", "x"),
    "digits with hyphens": ("4-", "x"),
    "groups of four": ("4111 ", "x"),
    "ssn": ("123-45-", "x"),
    "iban": ("DE89 ", "!"),
    "iban run": ("DE89", "!"),
    "spaces": (" ", "x"),
    "tabs": ("\t", "x"),
    "lines": ("\n", "x"),
    "at": ("@", "x"),
    "mail": ("a@", "x"),
    "mail dots": ("a@b.", "1"),
    "mail dashes": ("a@b-", "!"),
    "local part": ("a.b", "@"),
    "dots": (".", "x"),
    "equals": ("=", "x"),
    "names": ("a=", "x"),
    "colons": (":", "x"),
    "scheme": ("://", "x"),
    "userinfo": ("://a:b", "x"),
    "userinfo at": ("://a:b@", "x"),
    "userinfo hosts": ("://a:b" * 80 + "@", "x"),
    "long user": ("://" + "a" * 600, "@"),
    "query": ("?", "="),
    "query names": ("?a&", "="),
    "query pairs": ("&token=", "x"),
    "query codes": ("&code=abcdefghij", "x"),
    "percent": ("%", "x"),
    "percent 3D": ("%3D", "x"),
    "quotes": ('"', "x"),
    "single quotes": ("'", "x"),
    "backslashes": ("\\", '"'),
    "escaped quotes": ('\\"', "x"),
    "secret, no value": ("password:", ""),
    "secret, prose": ("password: is ", ""),
    "secret, quote": ('password="', ""),
    "secret, escaped": ('password=\\"', ""),
    "secret, other quote": ("password='\"", ""),
    "secret, bracket": ("password=[", ""),
    "secret, call": ("password=f(", ""),
    "secret, path": ("password=a.b.", "("),
    "secret, delimiters": ("password=" + "," * 50, ""),
    "secret, one value": ("password=a,&;", ""),
    "secret, templates": ("password={a", ""),
    "secret, long quoted": ("password='" + "\\" * 60, ""),
    "header": ("cookie: ", ""),
    "header lines": ("cookie: a\n", ""),
    "pairs": ("('cookie', '", ""),
    "xml": ("<password>", ""),
    "flags": ("--password ", ""),
    "dashes": ("-", "x"),
    "pem begin": ("-----BEGIN ", ""),
    "pem key begin": ("-----BEGIN PRIVATE KEY-----", ""),
    "pem key lines": ("-----BEGIN PRIVATE KEY-----\nabc\n", ""),
    "pem words": ("-----BEGIN A B C D E", ""),
    "pem end": ("-----BEGIN PRIVATE KEY-----\n-----END ", ""),
    "jwt": ("eyJ", "."),
    "jwt dots": ("eyJa.", "!"),
    "jwt heads": ("eyJhbGci.", "!"),
    "bearer": ("Bearer ", ""),
    "bearer words": ("Bearer a", " "),
    "basic": ("Basic ", ""),
    "digest": ("Digest a", "="),
    "key prefix": ("sk-", "!"),
    "key letters": ("sk-a", "!"),
    "github": ("ghp_", "!"),
    "slack": ("xoxb-", "!"),
    "aws": ("AKIA", "!"),
    "discord": ("M" + "a" * 23 + ".", "!"),
    "telegram": ("123456789:", "!"),
    "entra": ("a8Q~", "!"),
    "aws secret": ("secret_key", "="),
    "account key": ("AccountKey=", "!"),
    "phone": ("+49 ", "x"),
    "phone digits": ("0 1", "x"),
    "brackets": ("(", "x"),
    "mixed": ("a:@=/?&-_.'\"\\ 1", "x"),
    "masks": ("***", "x"),
    "unicode": ("ü@ß.", "x"),
    "calls": ("password=a_b()", ""),
    "cookie states": ("cookie: not set ", ""),
    "cookie masks": ("cookie: ***, ", ""),
    "jwt in words": ("-eyJaaaa", ""),
    "bearer states": ("authorization: Bearer valid ", ""),
    "values in a row": ("password=a,", ""),
    "surrogates": ("\ud800", "4111"),
    "signs of all": ("Bearer x eyJ AKIA sk- xoxb- :// @ = password ", "!"),
}


def text_of(attack: str, size: int) -> str:
    part, end = ATTACKS[attack]
    return part * (size // len(part)) + end


def seconds(attack: str, size: int) -> float:
    text = text_of(attack, size)
    best = float("inf")
    for _ in range(2):
        began = time.process_time()
        RULES.may_hide(text)
        RULES.clean(text)
        best = min(best, time.process_time() - began)
    return best


@pytest.mark.parametrize("attack", ATTACKS)
def test_time_grows_with_length_and_no_faster(attack):
    """Eight times the text takes about eight times as long; a square would take sixty-four."""
    small, large = seconds(attack, SMALL), seconds(attack, LARGE)
    assert large <= max(3 * 8 * small, 0.05)


@pytest.mark.parametrize("attack", ATTACKS)
def test_what_is_cleaned_stays_clean(attack):
    """Also among almost-secrets: cleaning again changes nothing."""
    cleaned = RULES.clean(text_of(attack, 2048))
    assert RULES.clean(cleaned) == cleaned


def test_a_megabyte_of_all_of_them_together():
    """A text of everything at once is done within seconds, not minutes."""
    share = MEGABYTE // len(ATTACKS)
    text = "".join(text_of(attack, share) for attack in ATTACKS)
    began = time.process_time()
    RULES.clean(text)
    assert time.process_time() - began < 10
