"""The figures of an engine as metrics: read when a collector asks, under the locks that the figures are kept under.

Everything that makes a label is bounded: levels are those of the level table, reasons the first 50 that there were;
what is beyond that counts as ``OTHER``, and what has counted as that once does so for good, as counters only grow.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple, TypeVar

from fapilog.delivery.accounts import DELIVERED, DROPPED, FAILED, FILTERED, Accounts
from fapilog.delivery.breaker import Breaker
from fapilog.delivery.retry import Retry
from fapilog.delivery.spooling import Spooling
from fapilog.delivery.wrapping import layers
from fapilog.diagnostics import attempt
from fapilog.engine.channels import Outlets
from fapilog.engine.parts import EngineParts
from fapilog.engine.queue import EventQueue
from fapilog.flight import Ledger
from fapilog.levels import STANDARD_LEVELS
from fapilog.metrics import catalogue as the
from fapilog.metrics.points import Family, Point

OTHER = "OTHER"
MOST_REASONS = 50
OUTCOMES = (DELIVERED, FILTERED, DROPPED, FAILED)
_WITHHELD = (FILTERED, DROPPED, FAILED)
_OF_RECORDER = ("released", "discarded", "evicted")
_STATES = ("closed", "open", "half-open")
_NS = 1_000_000_000
_T = TypeVar("_T")


class _Sink(NamedTuple):
    """What of a sink's metrics its wrappers know."""

    name: str
    retries: Sequence[Retry]
    breakers: Sequence[Breaker]
    spools: Sequence[Spooling]

    def retried(self) -> int:
        return sum(retry.figures["retries"] for retry in self.retries)


