"""Failed tries: how many there may be, and what is told about them."""

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fapilog.asgi.debug.tries import MAX_ADDRESSES, MAX_TRIES, REFUSED, Tries
from fapilog.testing import FakeClock

CLIENT = "203.0.113.7"


class Told:
    """Failed tries with a clock that stands, and what was reported."""

    def __init__(self) -> None:
        self.clock = FakeClock()
        self.events: list[tuple[str, Any, Any]] = []
        self.tries = Tries(self.report, self.clock)

    def report(self, message: str, fields: dict[str, Any]) -> None:
        assert message == REFUSED
        self.events.append((fields["client_ip"], fields["reason"], fields["count"]))

    def fail(self, times: int = 1, client: str = CLIENT) -> None:
        for _ in range(times):
            self.tries.fail(client, "wrong_token")


def test_after_ten_an_address_is_shut_out_until_its_minute_is_over() -> None:
    """The minute begins with the first failure."""
    told = Told()
    told.fail(MAX_TRIES - 1)
    told.clock.advance(20)
    assert told.tries.shut_out(CLIENT) == 0
    told.fail()

    assert told.tries.shut_out(CLIENT) == 40
    assert told.tries.shut_out("203.0.113.8") == 0
    told.clock.advance(39.5)
    assert told.tries.shut_out(CLIENT) == 1
    told.clock.advance(0.5)
    assert told.tries.shut_out(CLIENT) == 0
    told.fail(MAX_TRIES - 1)
    assert told.tries.shut_out(CLIENT) == 0


def test_the_first_failure_is_told_and_the_others_are_summed_up() -> None:
    """One event an address and minute, so that an attack does not fill the log."""
    told = Told()
    told.fail(5)
    assert told.events == [(CLIENT, "wrong_token", 1)]
    told.clock.advance(60)
    told.fail()
    assert told.events[1:] == [(CLIENT, "wrong_token", 5)]
    told.fail(2)
    told.clock.advance(60)
    assert told.tries.shut_out("203.0.113.8") == 0

    assert told.events[2:] == [(CLIENT, "wrong_token", 2)]
    assert sum(count for _, _, count in told.events) == 8


def test_the_oldest_address_leaves() -> None:
    """Memory is bounded however many addresses try; what was not told of one that leaves is told then."""
    told = Told()
    told.fail(MAX_TRIES, "client 0")
    for number in range(1, MAX_ADDRESSES):
        told.fail(1, f"client {number}")
    assert told.tries.shut_out("client 0") == 60
    told.fail(1, "one more")

    assert told.tries.shut_out("client 0") == 0
    assert ("client 0", "wrong_token", MAX_TRIES - 1) in told.events
    assert len(told.tries._windows) == MAX_ADDRESSES


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("2001:db8::1", "2001:db8::ffff:1", True), ("2001:db8::1", "2001:db8:0:1::1", False),
        ("::ffff:203.0.113.7", "::ffff:203.0.113.8", False), ("203.0.113.7", "203.0.113.8", False), ("", "", True),
        ("fe80::1%eth0", "fe80::1%eth0", True), ("testclient", "testclient", True),
    ],
)  # fmt: skip
def test_a_network_of_ipv6_is_one_address(one: str, other: str, same: bool) -> None:
    """A single host has 2**64 of them to choose from."""
    told = Told()
    told.fail(MAX_TRIES, one)

    assert bool(told.tries.shut_out(other)) == same
    assert told.events[0][0] == one


@given(st.lists(st.tuples(st.sampled_from(["a", "b", "c"]), st.floats(0, 40)), max_size=80))
def test_no_address_tries_more_often_than_it_may_and_every_failure_is_told(steps: list[tuple[str, float]]) -> None:
    """However failures of several addresses and time come together."""
    told = Told()
    counted: dict[str, list[float]] = {"a": [], "b": [], "c": []}
    tried = 0
    for client, pause in steps:
        told.clock.advance(pause)
        if not told.tries.shut_out(client):
            told.fail(1, client)
            tried += 1
            counted[client].append(told.clock.monotonic())
    told.clock.advance(60)
    told.tries.shut_out("a")

    assert sum(count for _, _, count in told.events) == tried
    for times in counted.values():
        # A minute begins with a failure, so any 60 seconds touch two of them at most.
        assert all(sum(begin <= at < begin + 60 for at in times) <= 2 * MAX_TRIES for begin in times)
        minutes = math.ceil((times[-1] - times[0]) / 60) + 1 if times else 0
        assert len(times) <= MAX_TRIES * minutes


def test_what_was_not_told_yet_is_told_at_the_end() -> None:
    """Nobody may ask again before the process ends; and whoever was shut out stays so."""
    told = Told()
    told.fail(MAX_TRIES + 2)
    told.fail(1, "203.0.113.8")
    told.tries.close()
    told.tries.close()

    assert told.events == [
        (CLIENT, "wrong_token", 1),
        ("203.0.113.8", "wrong_token", 1),
        (CLIENT, "wrong_token", MAX_TRIES + 1),
    ]
    assert told.tries.shut_out(CLIENT) == 60
