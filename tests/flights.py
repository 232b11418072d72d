"""What came out of an engine with a flight recorder, and its account."""

from typing import Any

from fapilog import _runtime
from fapilog.flight_options import FlightRecorderOptions
from fapilog.sinks.memory import MemorySink


class Flight:
    """An engine at INFO.

    Args:
        builder: Of any kind; a sink is added.
        recorder: What the flight recorder is set to; None for none.
    """

    def __init__(self, builder: Any, recorder: FlightRecorderOptions | None) -> None:
        self.sink = MemorySink(max_events=100_000)
        self.options = builder.add_sink(self.sink)._set(flight_recorder=recorder).options()
        self.engine = _runtime.build_engine(self.options)

    @property
    def events(self) -> list[dict[str, Any]]:
        """All events so far, in order."""
        assert self.engine.flush(10.0)
        return list(self.sink.events)

    @property
    def messages(self) -> list[str]:
        """Their messages."""
        return [event["message"] for event in self.events]

    @property
    def figures(self) -> dict[str, int]:
        """The account, which balances."""
        figures = self.engine.ledger.figures()
        assert figures["kept"] == sum(figures[name] for name in ("released", "discarded", "evicted", "held"))
        return figures
