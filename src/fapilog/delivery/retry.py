"""Asking again, for what may succeed later.

    write ─► asked ─► taken
               │ ─► not retryable ─► raised as it is
               ╰ ─► retryable ─► wait: full jitter below a doubling ceiling, longer if the receiver says so ─► asked …
                        ╰─ the budget is used up ─► raised, with what is left

Full jitter (https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/): many processes that lost the
same receiver do not come back at the same moments.
"""

import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from fapilog.clock import SYSTEM_CLOCK, Clock
from fapilog.delivery.wrapping import FailedPart, Wrapper, asleep, finished
from fapilog.errors import CircuitOpenError, ConfigError, SinkError
from fapilog.protocols import Batch, Sink
from fapilog.units import parse_duration

MOST_ASKED_SECONDS = 300.0
"""The longest wait that a receiver is granted."""


@dataclass(frozen=True)
class RetryOptions:
    """How often an asynchronous sink is asked again.

    Attributes:
        first_seconds: The most that the first wait may take; the next may take twice as long, and so on. Default 0.5.
        max_seconds: The most that any wait may take, unless the receiver asks for more. Default 30.
        budget_seconds: For how long a batch is tried before it is given up; 0 tries once. With a spool it is never
            given up. Default 5 minutes.
    """

    first_seconds: float | str = 0.5
    max_seconds: float | str = 30.0
    budget_seconds: float | str = "5m"

    def __post_init__(self) -> None:
        """Check the values.

        Raises:
            ConfigError: If one cannot be used.
        """
        first = parse_duration(self.first_seconds, "with_retry(first_seconds)")
        if parse_duration(self.max_seconds, "with_retry(max_seconds)") < first:
            raise ConfigError.wrong("with_retry(max_seconds)", self.max_seconds, "at least first_seconds")
        if self.budget_seconds not in (0, "0"):
            parse_duration(self.budget_seconds, "with_retry(budget_seconds)")

    @property
    def budget(self) -> float:
        """``budget_seconds`` as a number."""
        return 0.0 if self.budget_seconds in (0, "0") else parse_duration(self.budget_seconds, "with_retry")


class Retry(Wrapper):
    """Asks the sink inside again while its errors are retryable; only for the events that it did not take.

    Args:
        inner: The sink.
        options: How often.
        endless: Whether a batch is never given up; for a sink behind a spool.
        passes_open: Whether an open circuit is raised at once, for a fallback to take the batch.
        clock: Tells how much of the budget is used.
        sleep: Waits for some seconds.
        share: Returns a number from 0 to 1: which part of the ceiling is waited.
        say: Is told why a batch is tried again.
    """

    def __init__(
        self,
        inner: Sink,
        options: RetryOptions,
        *,
        endless: bool = False,
        passes_open: bool = False,
        clock: Clock = SYSTEM_CLOCK,
        sleep: Callable[[float], Awaitable[None]] = asleep,
        share: Callable[[], float] = random.random,
        say: Callable[[str], object] = str,
    ) -> None:
        """Hold the sink."""
        super().__init__(inner)
        self.figures = {"retries": 0}
        self._failing = False
        self._first = parse_duration(options.first_seconds, "with_retry(first_seconds)")
        self._most = parse_duration(options.max_seconds, "with_retry(max_seconds)")
        self._budget = float("inf") if endless else options.budget
        self._passes_open = passes_open
        self._clock = clock
        self._sleep = sleep
        self._share = share
        self._say = say

    async def write(self, batch: Batch) -> None:
        """Write until everything is taken.

        Raises:
            SinkError: If an error is not retryable, or the budget is used up; it names what was not taken.
        """
        deadline = self._clock.monotonic() + self._budget
        todo = FailedPart(len(batch))
        ceiling = self._first
        while todo.left:
            try:
                await finished(self.inner.write(todo.part(batch)))
            except SinkError as error:
                todo.note(error)
                if not todo.left:
                    break
                passed_on = self._passes_open and isinstance(error, CircuitOpenError)
                wait = max(self._share() * ceiling, min(error.retry_after or 0.0, MOST_ASKED_SECONDS))
                if passed_on or self._clock.monotonic() + wait > deadline:
                    raise todo.given_up(error) from error
                if not isinstance(error, CircuitOpenError):
                    # Refused by an open circuit, the sink was not asked.
                    self.figures["retries"] += 1
                self._failing = True
                self._say(f"tried again: {error}")
                await self._sleep(wait)
                ceiling = min(2 * ceiling, self._most)
            else:
                break
        self._failing = False
        todo.raise_rejected()

    def health(self) -> dict[str, str]:
        """Tell whether the sink is being asked again."""
        return {"status": "failing"} if self._failing else {}
