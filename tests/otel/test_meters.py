"""Figures through OpenTelemetry's instruments, as the SDK's own readers get them."""

import os
import subprocess
import sys
import threading
from collections.abc import Iterable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry import metrics
from opentelemetry.sdk.metrics import Counter, MeterProvider, ObservableCounter
from opentelemetry.sdk.metrics.export import (
    AggregationTemporality,
    InMemoryMetricReader,
    MetricExporter,
    MetricExportResult,
    MetricsData,
    PeriodicExportingMetricReader,
)
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.semconv.schemas import Schemas
from opentelemetry.trace import set_span_in_context

import fapilog
from fapilog import _version
from fapilog.flight import Recorder
from fapilog.flight_options import FlightRecorderOptions
from fapilog.metrics.catalogue import (
    BATCH_SIZE,
    DELIVERY,
    ENGINE_METRICS,
    EVENTS_TOTAL,
    HTTP_DURATION,
    LOSSES,
    QUEUE_DEPTH,
    RECORDER_BYTES,
    RECORDER_EVENTS,
    RECORDER_HELD,
    Metric,
)
from fapilog.metrics.points import Counts, Family, Point
from fapilog.otel.meters import SCHEMA_URL, HttpRecorder, Instruments, Round
from fapilog.otel.recording import Recording
from fapilog.testing import FakeClock
from tests.engine.sinks import Keeping
from tests.engine.test_recorder_metrics import LIMITS, keep

RECORDING = Recording()
DELTA = AggregationTemporality.DELTA
OBSERVED = [metric for metric in ENGINE_METRICS if metric.kind != "histogram"]
Points = dict[frozenset[tuple[str, Any]], Any]


def provider_with(*readers: Any) -> MeterProvider:
    return MeterProvider(readers, shutdown_on_exit=False)


def points_in(data: MetricsData | None) -> dict[str, Points]:
    """Return what a reader got: by metric and attributes the SDK's data points."""
    found: dict[str, Points] = {}
    for of_resource in data.resource_metrics if data else ():
        for of_scope in of_resource.scope_metrics:
            assert of_scope.scope.name == "fapilog"
            for metric in of_scope.metrics:
                assert metric.name not in found
                points = {frozenset((point.attributes or {}).items()): point for point in metric.data.data_points}
                assert len(points) == len(metric.data.data_points)
                found[metric.name] = points
    return found


def values_in(data: MetricsData | None, metric: Metric) -> dict[frozenset[tuple[str, Any]], float]:
    return {attributes: point.value for attributes, point in points_in(data).get(metric.name, {}).items()}


def expected(families: Iterable[Family]) -> dict[str, dict[frozenset[tuple[str, str]], float]]:
    """Return what the families mean, without the histograms and what has no points."""
    return {
        metric.name: {
            frozenset((name, label) for name, label in zip(metric.labels, point.labels, strict=True) if label): value
            for point in points
            if not isinstance(value := point.value, Counts)
        }
        for metric, points in families
        if metric.kind != "histogram" and points
    }


class Rising:
    """A source that tells how often it was asked, for every metric."""

    def __init__(self) -> None:
        self.asked = 0

    def __call__(self) -> list[Family]:
        self.asked += 1
        return [(metric, [Point(("x",) * len(metric.labels), self.asked)]) for metric in OBSERVED]


def test_a_collection_reads_the_figures_once() -> None:
    """Each instrument asks, and all get figures of one and the same moment."""
    source, reader = Rising(), InMemoryMetricReader()
    Instruments(provider_with(reader), source, RECORDING)
    assert source.asked == 0

    for collection in (1, 2, 3):
        found = points_in(reader.get_metrics_data())
        assert {name: {point.value for point in points.values()} for name, points in found.items()} == {
            metric.name: {collection} for metric in OBSERVED
        }
    assert source.asked == 3


def test_two_readers_each_get_the_figures_of_their_own_collection() -> None:
    """A Prometheus reader and a periodic one do not eat each other's figures."""
    source, readers = Rising(), (InMemoryMetricReader(), InMemoryMetricReader())
    Instruments(provider_with(*readers), source, RECORDING)

    for collection in range(1, 7):
        found = points_in(readers[collection % 2].get_metrics_data())
        assert {point.value for points in found.values() for point in points.values()} == {collection}


def test_readers_at_the_same_time_miss_nothing() -> None:
    """Under any interleaving every instrument has its point in every collection, never an older one than before."""
    answers = Round(Rising(), FakeClock())
    together = threading.Barrier(4)
    wrong: list[Any] = []

    def collect() -> None:
        last = 0.0
        together.wait()
        for _ in range(300):
            seen = [[point.value for point in answers.points(metric.name)] for metric in OBSERVED]
            first = seen[0][0] if seen[0] else -1
            if any(len(points) != 1 for points in seen) or first < last - 4:
                wrong.append(seen)
            last = float(first)  # type: ignore[arg-type]

    running = [threading.Thread(target=collect) for _ in range(4)]
    for thread in running:
        thread.start()
    for thread in running:
        thread.join()

    assert wrong == []


