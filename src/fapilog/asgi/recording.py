"""The flight recorder of a request: what is kept of it comes out if it fails or is slow, before its last event.

``error``   the application raised, stopped in the middle of its answer, or answered with 500 or above; a WebSocket
            that the application closed with a server's code. A client that leaves is no error.
``slow``    the last byte of the answer came after ``slow_seconds`` or more. Not for WebSockets, which are long by
            nature; and not for background tasks, which come after the answer.
"""

from collections.abc import Callable
from typing import Any, Protocol

from fapilog import _runtime
from fapilog.flight import FIELD, Ledger, Limits, Recorder
from fapilog.flight_options import ERROR, SLOW, FlightRecorderOptions
from fapilog.units import parse_duration

RELEASED, EVICTED = "flight_recorder_released", "flight_recorder_evicted"
_NANOSECONDS = 1_000_000_000


class Recorded(Protocol):
    """What has a recorder: an exchange."""

    recorder: "RequestRecorder | None"


class _Rules:
    """When the events of a request come out.

    Attributes:
        on_error: Whether if it fails.
        slow_ns: From which duration on, in nanoseconds; None for never.
    """

    def __init__(self, options: FlightRecorderOptions) -> None:
        """Work out what the options mean."""
        slow = parse_duration(options.slow_seconds, "with_flight_recorder(slow_seconds)")
        self.on_error = ERROR in options.on
        self.slow_ns = int(slow * _NANOSECONDS) if SLOW in options.on else None


class RequestRecorder(Recorder):
    """The recorder of one request, which knows when its events come out."""

    def __init__(self, limits: Limits, ledger: Ledger, rules: _Rules) -> None:
        """Start with nothing."""
        super().__init__(limits, ledger)
        self._rules = rules

    def end(self, failed: bool, duration_ns: int | None) -> dict[str, Any] | None:  # noqa: FBT001 - for attempt()
        """Let the events out, or forget them; never blocks.

        Args:
            failed: Whether the request has failed.
            duration_ns: How long its answer took; None where that does not count.

        Returns:
            Fields for the completion event; None if nothing came out.
        """
        reason = None
        if failed and self._rules.on_error:
            reason = ERROR
        elif duration_ns is not None and self._rules.slow_ns is not None and duration_ns >= self._rules.slow_ns:
            reason = SLOW
        outcome = self.finish(reason)
        if reason is None or not (outcome.released or outcome.evicted):
            return None
        fields = {FIELD: reason, RELEASED: outcome.released}
        return {**fields, EVICTED: outcome.evicted} if outcome.evicted else fields


def recording_of(options: Any) -> Callable[[Recorded], RequestRecorder] | None:
    """Return what begins the recorder of a request; None if none is configured.

    Args:
        options: The value that a builder's ``options()`` returns.

    Raises:
        ConfigError: If its level is not known.
    """
    chosen: FlightRecorderOptions | None = options.flight_recorder
    if chosen is None:
        return None
    where = options.sources.get("flight_recorder.level", "with_flight_recorder(level)")
    limits = Limits.of(chosen, _runtime.origin("root").queue.levels.number, where)
    rules = _Rules(chosen)

    def begin(exchange: Recorded) -> RequestRecorder:
        made = RequestRecorder(limits, _runtime.default_engine().ledger, rules)
        exchange.recorder = made
        return made

    return begin
