"""Who may read the debug route (H10)."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fapilog.asgi.debug.auth import Token, is_authorized, tokens_of
from fapilog.errors import ConfigError

TOKEN = Token("s3cret-token")


@pytest.mark.parametrize("token", ["", " ", "two words", "line\n", "s3\tcret", "ümlaut", "\x7f", 12345, b"bytes"])
def test_an_unusable_token_is_refused_and_not_repeated(token: object) -> None:
    """An empty variable must not open the route, and the message must not print what may be a secret."""
    with pytest.raises(ConfigError) as refused:
        Token(token)  # type: ignore[arg-type]

    assert "with_debug_route(token)" in str(refused.value)
    assert str(token).strip() not in str(refused.value) or not str(token).strip()


def test_a_generated_token_is_long_and_new_each_time() -> None:
    """192 bits cannot be guessed."""
    tokens = {Token().reveal() for _ in range(100)}

    assert len(tokens) == 100
    assert min(map(len, tokens)) >= 32


def test_the_repr_shows_no_secret() -> None:
    """A builder that is printed must not leak the token."""
    assert TOKEN.reveal() not in repr(TOKEN)


@pytest.mark.parametrize(
    "header",
    [b"Bearer s3cret-token", b"bearer s3cret-token", b"BEARER   s3cret-token ", b" Bearer s3cret-token"],
)
def test_the_header_opens(header: bytes) -> None:
    """The scheme is case-insensitive (RFC 9110), blanks around are not part of the token."""
    assert is_authorized(TOKEN, [(b"authorization", header)], b"")


@pytest.mark.parametrize(
    "header",
    [b"", b"Bearer", b"Bearer ", b"Bearer wrong", b"Bearer s3cret-toke", b"Bearer s3cret-token2", b"Basic s3cret-token",
     b"s3cret-token", b"Bearer\ts3cret-token", b"Bearer S3CRET-TOKEN", b"Bearer s3cret-token, Bearer s3cret-token",
     b"Bearer \xff\xfe"],
)  # fmt: skip
def test_any_other_header_does_not(header: bytes) -> None:
    """Close is not enough; bytes that are no text are compared, not decoded."""
    assert not is_authorized(TOKEN, [(b"authorization", header)], b"")


def test_a_wrong_header_is_not_saved_by_the_link() -> None:
    """One place decides, so that a stale link does not hide a wrong client."""
    assert not is_authorized(TOKEN, [(b"authorization", b"Bearer wrong")], b"token=s3cret-token")


def test_two_headers_are_refused() -> None:
    """Which of them a proxy in front has checked cannot be known."""
    headers = [(b"authorization", b"Bearer s3cret-token"), (b"Authorization", b"Bearer s3cret-token")]

    assert not is_authorized(TOKEN, headers, b"")


@pytest.mark.parametrize("query", [b"token=s3cret-token", b"a=1&token=s3cret-token", b"token=s3cret%2Dtoken"])
def test_the_ready_link_opens(query: bytes) -> None:
    """A link can carry no header."""
    assert is_authorized(TOKEN, [], query)


@pytest.mark.parametrize(
    "query",
    [b"", b"token", b"token=", b"token=wrong", b"Token=s3cret-token", b"token=s3cret-token&token=s3cret-token",
     b"token=\xff", b"token=%ff%fe", b"&".join([b"a=1"] * 100) + b"&token=s3cret-token"],
)  # fmt: skip
def test_any_other_query_does_not(query: bytes) -> None:
    """No token, a wrong one, two of them, or a query made to keep a parser busy."""
    assert not is_authorized(TOKEN, [], query)


@given(st.binary(max_size=200), st.binary(max_size=200))
def test_whatever_is_sent_it_is_an_answer(header: bytes, query: bytes) -> None:
    """No bytes of a client raise, and none but the token open."""
    opened = is_authorized(TOKEN, [(b"authorization", header)], query)

    assert opened == (header.strip()[:7].lower() == b"bearer " and header.strip()[7:].strip() == b"s3cret-token")
    assert is_authorized(TOKEN, [], query) == (tokens_of(query) == [b"s3cret-token"])