@given(st.lists(st.lists(st.sampled_from([metric.name for metric in OBSERVED]), unique=True), max_size=8))
def test_an_answer_is_never_given_to_two_rounds(rounds: list[list[str]]) -> None:
    """An SDK that asks for some instruments only, or gives up in the middle, gets figures of its own round."""
    clock, source = FakeClock(), Rising()
    answers = Round(source, clock)
    for names in rounds:
        before = source.asked
        got = [answers.points(name)[0].value for name in names]
        clock.advance(1.0)
        assert got == [before + 1] * len(names)


@given(st.lists(st.permutations([metric.name for metric in OBSERVED]), max_size=4))
def test_every_round_is_read_anew_in_whatever_order(rounds: list[list[str]]) -> None:
    """Also two rounds within the same moment."""
    answers = Round(Rising(), FakeClock())
    for number, names in enumerate(rounds, 1):
        assert {answers.points(name)[0].value for name in names} == {number}


def test_a_family_that_is_missing_is_no_reason_to_read_again() -> None:
    """Nothing was lost yet: the metric has no points, and the others are of one reading."""
    asked: list[int] = []

    def source() -> list[Family]:
        asked.append(1)
        return [(QUEUE_DEPTH, [Point(("root",), 3)])]

    reader = InMemoryMetricReader()
    Instruments(provider_with(reader), source, RECORDING)

    assert set(points_in(reader.get_metrics_data())) == {QUEUE_DEPTH.name}
    assert len(asked) == 1


def test_an_empty_label_is_no_attribute() -> None:
    """What does not apply is absent, as the conventions have it."""
    reader = InMemoryMetricReader()
    Instruments(provider_with(reader), lambda: [(LOSSES, [Point(("root", "dropped", ""), 2)])], RECORDING)

    found = values_in(reader.get_metrics_data(), LOSSES)

    assert found == {frozenset({("engine", "root"), ("outcome", "dropped")}): 2}


def test_instruments_say_what_they_are() -> None:
    """Name, unit, help and kind are the catalogue's, under one meter with version and schema."""
    reader = InMemoryMetricReader()
    instruments = Instruments(provider_with(reader), Rising(), RECORDING)
    instruments.deliveries_of("root")("sink", 0.1, 1)
    data = reader.get_metrics_data()
    assert data is not None
    (scope,) = data.resource_metrics[0].scope_metrics

    assert (scope.scope.version, scope.schema_url) == (_version.__version__, Schemas.V1_44_0.value)
    assert Schemas.V1_44_0.value == SCHEMA_URL
    kinds = {"Sum": "counter", "Gauge": "gauge", "Histogram": "histogram"}
    told = {(it.name, kinds[type(it.data).__name__], it.unit, it.description) for it in scope.metrics}
    assert told == {(metric.name, metric.kind, metric.unit, metric.help) for metric in ENGINE_METRICS}


def busy(provider: MeterProvider, name: str = "root") -> tuple[Any, Any]:
    """Return a logger that has sent events of two levels, and its engine."""
    logger = fapilog.LoggerBuilder().with_name(name).add_sink(Keeping()).with_metrics(meter_provider=provider).build()
    for _ in range(3):
        logger.info("paid")
    logger.error("refused")
    logger.debug("not this")
    logger.drain()
    return logger, logger._engine()


def test_the_values_are_the_engines_figures() -> None:
    """What a reader collects is what the engine says of itself, metric by metric."""
    reader = InMemoryMetricReader()
    _, engine = busy(provider_with(reader))

    data = reader.get_metrics_data()

    found = {
        name: {attributes: point.value for attributes, point in points.items()}
        for name, points in points_in(data).items()
        if name not in {DELIVERY.name, BATCH_SIZE.name}
    }
    assert found == expected(engine.metrics())
    delivered = {("engine", "root"), ("outcome", "delivered")}
    assert values_in(data, EVENTS_TOTAL)[frozenset({*delivered, ("level", "INFO")})] == 3
    assert values_in(data, EVENTS_TOTAL)[frozenset({*delivered, ("level", "ERROR")})] == 1


