"""The token: how it is shown, and what it is good for (H10)."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fapilog.asgi.debug.auth import Token, bearer_of
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


def test_keys_differ_by_purpose_and_by_token() -> None:
    """What is signed for one purpose must not pass for another."""
    keys = {token.key(purpose) for token in (TOKEN, Token("other")) for purpose in (b"ticket", b"session")}

    assert len(keys) == 4
    assert all(len(key) == 32 for key in keys)
    assert TOKEN.key(b"ticket") == Token("s3cret-token").key(b"ticket")


@pytest.mark.parametrize(
    "header",
    [b"Bearer s3cret-token", b"bearer s3cret-token", b"BEARER   s3cret-token ", b" Bearer s3cret-token"],
)
def test_the_header_opens(header: bytes) -> None:
    """The scheme is case-insensitive (RFC 9110), blanks around are not part of the token."""
    shown = bearer_of([(b"Authorization", header)])

    assert shown is not None
    assert TOKEN.matches(shown)


@pytest.mark.parametrize(
    "header",
    [b"Bearer", b"Bearer ", b"Bearer wrong", b"Bearer s3cret-toke", b"Bearer s3cret-token2",
     b"Bearer S3CRET-TOKEN", b"Bearer s3cret-token, Bearer s3cret-token", b"Bearer \xff\xfe",
     "Bearer s3cret-tökén".encode()],
)  # fmt: skip
def test_any_other_token_is_a_wrong_one(header: bytes) -> None:
    """Close is not enough; bytes that are no text are compared, not decoded."""
    shown = bearer_of([(b"authorization", header)])

    assert shown is not None
    assert not TOKEN.matches(shown)


@pytest.mark.parametrize("header", [b"", b"Basic s3cret-token", b"s3cret-token", b"Bearer\ts3cret-token", b"Bearers x"])
def test_another_scheme_shows_no_token(header: bytes) -> None:
    """A proxy in front may have its own, and the browser sends that with every request: it is no attempt at ours."""
    assert bearer_of([(b"authorization", header)]) is None


def test_two_headers_are_a_wrong_token() -> None:
    """Which of them a proxy in front has checked cannot be known."""
    header = (b"authorization", b"Bearer s3cret-token")

    assert bearer_of([header, header]) == b""
    assert bearer_of([header, (b"Authorization", b"Basic x")]) == b""


@given(st.binary(max_size=200))
def test_whatever_is_sent_only_the_token_opens(header: bytes) -> None:
    """No bytes of a client raise."""
    shown = bearer_of([(b"authorization", header)])

    opened = shown is not None and TOKEN.matches(shown)
    assert opened == (header.strip()[:7].lower() == b"bearer " and header.strip()[7:].strip() == b"s3cret-token")