class Meter:
    """Reads one engine, from its beginning or its fork on. Thread-safe.

    Args:
        parts: What the engine is made of. Of its redactors those are asked that have a number ``masked``.
    """

    def __init__(self, parts: EngineParts) -> None:
        """Take note of what was counted before."""
        self._name = parts.name
        self._clock = parts.clock
        self._table = parts.levels
        self._recorded = parts.recorded
        self._levels = {number: name for name, number in STANDARD_LEVELS.items()}
        self._reasons: set[str] = set()
        at_call = parts.journal.redactors if parts.journal is not None else ()
        found = [*parts.redactors, *parts.processors, *at_call]
        self._redactors = list({id(redactor): redactor for redactor in found}.values())
        self._sinks = [_sink(output.sink) for output in parts.outputs]
        self._masked_before = self._masked()
        self._retried_before = {sink.name: sink.retried() for sink in self._sinks}

    def families(self, queue: EventQueue, accounts: Accounts, outlets: Outlets, ledger: Ledger) -> list[Family]:
        """Return every metric of ``ENGINE_METRICS``, in that order."""
        masked = self._masked() - self._masked_before
        # Read at once, so that they add up, and before the locks here: nobody who waits for one waits for the other.
        recorded = ledger.figures()
        with accounts.lock, queue.lock:
            figures = accounts.figures(queue.submitted(), queue.dropped)
            found = [
                *self._of_events(figures, accounts, queue),
                (the.MASKED, self._one(masked)),
                *self._of_queue(queue),
                *self._of_sinks(figures["sinks"], accounts),
                *self._of_wrappers(outlets),
                *self._of_recorder(recorded),
            ]
        order = {metric.name: place for place, metric in enumerate(the.ENGINE_METRICS)}
        return sorted(found, key=lambda family: order[family[0].name])

    def _of_events(self, figures: Mapping[str, Any], accounts: Accounts, queue: EventQueue) -> Iterator[Family]:
        levels = Counter({(name, outcome): 0 for name in STANDARD_LEVELS for outcome in OUTCOMES})
        for level, count in accounts.delivered_levels().items():
            levels[self._level(level), DELIVERED] += count
        for (outcome, level), count in accounts.lost_levels.items():
            levels[self._level(level), outcome] += count
        for level, count in queue.dropped_levels.items():
            levels[self._level(level), DROPPED] += count
        known = Counter[str]()
        for (_, outcome), count in levels.items():
            known[outcome] += count
        reasons = Counter[tuple[str, str]]()
        for outcome in OUTCOMES:
            if (rest := _total(figures[outcome]) - known[outcome]) > 0:
                # What was lost late by a spool: it tells only how many.
                levels[OTHER, outcome] += rest
        for outcome in _WITHHELD:
            for reason, count in figures[outcome].items():
                reasons[outcome, self._reason(reason)] += count
        name = self._name
        yield the.EVENTS_TOTAL, [Point((name, level, outcome), count) for (level, outcome), count in levels.items()]
        yield the.LOSSES, [Point((name, *cause), count) for cause, count in reasons.items()]
        yield the.IN_FLIGHT, self._one(figures["in_flight"])

    def _of_queue(self, queue: EventQueue) -> Iterator[Family]:
        items = queue.items
        waited = self._clock.time_ns() - items[0][0] if items else 0
        yield the.QUEUE_DEPTH, self._one(len(items))
        yield the.QUEUE_CAPACITY, self._one(queue.options.capacity)
        yield the.QUEUE_BYTES, self._one(queue.size_bytes())
        yield the.QUEUE_HIGH, self._one(max(queue.high_watermark, len(items)))
        yield the.WORKER_LAG, self._one(max(0, waited) / _NS)

    def _of_sinks(self, rows: Mapping[str, Mapping[str, Any]], accounts: Accounts) -> Iterator[Family]:
        name = self._name
        yield (
            the.SINK_EVENTS,
            [Point((name, sink, it), _total(row[it])) for sink, row in rows.items() for it in OUTCOMES],
        )
        yield the.SINK_IN_FLIGHT, [Point((name, sink), row["in_flight"]) for sink, row in rows.items()]
        sinks = accounts.sinks.items()
        yield the.DELIVERY, [Point((name, sink), account.durations.counts()) for sink, account in sinks]
        yield the.BATCH_SIZE, [Point((name, sink), account.sizes.counts()) for sink, account in sinks]
        spooled = [sink.name for sink in self._sinks if sink.spools]
        yield the.SINK_SPOOLED, [Point((name, sink), rows[sink]["spooled"]) for sink in spooled]

    def _of_wrappers(self, outlets: Outlets) -> Iterator[Family]:
        name, sinks, before = self._name, self._sinks, self._retried_before
        sizes = [(sink.name, spool.figures["pending_bytes"]) for sink in sinks for spool in sink.spools]
        yield the.SPOOL_BYTES, [Point((name, sink), size) for sink, size in sizes]
        yield (
            the.RETRIES,
            [Point((name, sink.name), sink.retried() - before[sink.name]) for sink in sinks if sink.retries],
        )
        circuits = [(sink.name, breaker.state) for sink in sinks for breaker in sink.breakers]
        yield (
            the.CIRCUIT,
            [Point((name, sink, state), int(state == now)) for sink, now in circuits for state in _STATES],
        )
        yield the.PRESSURE, [Point((name, sink), it.level) for sink, it in outlets.pressures.items()]

    def _of_recorder(self, figures: Mapping[str, int]) -> Iterator[Family]:
        is_told = self._recorded or figures["kept"] > 0
        outcomes = [Point((self._name, it), figures[it]) for it in _OF_RECORDER]
        yield the.RECORDER_EVENTS, outcomes if is_told else []
        yield the.RECORDER_HELD, self._one(figures["held"]) if is_told else []
        yield the.RECORDER_BYTES, self._one(figures["bytes"]) if is_told else []

    def _one(self, value: float) -> list[Point]:
        return [Point((self._name,), value)]

    def _level(self, number: int) -> str:
        """Return a level's name, the same one for good whatever is registered later."""
        name = self._levels.get(number)
        if name is None:
            name = self._table.name(number)
            self._levels[number] = name = name if name in self._table.names() else OTHER
        return name

    def _reason(self, reason: str) -> str:
        if reason not in self._reasons:
            if len(self._reasons) >= MOST_REASONS:
                return OTHER
            self._reasons.add(reason)
        return reason

    def _masked(self) -> int:
        return sum(_number(attempt(getattr, redactor, "masked", 0)[0]) for redactor in self._redactors)


def _sink(sink: Any) -> _Sink:
    found = list(layers(sink))
    return _Sink(sink.name, _of_kind(found, Retry), _of_kind(found, Breaker), _of_kind(found, Spooling))


def _of_kind(found: Iterable[Any], kind: type[_T]) -> list[_T]:
    return [layer for layer in found if isinstance(layer, kind)]


def _number(value: Any) -> int:
    return value if type(value) is int else 0


def _total(figure: int | Mapping[str, int]) -> int:
    return figure if isinstance(figure, int) else sum(figure.values())