@pytest.mark.parametrize("configured", [True, False])
def test_the_account_of_the_flight_recorder_arrives_whole(*, configured: bool) -> None:
    """Each collection has counters and gauges of one moment, which add up; without a recorder it has none of them."""
    reader = InMemoryMetricReader()
    builder = fapilog.LoggerBuilder().add_sink(Keeping()).with_metrics(meter_provider=provider_with(reader))
    if configured:
        builder = builder._set(flight_recorder=FlightRecorderOptions())
    logger = builder.build()
    engine = logger._engine()
    account = (RECORDER_EVENTS, RECORDER_HELD, RECORDER_BYTES)

    def collected() -> list[dict[frozenset[tuple[str, Any]], float]]:
        data = reader.get_metrics_data()
        return [values_in(data, metric) for metric in account]

    def meant(kept: Recorder | None, **outcomes: int) -> list[dict[frozenset[tuple[str, Any]], float]]:
        root = ("engine", "root")
        held = len(kept.kept or ()) if kept is not None else 0
        return [
            {
                frozenset((root, ("outcome", outcome))): outcomes.get(outcome, 0)
                for outcome in ("released", "discarded", "evicted")
            },
            {frozenset((root,)): held},
            {frozenset((root,)): kept.size_bytes if kept is not None else 0},
        ]

    assert collected() == (meant(None) if configured else [{}, {}, {}])
    failed, well = Recorder(LIMITS, engine.ledger), Recorder(LIMITS, engine.ledger)
    keep(engine, well, 5)
    assert collected() == meant(well, evicted=2)
    keep(engine, failed, 1)
    well.finish(None)
    assert collected() == meant(failed, evicted=2, discarded=3)
    failed.finish("error")
    assert collected() == meant(None, evicted=2, discarded=3, released=1)
    logger.drain()


@pytest.mark.parametrize("metric", [DELIVERY, BATCH_SIZE], ids=lambda metric: metric.name)
def test_the_histograms_are_the_engines(metric: Metric) -> None:
    """Boundaries, counts and sums of batches equal those that Prometheus gets."""
    reader = InMemoryMetricReader()
    _, engine = busy(provider_with(reader))

    (found,) = points_in(reader.get_metrics_data())[metric.name].values()

    (told,) = dict(engine.metrics())[metric]
    assert isinstance(told.value, Counts)
    assert dict(found.attributes) == dict(zip(metric.labels, told.labels, strict=True))
    assert found.explicit_bounds == metric.boundaries
    assert tuple(found.bucket_counts) == told.value.buckets
    assert found.sum == pytest.approx(told.value.sum)
    assert found.count > 0


class Kept(MetricExporter):
    """Keeps what a periodic reader exports."""

    def __init__(self, temporality: dict[type, AggregationTemporality] | None = None) -> None:
        super().__init__(temporality)
        self.exports: list[MetricsData] = []

    def export(self, metrics_data: MetricsData, timeout_millis: float = 10_000, **kwargs: Any) -> MetricExportResult:
        self.exports.append(metrics_data)
        return MetricExportResult.SUCCESS

    def force_flush(self, timeout_millis: float = 10_000) -> bool:
        return True

    def shutdown(self, timeout_millis: float = 30_000, **kwargs: Any) -> None:
        """Close nothing."""


@pytest.mark.parametrize(("temporality", "second"), [({}, 5), ({ObservableCounter: DELTA, Counter: DELTA}, 2)])
def test_a_periodic_reader_exports_totals_or_differences(
    temporality: dict[type, AggregationTemporality], second: int
) -> None:
    """Which of them is the reader's choice: the counters tell totals, and the SDK makes of them what it needs."""
    exporter = Kept(temporality)
    provider = provider_with(PeriodicExportingMetricReader(exporter, export_interval_millis=float("inf")))
    logger = fapilog.LoggerBuilder().add_sink(Keeping()).with_metrics(meter_provider=provider).build()
    for count in (3, 2):
        for _ in range(count):
            logger.info("paid")
        assert logger.flush(30)
        provider.force_flush()
    logger.drain()
    provider.shutdown()

    attributes = frozenset({("engine", "root"), ("level", "INFO"), ("outcome", "delivered")})
    assert [values_in(data, EVENTS_TOTAL)[attributes] for data in exporter.exports[:2]] == [3, second]


def test_the_duration_of_a_request_leads_to_its_trace() -> None:
    """The exemplar has the ids of the request's span, given by context, and the buckets are the advised ones."""
    reader = InMemoryMetricReader()
    recorder = HttpRecorder(provider_with(reader), RECORDING)
    span = TracerProvider(shutdown_on_exit=False).get_tracer("test").start_span("GET /orders")
    attributes: dict[str, str | int] = {"http.request.method": "GET", "http.response.status_code": 200}

    recorder.record(0.3, attributes, set_span_in_context(span))

    (point,) = points_in(reader.get_metrics_data())[HTTP_DURATION.name].values()
    assert dict(point.attributes) == attributes
    assert (point.count, point.sum, point.explicit_bounds) == (1, 0.3, HTTP_DURATION.boundaries)
    (exemplar,) = point.exemplars
    assert (exemplar.trace_id, exemplar.span_id) == (span.context.trace_id, span.context.span_id)


