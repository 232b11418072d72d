"""Signed values for ``X-Log-Level``: what is taken, what is refused, and what nobody can make without the token."""

import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fapilog.asgi.debug import level_token
from fapilog.asgi.debug.auth import Token
from fapilog.asgi.debug.level_tokens import (
    EXPIRED,
    MALFORMED,
    MAX_BYTES,
    REPEATED,
    TOO_FAR_AHEAD,
    TOO_LONG,
    UNKNOWN_LEVEL,
    WRONG_SIGNATURE,
    LevelTokens,
    Wish,
)
from fapilog.asgi.debug.tickets import signer_of
from fapilog.errors import ConfigError
from fapilog.levels import LevelTable
from fapilog.testing import FakeClock

SECRET = "s3cret-token"
DAY = 86_400


def tokens(clock: FakeClock | None = None, secret: str = SECRET, levels: LevelTable | None = None) -> LevelTokens:
    return LevelTokens(Token(secret), levels or LevelTable(), clock or FakeClock())


def test_what_is_made_is_taken_until_it_ends() -> None:
    """Good for the ten minutes, not a moment longer, and as long as the level says which level."""
    clock = FakeClock()
    value = level_token(SECRET, clock=clock).encode()

    assert tokens(clock).verify(value) == Wish(10, 600.0)
    clock.advance(599.999)
    assert isinstance(tokens(clock).verify(value), Wish)
    clock.advance(0.001)
    assert tokens(clock).verify(value) == EXPIRED


def test_the_wall_clock_decides() -> None:
    """The value may be made on another machine; a clock that is stepped past the end ends it."""
    clock = FakeClock()
    value = level_token(SECRET, clock=clock).encode()

    clock.step(600)

    assert tokens(clock).verify(value) == EXPIRED


@pytest.mark.parametrize(
    ("level", "number"), [("DEBUG", 10), ("debug", 10), (" Warn ", 30), (15, 15), ("LEVEL_7", 7), (40, 40)]
)
def test_levels_are_given_by_name_in_any_case_or_by_number(level: str | int, number: int) -> None:
    """As everywhere else."""
    clock = FakeClock()

    wish = tokens(clock).verify(level_token(SECRET, level, clock=clock).encode())

    assert isinstance(wish, Wish)
    assert wish.levelno == number


def test_a_name_that_is_known_here_only_is_refused_there() -> None:
    """Numbers go everywhere; names of one's own have to be registered on both sides."""
    ours = LevelTable()
    ours.register("TRACE", 5)
    clock = FakeClock()
    value = tokens(clock, levels=ours).make(5, 60).encode()

    assert tokens(clock, levels=ours).verify(value) == Wish(5, 60.0)
    assert tokens(clock).verify(value) == UNKNOWN_LEVEL


@given(secret=st.text(string.ascii_letters + string.punctuation, min_size=1), level=st.integers(0, 1000))
def test_any_token_and_level_make_a_header(secret: str, level: int) -> None:
    """Printable ASCII without blanks, commas and quotes, not long, and it does not show the secret."""
    clock = FakeClock()
    value = level_token(secret, level, "1h", clock=clock)

    assert set(value) <= set(string.ascii_letters + string.digits + "._-")
    assert len(value) <= MAX_BYTES
    assert tokens(clock, secret).verify(value.encode()) == Wish(level, 3600.0)


@given(place=st.integers(0, 64), byte=st.integers(0, 255))
def test_no_byte_can_be_changed(place: int, byte: int) -> None:
    """Neither level, nor end, nor signature, nor the bits of the last digit that base64 leaves over."""
    clock = FakeClock()
    value = bytearray(level_token(SECRET, clock=clock).encode())
    place = place % len(value)
    changed = value.copy()
    changed[place] = byte

    verdict = tokens(clock).verify(bytes(changed))

    assert (verdict == Wish(10, 600.0)) == (changed == value)
    assert changed == value or verdict in {MALFORMED, REPEATED, WRONG_SIGNATURE}


def test_every_bit_counts() -> None:
    """The same for each of the bits there are, one after the other."""
    clock = FakeClock()
    value = level_token(SECRET, clock=clock).encode()

    for bit in range(8 * len(value)):
        changed = bytearray(value)
        changed[bit // 8] ^= 1 << bit % 8
        assert not isinstance(tokens(clock).verify(bytes(changed)), Wish)


@given(st.binary(max_size=300))
def test_anything_else_is_refused(value: bytes) -> None:
    """Whatever comes over the wire is refused in one of these words and raises nothing."""
    assert tokens().verify(value) in {MALFORMED, REPEATED, TOO_LONG, WRONG_SIGNATURE}


def test_the_key_of_another_token_or_purpose_signs_nothing_here() -> None:
    """A one-time link is signed with the same token, and asks for no level."""
    clock = FakeClock()
    own = tokens(clock)

    assert own.verify(level_token("other", clock=clock).encode()) == WRONG_SIGNATURE
    ticket = signer_of(Token(SECRET), clock).make(60).encode()
    assert own.verify(ticket) == MALFORMED
    assert Token(SECRET).key(b"level") != Token(SECRET).key(b"ticket")


def test_an_end_too_far_ahead_is_refused() -> None:
    """Somebody who has the token must not make a value that lives for ever, even by hand."""
    clock = FakeClock()

    assert isinstance(tokens(clock).verify(tokens(clock).make(10, DAY).encode()), Wish)
    assert tokens(clock).verify(tokens(clock).make(10, DAY + 2).encode()) == TOO_FAR_AHEAD
    clock.advance(0.25)
    assert isinstance(tokens(clock).verify(tokens(clock).make(10, DAY).encode()), Wish)


def test_two_headers_and_long_ones_are_refused() -> None:
    """Which one would count is nobody's guess; a megabyte is not looked at."""
    clock = FakeClock()
    value = level_token(SECRET, clock=clock).encode()

    assert tokens(clock).verify(value + b", " + value) == REPEATED
    assert tokens(clock).verify(value + b" " * 200) == TOO_LONG
    assert tokens(clock).verify("ünicode".encode()) == MALFORMED
    assert tokens(clock).verify(value + b" ") == MALFORMED


@pytest.mark.parametrize(
    ("arguments", "where"),
    [
        ((None,), "token"),
        (("",), "token"),
        (("two words",), "token"),
        ((SECRET, "LOUD"), "level"),
        ((SECRET, True), "level"),
        ((SECRET, "DEBUG", 0), "ttl_seconds"),
        ((SECRET, "DEBUG", "25h"), "ttl_seconds"),
        ((SECRET, "DEBUG", float("nan")), "ttl_seconds"),
        ((SECRET, "DEBUG", "soon"), "ttl_seconds"),
    ],
)
def test_what_cannot_be_used_is_refused_and_the_token_not_shown(arguments: tuple[object, ...], where: str) -> None:
    """The error says which argument was wrong."""
    with pytest.raises(ConfigError) as refused:
        level_token(*arguments)  # type: ignore[arg-type]

    assert f"level_token({where})" in str(refused.value)
    assert "two words" not in str(refused.value)
    assert SECRET not in str(refused.value)


def test_the_repr_shows_no_secret() -> None:
    """A console that is printed must not leak its key."""
    assert SECRET not in repr(tokens())
