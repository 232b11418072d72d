"""Secrets in addresses: user and password, and the values of query keys."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fapilog.redaction.text import TextRules
from tests.redaction.corpus.names import is_secret_name

USERINFO = TextRules(["url_userinfo"], is_secret_name)
QUERY = TextRules(["url_query"], is_secret_name)
SIGNING = (
    "X-Amz-Signature", "X-Amz-Credential", "X-Amz-Security-Token", "AWSAccessKeyId", "Signature", "sig",
    "X-Goog-Signature", "X-Goog-Credential",
)  # fmt: skip


@pytest.mark.parametrize(
    ("url", "cleaned"),
    [
        ("postgres://u:p@h:5432/d", "postgres://***@h:5432/d"),
        ("redis://:pw@h/0", "redis://***@h/0"),
        ("https://token@h/x", "https://***@h/x"),
        ("amqp://u:p@w@h/v", "amqp://***@h/v"),
        ("amqp://u:p/w@h/v", "amqp://***@h/v"),
        ("amqp://u:p?w#x@h/v", "amqp://***@h/v"),
        ("https://u:8080@h/v", "https://***@h/v"),
        ("a://u:p@h, b://u:p@h", "a://***@h, b://***@h"),
        ("mongodb://u:p@h1,h2:27017/d?x=1", "mongodb://***@h1,h2:27017/d?x=1"),
        ("https://u:p@h/@scope/pkg", "https://***@h/@scope/pkg"),
    ],
)
def test_user_and_password_are_hidden_and_the_rest_stays(url, cleaned):
    """One can still see where it went."""
    assert USERINFO.clean(f"to '{url}'") == f"to '{cleaned}'"


@pytest.mark.parametrize(
    "url",
    ["http://h:80/a@b", "https://h/?q=a@b", "https://h/@user", "ssh://git@h/x", "http://[::1]:80/a@b", "://", "a://@"],
)
def test_an_address_without_credentials_stays(url):
    """An @ in the path or the query is no password, a port neither."""
    assert USERINFO.clean(url) is url or url == "a://@"


passwords = st.text(
    st.characters(codec="ascii", exclude_categories=("Cc", "Zs"), exclude_characters="\"'<>\\"), min_size=2
)


@given(passwords.filter(lambda text: "@" not in text or not ("?" in text or "#" in text)))
def test_any_password_is_hidden(password):
    """Whatever characters people put into passwords without encoding them."""
    cleaned = USERINFO.clean(f"postgres://shop:{password}x@db.internal/d")
    assert cleaned == "postgres://***@db.internal/d" or password[0].isdigit()


@pytest.mark.parametrize("name", SIGNING)
def test_the_keys_that_sign_an_address_are_hidden(name):
    """Whoever has such an address is let in."""
    for spelling in (name, name.lower()):
        assert QUERY.clean(f"https://h/x?a=1&{spelling}=ab%2Fc&b=2") == f"https://h/x?a=1&{spelling}=***&b=2"


@pytest.mark.parametrize(
    ("text", "cleaned"),
    [
        ("/cb?token=a&b=2", "/cb?token=***&b=2"),
        ("#access_token=a&state=b", "#access_token=***&state=b"),
        ("?a=1&amp;token=b&amp;c=2", "?a=1&amp;token=***&amp;c=2"),
        ("?access%5Ftoken=b", "?access%5Ftoken=***"),
        ("(/x?token=b).", "(/x?token=***)."),
        ('"/x?token=b"', '"/x?token=***"'),
        ("/x?token=b#top", "/x?token=***#top"),
        ("/x?token=b?token=c", "/x?token=***"),
        ("/cb?code=abcdefgh&state=x", "/cb?code=***&state=x"),
        ("/cb?code=abcdefghijklmnopqrst", "/cb?code=***"),
    ],
)
def test_the_values_of_secret_keys_are_hidden(text, cleaned):
    """In full addresses, paths, fragments, encoded or not; what stands around stays."""
    assert QUERY.clean(text) == cleaned


@pytest.mark.parametrize(
    "text",
    ["/x?code=404&state=open", "/x?code=EUR", "/x?token", "/x?token=&a=1", "/x?token=***", "token=a", "?a=token"],
)
def test_other_values_stay(text):
    """A status code is no authorization code, and a key without a value has nothing to hide."""
    assert QUERY.clean(text) is text
    assert not QUERY.may_hide(text)
