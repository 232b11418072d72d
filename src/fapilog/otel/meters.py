"""Figures through OpenTelemetry's instruments; the API only, the SDK is the user's choice.

    reader collects ─► callback of each observable instrument ─► Round ─► source, once a collection
    a batch is settled (the engine's thread) ─► Recording ─► histograms of duration and size
    a request is over (the event loop) ─► Recording ─► http.server.request.duration

There is no observable histogram, which is why those three are told when it happens, and recorded by a thread that
nothing waits for but a collection. Without an SDK, or before it is set, nothing is collected and nothing is kept; what
is told then is not made up for.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial

from opentelemetry import metrics
from opentelemetry.context import Context, get_current
from opentelemetry.metrics import CallbackOptions, Histogram, Meter, MeterProvider, NoOpHistogram, Observation

from fapilog._version import __version__
from fapilog.clock import SYSTEM_CLOCK, Clock
from fapilog.metrics.catalogue import BATCH_SIZE, DELIVERY, ENGINE_METRICS, HTTP_DURATION, Metric
from fapilog.metrics.points import Counts, Family, Point
from fapilog.otel.recording import Recording
from fapilog.otel.semconv import SCHEMA_URL

LOST = "fapilog.measurements.lost"
_ROUND_SECONDS = 1.0
_NOTHING: Mapping[str, Sequence[Point]] = {metric.name: () for metric in ENGINE_METRICS}

Source = Callable[[], Iterable[Family]]
"""Returns the figures of now; called on the thread of the reader that collects."""


class Instruments:
    """The instruments of one meter provider; make one for a provider and process.

    Args:
        provider: Where they are made; None for the global one, also if that is set later.
        source: Tells the figures that are read at collection.
        recording: Records for the histograms; the process's.
        clock: For the age of figures.
    """

    def __init__(
        self, provider: MeterProvider | None, source: Source, recording: Recording, clock: Clock = SYSTEM_CLOCK
    ) -> None:
        """Make all instruments; nothing is read before a reader collects."""
        meter = _meter(provider)
        _wait_at_collection(meter, recording)
        answers = Round(source, clock)
        for metric in ENGINE_METRICS:
            observe = partial(_observed, answers, metric)
            if metric.kind == "counter":
                meter.create_observable_counter(metric.name, [observe], metric.unit, metric.help)
            elif metric.kind == "gauge":
                meter.create_observable_gauge(metric.name, [observe], metric.unit, metric.help)
        self._seconds = _histogram(meter, DELIVERY)
        self._events = _histogram(meter, BATCH_SIZE)
        self._recording = recording

    def deliveries_of(self, engine: str) -> Callable[[str, float, int], None]:
        """Return what an engine calls for each batch, with the sink's name, the seconds it took and its events.

        Args:
            engine: The engine's name.
        """
        known: dict[str, dict[str, str]] = {}
        both, hand_over = self._record, self._recording.hand_over
        histogram = self._seconds

        def tell(sink: str, seconds: float, events: int) -> None:
            if _is_recorded(histogram):
                attributes = known.get(sink)
                if attributes is None:
                    attributes = known[sink] = {"engine": engine, "sink": sink}
                hand_over(both, seconds, events, attributes)

        return tell

    def _record(self, seconds: float, events: int, attributes: Mapping[str, str]) -> None:
        self._seconds.record(seconds, attributes)
        self._events.record(events, attributes)


class HttpRecorder:
    """Records the duration of requests; for when nobody else does. Thread-safe.

    Args:
        provider: Where the histogram is made; None for the global one, also if that is set later.
        recording: Records for the histogram; the process's.
    """

    def __init__(self, provider: MeterProvider | None, recording: Recording) -> None:
        """Make the histogram; making it again for the same provider gives the same one."""
        meter = _meter(provider)
        _wait_at_collection(meter, recording)
        self._duration = _histogram(meter, HTTP_DURATION)
        self._recording = recording

    def record(self, seconds: float, attributes: Mapping[str, str | int], context: Context | None = None) -> None:
        """Count one request, soon.

        Args:
            seconds: How long it took.
            attributes: By the semantic conventions; what a request does not have is left out. Not copied.
            context: The one with the request's span, which the exemplar names; default the current one.
        """
        if _is_recorded(self._duration):
            self._recording.hand_over(self._duration.record, seconds, attributes, context or get_current())


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


def _is_recorded(histogram: Histogram) -> bool:
    """Tell whether there is an SDK behind a histogram: one of the global provider may get it later."""
    real = getattr(histogram, "_real_instrument", histogram)
    return real is not None and type(real) is not NoOpHistogram


def _wait_at_collection(meter: Meter, recording: Recording) -> None:
    """Let every collection have what was told before it: an SDK asks observable instruments before it reads the others.

    The instrument that stands for that has no point unless something was lost. All recorders of a process share their
    recording, so it does not matter that of several equal instruments the SDK asks the first one only.
    """

    def caught_up(options: CallbackOptions) -> list[Observation]:
        # With half the time that there is, the other half is for the figures.
        recording.catch_up(options.timeout_millis / 2000)
        return [Observation(recording.lost)] if recording.lost else []

    meter.create_observable_counter(LOST, [caught_up], "{measurement}", "Measurements that no histogram got in time.")