def test_two_recorders_of_one_provider_count_into_one_histogram() -> None:
    """P49: two applications in one process, one metric."""
    reader = InMemoryMetricReader()
    provider = provider_with(reader)
    for recorder in (HttpRecorder(provider, RECORDING), HttpRecorder(provider, RECORDING)):
        recorder.record(0.3, {"http.request.method": "GET"})

    (point,) = points_in(reader.get_metrics_data())[HTTP_DURATION.name].values()

    assert point.count == 2


def test_without_an_sdk_nothing_is_read() -> None:
    """With the no-op provider, and with the global one that nobody has set, the figures cost nothing."""
    source = Rising()
    for provider in (metrics.NoOpMeterProvider(), None):
        Instruments(provider, source, RECORDING).deliveries_of("root")("sink", 0.1, 5)
        HttpRecorder(provider, RECORDING).record(0.1, {})

    assert source.asked == 0


GLOBAL = """
import fapilog
from opentelemetry import metrics
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from tests.engine.sinks import Keeping
from tests.otel.test_meters import EVENTS_TOTAL, BATCH_SIZE, points_in, values_in

def use(name, **how):
    logger = fapilog.LoggerBuilder().with_name(name).add_sink(Keeping()).with_metrics(**how).build()
    logger.info("paid")
    logger.flush(30)
    return logger

reader = InMemoryMetricReader()
provider = MeterProvider([reader], shutdown_on_exit=False)
loggers = [use("before")]
GIVEN
metrics.set_meter_provider(provider)
loggers += [use("after"), use("given", meter_provider=provider)]
loggers[0].info("paid")
for logger in loggers:
    logger.drain()
data = reader.get_metrics_data()
values = values_in(data, EVENTS_TOTAL)
found = {dict(key)["engine"]: value for key, value in values.items() if ("level", "INFO") in key and value}
batches = {dict(key)["engine"] for key in points_in(data)[BATCH_SIZE.name]}
print(sorted(found.items()), sorted(batches))
"""


@pytest.mark.parametrize("given_before", [False, True])
def test_the_global_provider_may_come_before_or_after_the_engine(*, given_before: bool) -> None:
    """Each engine is there once: built before the SDK was set, after, or with the same provider by parameter."""
    code = GLOBAL.replace("GIVEN", 'loggers.append(use("early", meter_provider=provider))' if given_before else "")

    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False)

    early = [("early", 1)] if given_before else []
    told = sorted([("after", 1), ("before", 2), ("given", 1), *early])
    assert (done.stderr, done.stdout) == ("", f"{told} {sorted(name for name, _ in told)}\n")


FORK = """
import os
import fapilog
from fapilog import _runtime
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from tests.engine.sinks import Keeping
from tests.otel.test_meters import EVENTS_TOTAL, values_in

reader = InMemoryMetricReader()
provider = MeterProvider([reader], shutdown_on_exit=False)
logger = fapilog.LoggerBuilder().add_sink(Keeping()).with_metrics(meter_provider=provider).build()

def tell(who):
    found = values_in(reader.get_metrics_data(), EVENTS_TOTAL)
    events = [value for key, value in found.items() if ("level", "INFO") in key and value]
    print(who, events, len(_runtime.http_durations().family()[1]), flush=True)

for _ in range(3):
    logger.info("parent")
logger.flush(5)
_runtime.http_durations().record(("GET", "http", "/", "200", "", "1.1"), 0.1)
tell("parent")
logger.drain()
child = os.fork()
if not child:
    logger.info("child")
    logger.flush(30)
    tell("child")
    logger.drain()
    os._exit(0)
os.waitpid(child, 0)
tell("parent")
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_the_figures_of_a_forked_child_are_its_own() -> None:
    """The parent's events and requests are not counted by each of its workers again."""
    done = subprocess.run(
        [sys.executable, "-W", "ignore::DeprecationWarning", "-c", FORK],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert (done.stderr, done.stdout) == ("", "parent [3] 1\nchild [1] 0\nparent [3] 1\n")


def test_a_provider_that_was_shut_down_changes_nothing() -> None:
    """It takes no more measurements, and the events go on."""
    provider = provider_with(InMemoryMetricReader())
    logger = fapilog.LoggerBuilder().add_sink(sink := Keeping()).with_metrics(meter_provider=provider).build()
    provider.shutdown()
    logger.info("paid")
    logger.drain()

    assert [event["message"] for event in sink.events] == ["paid"]
