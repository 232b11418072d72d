"""Credentials by the words around them, JSON web tokens, private keys, and keys of known makers."""

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fapilog.redaction.text import TextRules
from tests.redaction.corpus.names import is_secret_name
from tests.redaction.corpus.secrets import BEGIN, END, GITHUB, JWT, PEM, PEM_BODY


def clean(kind, text):
    return TextRules([kind], is_secret_name).clean(text)


@pytest.mark.parametrize(
    ("text", "cleaned"),
    [
        ("a Bearer 4f8a9c2e7b1d b", "a Bearer *** b"),
        ("BASIC dTpw", "BASIC ***"),
        ('Digest username="x", realm="y"\nnext', "Digest ***\nnext"),
        ("Token 9944b09199c6, then", "Token ***, then"),
        ("api-key Zm9vYmFy1", "api-key ***"),
    ],
)
def test_what_follows_the_scheme_is_hidden(text, cleaned):
    """The scheme stays, so that one can see what kind of credentials there were."""
    assert clean("authorization", text) == cleaned


@given(st.text(st.characters(codec="ascii", exclude_categories=("Cc",)), min_size=1), st.text(min_size=1, max_size=30))
def test_basic_credentials_of_any_user_are_hidden(user, password):
    """User and password in base64 are recognised as what they are."""
    plain = f"{user.replace(':', '')}:{password}".encode()
    credentials = base64.b64encode(plain).decode()
    assert credentials.rstrip("=") not in clean("authorization", f"Basic {credentials}") or len(credentials) <= 4


@pytest.mark.parametrize("cut", range(14, len(JWT), 7))
def test_a_token_that_was_cut_is_hidden(cut):
    """Wherever a text was cut, what is left of a JSON web token does not show."""
    assert clean("jwt", f"seen {JWT[:cut]}") == "seen ***"


def test_a_header_that_is_not_known_shows_by_what_follows():
    """JSON in base64 with a dot and more is a token, without it may be a cursor."""
    assert clean("jwt", "a eyJ2IjoiMSJ9.eyJzdWIi b") == "a *** b"
    assert clean("jwt", "a eyJ2IjoiMSJ9 b") == "a eyJ2IjoiMSJ9 b"


@pytest.mark.parametrize("kind", ["", "RSA ", "EC ", "DSA ", "OPENSSH ", "ENCRYPTED "])
@pytest.mark.parametrize("end", ["\n", "\\n", "\\\\n", " ", "\r\n"])
def test_private_keys_of_all_kinds_are_hidden_whole(kind, end):
    """Whatever stands for a line end."""
    key = end.join([f"{BEGIN}{kind}PRIVATE KEY-----", PEM_BODY, PEM_BODY, f"{END}{kind}PRIVATE KEY-----"])
    assert clean("pem", f"a {key} b") == "a *** b"


@pytest.mark.parametrize("cut", range(28, len(PEM) - 1, 9))
def test_a_private_key_that_was_cut_is_hidden(cut):
    """Nothing of the body is left where the end is missing."""
    assert clean("pem", PEM[:cut] + "…[cut, 999 characters]") in ("***…[cut, 999 characters]", "***")


def test_several_keys_are_hidden_and_a_certificate_between_them_stays():
    """Only private keys are secret."""
    certificate = f"{BEGIN}CERTIFICATE-----\n{PEM_BODY}\n{END}CERTIFICATE-----"
    assert clean("pem", f"{PEM}\n{certificate}\n{PEM}") == f"***\n{certificate}\n***"


@pytest.mark.parametrize("before", ["", " ", "=", '"', "'", "/", ":", "\\n", "%3D", "(", ",", "-", "token"])
def test_a_prefix_is_seen_after_anything(before):
    """No edge is needed before a prefix that no word ends with."""
    assert clean("vcs_key", before + GITHUB) == before + "***"


@pytest.mark.parametrize("after", [" ", '"', "'", ",", ")", "\\n", "&x", "\n", "."])
def test_what_follows_a_key_stays(after):
    """The mask ends where the key does."""
    assert clean("vcs_key", GITHUB + after).startswith("***" + after[:1])


def test_an_aws_secret_is_known_by_its_name():
    """It has no form of its own."""
    secret = "wJalrXUtnFEMI/K7MDENG/" + "bPxRfiCYEXAMPLEKEY"
    assert clean("cloud_key", f'{{"secretAccessKey": "{secret}"}}') == '{"secretAccessKey": "***"}'
    assert clean("cloud_key", f"AWS_SECRET_ACCESS_KEY={secret}") == "AWS_SECRET_ACCESS_KEY=***"
    assert clean("cloud_key", f"etag {secret}") == f"etag {secret}"
