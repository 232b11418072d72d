"""A sink that keeps failing is left alone, and tried again by one batch."""

import asyncio
from typing import Any

import pytest

from fapilog.delivery.breaker import Breaker, BreakerOptions
from fapilog.errors import CircuitOpenError, ConfigError, SinkError
from fapilog.testing.fakes import FakeClock
from tests.delivery.receivers import Receiver, batch_of

pytestmark = pytest.mark.asyncio


class Circuit:
    """A breaker with a clock, and a receiver that is told whether it is down."""

    def __init__(self) -> None:
        self.down = True
        self.receiver = Receiver(answer=lambda _: SinkError("down", retryable=True) if self.down else None)
        self.clock = FakeClock()
        self.said: list[str] = []
        self.breaker = Breaker(
            self.receiver, BreakerOptions(3, reset_seconds=10), self.clock, self.said.append, self.said.append
        )

    async def write(self) -> Exception | None:
        try:
            await self.breaker.write(batch_of([1]))
        except SinkError as error:
            return error
        return None


async def test_it_opens_after_failures_in_a_row_and_asks_nobody() -> None:
    """Open: the error says when a probe is due, and the receiver is left alone."""
    circuit = Circuit()
    for _ in range(3):
        assert circuit.breaker.state == "closed"
        await circuit.write()

    error = await circuit.write()

    assert isinstance(error, CircuitOpenError)
    assert error.retryable
    assert error.retry_after == 10
    assert len(circuit.receiver.writes) == 3
    assert circuit.breaker.health() == {"circuit": "open", "status": "failing"}
    assert circuit.breaker.figures == {"circuit_openings": 1, "circuit_refused": 1}


async def test_a_success_in_between_starts_the_count_anew() -> None:
    """Only failures in a row open it."""
    circuit = Circuit()
    for down in (True, True, False, True, True):
        circuit.down = down
        await circuit.write()

    assert circuit.breaker.state == "closed"


async def test_one_probe_closes_it() -> None:
    """After the time the next batch is let through; everything is well from then on."""
    circuit = Circuit()
    for _ in range(3):
        await circuit.write()
    circuit.clock.advance(10)
    circuit.down = False

    assert await circuit.write() is None
    assert circuit.breaker.state == "closed"
    assert circuit.breaker.health() == {"circuit": "closed"}
    assert circuit.said == ["the circuit is open after 3 failures in a row", "the circuit is closed again"]


async def test_a_probe_that_fails_opens_it_for_as_long_again() -> None:
    """One failure is enough then."""
    circuit = Circuit()
    for _ in range(3):
        await circuit.write()
    circuit.clock.advance(10)
    await circuit.write()

    assert circuit.breaker.state == "open"
    assert isinstance(await circuit.write(), CircuitOpenError)
    assert len(circuit.receiver.writes) == 4
    assert circuit.breaker.figures["circuit_openings"] == 1


async def test_only_one_probe_at_a_time_and_a_cancelled_one_leaves_its_turn() -> None:
    """Half-open: others are refused while the probe is on its way."""
    circuit = Circuit()
    for _ in range(3):
        await circuit.write()
    circuit.clock.advance(10)
    gate = asyncio.Event()

    async def waiting(batch: Any) -> None:
        circuit.receiver.writes.append(len(batch))
        await gate.wait()

    circuit.receiver.write = waiting  # type: ignore[method-assign]
    probe = asyncio.ensure_future(circuit.write())
    await asyncio.sleep(0)

    assert circuit.breaker.state == "half-open"
    assert isinstance(await circuit.write(), CircuitOpenError)
    probe.cancel()
    await asyncio.wait({probe})
    gate.set()
    assert await circuit.write() is None
    assert circuit.breaker.state == "closed"


async def test_a_refused_event_is_no_failure_of_the_receiver() -> None:
    """An error that is not retryable shows that the receiver is there."""
    receiver = Receiver(answer=lambda _: SinkError("bad"))
    breaker = Breaker(receiver, BreakerOptions(1), FakeClock())
    for _ in range(5):
        with pytest.raises(SinkError):
            await breaker.write(batch_of([1]))

    assert breaker.state == "closed"


async def test_what_began_before_the_opening_decides_nothing() -> None:
    """With several batches in flight one that ends while the probe is on its way lets no second probe through."""
    circuit = Circuit()
    gates = [asyncio.Event(), asyncio.Event()]
    ends: list[Exception | None] = [SinkError("down", retryable=True), None]

    async def waiting(batch: Any) -> None:
        number = batch.events[0]["number"]
        await gates[number].wait()
        if ends[number] is not None:
            raise ends[number]

    write, circuit.receiver.write = circuit.receiver.write, waiting  # type: ignore[method-assign]
    old = asyncio.ensure_future(circuit.breaker.write(batch_of([0])))
    await asyncio.sleep(0)
    circuit.receiver.write = write  # type: ignore[method-assign]
    for _ in range(3):
        await circuit.write()
    circuit.clock.advance(10)
    circuit.receiver.write = waiting  # type: ignore[method-assign]
    probe = asyncio.ensure_future(circuit.breaker.write(batch_of([1])))
    await asyncio.sleep(0)
    gates[0].set()
    await asyncio.wait({old})

    assert isinstance(old.exception(), SinkError)
    assert isinstance(await circuit.write(), CircuitOpenError)
    gates[1].set()
    await probe
    assert circuit.breaker.state == "closed"


async def test_opening_begins_closed() -> None:
    """In a forked child a probe of the parent's, on its way at the fork, comes back to nobody."""
    circuit = Circuit()
    for _ in range(3):
        await circuit.write()
    circuit.breaker._probing = True
    circuit.down = False

    await circuit.breaker.open()

    assert circuit.breaker.state == "closed"
    assert await circuit.write() is None


@pytest.mark.parametrize("options", [{"failures": 0}, {"failures": True}, {"reset_seconds": "soon"}])
async def test_wrong_options_are_refused(options: dict[str, Any]) -> None:
    """The error names the method."""
    with pytest.raises(ConfigError, match="with_circuit_breaker"):
        BreakerOptions(**options)
