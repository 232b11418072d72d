"""Figures through OpenTelemetry's instruments; the API only, the SDK is the user's choice.

    reader collects ─► callback of each observable instrument ─► Round ─► source, once a collection
    a batch is settled (the engine's thread) ─► histograms of duration and size
    a request is over (the event loop) ─► http.server.request.duration

There is no observable histogram, which is why those three are recorded when it happens. Without an SDK, or before it
is set, nothing is collected and nothing is kept; what is recorded then is not made up for.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial

from opentelemetry import metrics
from opentelemetry.context import Context
from opentelemetry.metrics import CallbackOptions, Histogram, Meter, MeterProvider, Observation

from fapilog._version import __version__
from fapilog.clock import SYSTEM_CLOCK, Clock
from fapilog.metrics.catalogue import BATCH_SIZE, DELIVERY, ENGINE_METRICS, HTTP_DURATION, Metric
from fapilog.metrics.points import Counts, Family, Point

SCHEMA_URL = "https://opentelemetry.io/schemas/1.44.0"
_ROUND_SECONDS = 1.0
_NOTHING: Mapping[str, Sequence[Point]] = {metric.name: () for metric in ENGINE_METRICS}

Source = Callable[[], Iterable[Family]]
"""Returns the figures of now; called on the thread of the reader that collects."""


class Instruments:
    """The instruments of one meter provider; make one for a provider and process.

    Args:
        provider: Where they are made; None for the global one, also if that is set later.
        source: Tells the figures that are read at collection.
        clock: For the age of figures.
    """

    def __init__(self, provider: MeterProvider | None, source: Source, clock: Clock = SYSTEM_CLOCK) -> None:
        """Make all instruments; nothing is read before a reader collects."""
        meter = _meter(provider)
        answers = Round(source, clock)
        for metric in ENGINE_METRICS:
            observe = partial(_observed, answers, metric)
            if metric.kind == "counter":
                meter.create_observable_counter(metric.name, [observe], metric.unit, metric.help)
            elif metric.kind == "gauge":
                meter.create_observable_gauge(metric.name, [observe], metric.unit, metric.help)
        self._seconds = _histogram(meter, DELIVERY)
        self._events = _histogram(meter, BATCH_SIZE)

    def deliveries_of(self, engine: str) -> Callable[[str, float, int], None]:
        """Return what an engine calls for each batch, with the sink's name, the seconds it took and its events.

        Args:
            engine: The engine's name.
        """
        known: dict[str, dict[str, str]] = {}
        seconds_of, events_in = self._seconds.record, self._events.record

        def record(sink: str, seconds: float, events: int) -> None:
            attributes = known.get(sink)
            if attributes is None:
                attributes = known[sink] = {"engine": engine, "sink": sink}
            seconds_of(seconds, attributes)
            events_in(events, attributes)

        return record


class HttpRecorder:
    """Records the duration of requests; for when nobody else does. Thread-safe.

    Args:
        provider: Where the histogram is made; None for the global one, also if that is set later.
    """

    def __init__(self, provider: MeterProvider | None = None) -> None:
        """Make the histogram; making it again for the same provider gives the same one."""
        self._duration = _histogram(_meter(provider), HTTP_DURATION)

    def record(self, seconds: float, attributes: Mapping[str, str | int], context: Context | None = None) -> None:
        """Count one request.

        Args:
            seconds: How long it took.
            attributes: By the semantic conventions; what a request does not have is left out.
            context: The one with the request's span, which the exemplar names; default the current one.
        """
        self._duration.record(seconds, attributes, context)


class Round:
    """The figures of one collection, read once although each instrument asks on its own.

    A reader asks every instrument once, so each answer is given away once: whoever asks for one that is gone has
    begun the next round. Needs no lock, and so leaves none taken in a forked child: two readers at the same time
    make each other read more often, and get figures of now in any case.

    Args:
        source: Tells the figures.
        clock: Answers that nobody fetched are thrown away after a second: an SDK may ask some instruments only.
    """

    __slots__ = ("_answers", "_clock", "_source", "_until")

    def __init__(self, source: Source, clock: Clock = SYSTEM_CLOCK) -> None:
        """Read nothing yet."""
        self._source = source
        self._clock = clock
        self._answers: dict[str, Sequence[Point]] = {}
        self._until = 0.0

    def points(self, name: str) -> Sequence[Point]:
        """Return the points of a metric, not older than this round; empty if there are none."""
        now = self._clock.monotonic()
        points = self._answers.pop(name, None) if now < self._until else None
        if points is None:
            fresh = {**_NOTHING, **{metric.name: points for metric, points in self._source()}}
            points = fresh.pop(name, ())
            self._answers, self._until = fresh, now + _ROUND_SECONDS
        return points


def is_same(one: MeterProvider | None, other: MeterProvider | None) -> bool:
    """Tell whether two providers are the same one; None is the one that is global now."""
    return (one or metrics.get_meter_provider()) is (other or metrics.get_meter_provider())


def _observed(answers: Round, metric: Metric, _: CallbackOptions) -> list[Observation]:
    return [
        Observation(point.value, _attributes(metric, point.labels))
        for point in answers.points(metric.name)
        if not isinstance(point.value, Counts)
    ]


def _attributes(metric: Metric, labels: Sequence[str]) -> dict[str, str]:
    """Return labels by their names, without the empty ones."""
    return {name: value for name, value in zip(metric.labels, labels, strict=True) if value}


def _meter(provider: MeterProvider | None) -> Meter:
    return (provider or metrics.get_meter_provider()).get_meter("fapilog", __version__, SCHEMA_URL)


def _histogram(meter: Meter, metric: Metric) -> Histogram:
    return meter.create_histogram(
        metric.name, metric.unit, metric.help, explicit_bucket_boundaries_advisory=metric.boundaries
    )
