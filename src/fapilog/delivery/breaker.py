"""Not asking a receiver that has failed for a while.

    closed ──failures in a row──► open ──reset_seconds──► half-open ──one probe──► closed
                                   ▲                          │
                                   └────────── it fails ──────┘

An error counts as a failure if it is retryable: a receiver that refuses an event is there.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from fapilog.checks import whole
from fapilog.clock import SYSTEM_CLOCK, Clock
from fapilog.delivery.wrapping import Wrapper, finished
from fapilog.errors import CircuitOpenError, SinkError
from fapilog.protocols import Batch, Sink
from fapilog.units import parse_duration

State = Literal["closed", "open", "half-open"]
_BUSY_SECONDS = 0.1


@dataclass(frozen=True)
class BreakerOptions:
    """When a failing sink is left alone.

    Attributes:
        failures: So many failures in a row open the circuit. Default 5.
        reset_seconds: After so long one batch is let through as a probe. Default 10.
    """

    failures: int = 5
    reset_seconds: float | str = 10.0

    def __post_init__(self) -> None:
        """Check the values.

        Raises:
            ConfigError: If one cannot be used.
        """
        whole(self.failures, "with_circuit_breaker(failures)", 1)
        parse_duration(self.reset_seconds, "with_circuit_breaker(reset_seconds)")


class Breaker(Wrapper):
    """Opens its circuit after some failures in a row; while it is open, writes fail at once.

    Args:
        inner: The sink.
        options: When.
        clock: Tells when a probe is due.
        say: Is told when the circuit opens.
        say_closed: Is told when it closes again.

    Attributes:
        state: ``"closed"``, ``"open"`` or ``"half-open"``.
        figures: ``circuit_openings``, how often it opened, and ``circuit_refused``, how many writes were not tried.
    """

    def __init__(
        self,
        inner: Sink,
        options: BreakerOptions,
        clock: Clock = SYSTEM_CLOCK,
        say: Callable[[str], object] = str,
        say_closed: Callable[[str], object] = str,
    ) -> None:
        """Begin closed."""
        super().__init__(inner)
        self.state: State = "closed"
        self.figures = {"circuit_openings": 0, "circuit_refused": 0}
        self._most = options.failures
        self._reset = parse_duration(options.reset_seconds, "with_circuit_breaker(reset_seconds)")
        self._clock = clock
        self._say = say
        self._say_closed = say_closed
        self._failures = 0
        self._probe_at = 0.0
        self._probing = False

    async def open(self) -> None:
        """Begin closed, whatever was before: a forked child's parent may have a probe on its way."""
        self.state = "closed"
        self._failures = 0
        self._probing = False
        await super().open()

    async def write(self, batch: Batch) -> None:
        """Write, unless the circuit is open.

        Raises:
            CircuitOpenError: If it is; ``retry_after`` says when a probe is due.
            SinkError: What the sink raises.
        """
        probe = self._pass()
        try:
            await finished(self.inner.write(batch))
        except SinkError as error:
            self._note(probe=probe, failed=error.retryable)
            raise
        except asyncio.CancelledError:
            # Nobody knows how it would have ended; a probe that was cancelled leaves the next one its turn.
            self._probing = self._probing and not probe
            raise
        self._note(probe=probe, failed=False)

    def health(self) -> dict[str, str]:
        """Return the state of the circuit."""
        return {"circuit": self.state, **({} if self.state == "closed" else {"status": "failing"})}

    def _pass(self) -> bool:
        """Let a write through, and tell whether it is the probe."""
        if self.state == "closed":
            return False
        left = self._probe_at - self._clock.monotonic()
        if left > 0 or self._probing:
            self.figures["circuit_refused"] += 1
            text = f"{self.name}: the circuit is open after {self._failures} failures in a row"
            raise CircuitOpenError(text, retryable=True, retry_after=max(left, _BUSY_SECONDS))
        self.state = "half-open"
        self._probing = True
        return True

    def _note(self, *, probe: bool, failed: bool) -> None:
        if probe:
            self._probing = False
        elif self.state != "closed":
            # Begun before the circuit opened: the probe's end decides.
            return
        if not failed:
            self._failures = 0
            if self.state != "closed":
                self.state = "closed"
                self._say_closed("the circuit is closed again")
            return
        self._failures += 1
        if self.state == "half-open" or self._failures >= self._most:
            if self.state == "closed":
                self.figures["circuit_openings"] += 1
                self._say(f"the circuit is open after {self._failures} failures in a row")
            self.state = "open"
            self._probe_at = self._clock.monotonic() + self._reset
