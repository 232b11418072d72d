"""Signed values, and the links that open once."""

from urllib.parse import parse_qs, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fapilog.asgi.debug import one_time_link
from fapilog.asgi.debug.auth import Token
from fapilog.asgi.debug.signed import Signer
from fapilog.asgi.debug.tickets import EXPIRED, FORGED, MAX_USED, TOO_MANY, USED, Tickets, signer_of
from fapilog.clock import SYSTEM_CLOCK
from fapilog.errors import ConfigError
from fapilog.testing import FakeClock

TOKEN = Token("s3cret-token")
KEY = TOKEN.key(b"test")


def tickets(clock: FakeClock) -> Tickets:
    return Tickets(signer_of(TOKEN, clock))


def ticket_in(link: str) -> bytes:
    [ticket] = parse_qs(urlsplit(link).query)["once"]
    return ticket.encode()


@given(st.one_of(st.none(), st.floats(1, 10_000_000)), st.data())
def test_any_flipped_bit_is_refused(seconds: float | None, data: st.DataObject) -> None:
    """End, nonce and signature are taken in the one spelling in which they were made."""
    signer = Signer(KEY, FakeClock())
    value = signer.make(seconds).encode()
    at = data.draw(st.integers(0, 8 * len(value) - 1))
    flipped = bytearray(value)
    flipped[at // 8] ^= 1 << at % 8

    assert signer.find(value) is not None
    assert signer.find(bytes(flipped)) is None


@given(st.binary(max_size=200))
def test_no_bytes_raise_and_none_pass(value: bytes) -> None:
    """Whatever a client sends is compared, not trusted to be text."""
    assert Signer(KEY).find(value) is None
    assert Signer(KEY).find(Signer(KEY).make(60).encode() + value) is None or not value


@pytest.mark.parametrize(
    "change", [str.upper, lambda it: f" {it}", lambda it: it + "\n", lambda it: it.replace(".", "")]
)
def test_another_spelling_is_refused(change: object) -> None:
    """A value that was used cannot be used again by writing it otherwise."""
    value = Signer(KEY).make(60)

    assert Signer(KEY).find(change(value).encode()) is None  # type: ignore[operator]


@given(st.floats(0.001, 100_000))
def test_a_value_holds_to_its_end_and_not_a_second_longer(seconds: float) -> None:
    """By the wall clock, which two processes share."""
    clock = FakeClock()
    signer = Signer(KEY, clock)
    value = signer.make(seconds).encode()

    clock.advance(seconds - 0.001 if seconds > 0.001 else 0)
    found = signer.find(value)
    assert found is not None
    assert not found.expired
    clock.advance(1.01)
    found = signer.find(value)
    assert found is not None
    assert found.expired


def test_a_value_of_another_key_is_told_from_a_forged_one() -> None:
    """A page that is left open over a restart with a new token must not count as an attack."""
    mine, other = Signer(KEY), Signer(Token("other").key(b"test"))

    assert mine.is_of_this_key(mine.make(60).encode())
    assert not mine.is_of_this_key(other.make(60).encode())
    assert mine.find(other.make(60).encode()) is None


def test_a_ticket_is_taken_once() -> None:
    """Whoever has the link first."""
    clock = FakeClock()
    taken = tickets(clock)
    first, second = (ticket_in(one_time_link("s3cret-token", clock=clock)) for _ in range(2))

    assert [taken.take(first), taken.take(first), taken.take(second)] == ["", USED, ""]


def test_a_ticket_of_another_token_or_too_old_is_not_taken() -> None:
    """Ten minutes, or what was asked for."""
    clock = FakeClock()
    ticket = ticket_in(one_time_link("s3cret-token", clock=clock))
    short = ticket_in(one_time_link("s3cret-token", ttl_seconds="5s", clock=clock))
    other = ticket_in(one_time_link("another", clock=clock))
    clock.advance(599)

    assert [tickets(clock).take(each) for each in (ticket, short, other, b"")] == ["", EXPIRED, FORGED, FORGED]
    clock.advance(1)
    assert tickets(clock).take(ticket) == EXPIRED


def test_what_was_taken_is_bounded_and_never_taken_again() -> None:
    """When the memory is full nothing is forgotten before its end: no more are taken instead."""
    clock = FakeClock()
    signer = signer_of(TOKEN, clock)
    taken = Tickets(signer)
    of_the_start = signer.make(None).encode()
    early = [of_the_start, *(signer.make(10).encode() for _ in range(MAX_USED // 2))]
    late = [signer.make(1000).encode() for _ in range(MAX_USED - len(early) + 2)]
    results = [taken.take(ticket) for ticket in (*early, *late)]

    assert results == [""] * MAX_USED + [TOO_MANY] * 2
    assert taken.take(late[0]) == USED
    clock.advance(11)
    assert [taken.take(late[-1]), taken.take(late[0]), taken.take(early[1])] == ["", USED, EXPIRED]
    assert taken.take(of_the_start) == USED


def test_the_link_does_not_have_the_token_in_it() -> None:
    """It may be seen by others once it was opened."""
    link = one_time_link("s3cret-token", "/figures", "https://shop.example:8443/api/")

    assert link.startswith("https://shop.example:8443/api/figures?once=")
    assert "s3cret-token" not in link


@pytest.mark.parametrize(
    ("arguments", "where"),
    [
        ({"token": ""}, "one_time_link(token)"), ({"token": None}, "one_time_link(token)"),
        ({"token": "a b"}, "one_time_link(token)"), ({"path": "figures"}, "one_time_link(path)"),
        ({"base": "127.0.0.1:8000"}, "one_time_link(base)"), ({"base": "javascript:alert(1)"}, "one_time_link(base)"),
        ({"base": 7}, "one_time_link(base)"), ({"ttl_seconds": 0}, "one_time_link(ttl_seconds)"),
        ({"ttl_seconds": "2d"}, "one_time_link(ttl_seconds)"),
    ],
)  # fmt: skip
def test_wrong_arguments_are_refused(arguments: dict[str, object], where: str) -> None:
    """It names the argument, and does not show the token."""
    with pytest.raises(ConfigError) as refused:
        one_time_link(**{"token": "s3cret-token", **arguments})  # type: ignore[arg-type]

    assert str(refused.value).startswith(f"{where}: ")
    assert "s3cret-token" not in str(refused.value)


def test_the_system_clock_is_the_default() -> None:
    """A link that a script prints is held against the wall clock of the application."""
    assert Tickets(signer_of(TOKEN, SYSTEM_CLOCK)).take(ticket_in(one_time_link("s3cret-token"))) == ""
