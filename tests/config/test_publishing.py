"""Who publishes what: by the options of each engine, once for a provider and once for Prometheus."""

import gc
import subprocess
import sys
import threading
from collections.abc import Iterator
from functools import partial
from typing import Any

import prometheus_client
import pytest
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader

import fapilog
from fapilog import _runtime
from fapilog.errors import ConfigError
from fapilog.metrics.catalogue import QUEUE_CAPACITY
from tests.engine.sinks import Keeping

CAPACITY = "fapilog_queue_capacity"


@pytest.fixture(autouse=True)
def registry(monkeypatch: pytest.MonkeyPatch) -> Iterator[prometheus_client.CollectorRegistry]:
    """Give each test a process state and a default registry of its own."""
    own = prometheus_client.CollectorRegistry(auto_describe=True)
    monkeypatch.setattr(prometheus_client, "REGISTRY", own)
    state = _runtime._State()
    monkeypatch.setattr(_runtime, "_state", state)
    yield own
    for engine in list(state.engines):
        engine.drain()


def built(name: str = "root", **metrics: Any) -> Any:
    builder = fapilog.LoggerBuilder().with_name(name).add_sink(Keeping())
    return (builder.with_metrics(**metrics) if metrics else builder).build()


def provided() -> tuple[MeterProvider, InMemoryMetricReader]:
    reader = InMemoryMetricReader()
    return MeterProvider([reader], shutdown_on_exit=False), reader


def engines_at(reader: InMemoryMetricReader) -> list[str]:
    data = reader.get_metrics_data()
    return [
        str((point.attributes or {})["engine"])
        for resource in (data.resource_metrics if data else ())
        for scope in resource.scope_metrics
        for metric in scope.metrics
        if metric.name == QUEUE_CAPACITY.name
        for point in metric.data.data_points
    ]


def engines_in(registry: prometheus_client.CollectorRegistry) -> list[str]:
    return [
        sample.labels["engine"] for family in registry.collect() if family.name == CAPACITY for sample in family.samples
    ]


def engines_told() -> list[str]:
    return [point.labels[0] for metric, points in _runtime.metrics() if metric is QUEUE_CAPACITY for point in points]


def test_engines_of_one_name_are_told_apart(registry: prometheus_client.CollectorRegistry) -> None:
    """P49: two applications in one process, each of them ``root``, share readers and registry."""
    provider, reader = provided()
    loggers = [built(meter_provider=provider, prometheus=True) for _ in range(3)]

    assert engines_at(reader) == engines_in(registry) == engines_told() == ["root", "root-2", "root-3"]
    del loggers


def test_each_provider_gets_the_engines_that_named_it(registry: prometheus_client.CollectorRegistry) -> None:
    """What one part of a process exports is no other part's."""
    (one, reader), (two, other) = provided(), provided()
    loggers = [
        built("one", meter_provider=one), built("two", meter_provider=two), built("also-one", meter_provider=one),
        built("scraped", meter_provider=one, otel=False, prometheus=True), built("silent"),
    ]  # fmt: skip

    assert engines_at(reader) == ["one", "also-one"]
    assert engines_at(other) == ["two"]
    assert engines_in(registry) == ["scraped"]
    assert engines_told() == ["one", "two", "also-one", "scraped"]
    del loggers


def test_an_engine_that_is_gone_is_gone_from_the_metrics(registry: prometheus_client.CollectorRegistry) -> None:
    """Neither a provider nor the registry keeps an engine alive; a new one may have its name."""
    provider, reader = provided()
    first, second = (built(meter_provider=provider, prometheus=True) for _ in range(2))
    assert engines_at(reader) == ["root", "root-2"]
    second.drain()
    del second
    gc.collect()

    assert engines_at(reader) == engines_in(registry) == ["root"]
    third = built(meter_provider=provider, prometheus=True)
    assert engines_at(reader) == ["root", "root-2"]
    del first, third


def test_a_provider_is_not_kept_alive() -> None:
    """A test suite that makes a provider for each test does not collect them."""
    provider, reader = provided()
    logger = built(meter_provider=provider)
    logger.drain()
    known = _runtime._state.metrics._others
    assert len(known) == 1

    _runtime._state.configured = None
    provider.shutdown()
    del logger, provider, reader
    gc.collect()

    assert len(known) == 0


@pytest.mark.parametrize(
    ("variable", "where"), [(None, "with_metrics(prometheus)"), ("FAPILOG_METRICS__PROMETHEUS", None)]
)
def test_prometheus_without_its_library_is_a_wrong_setting(
    variable: str | None, where: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It says what to install, and who asked for it; no engine is left behind."""
    monkeypatch.setitem(sys.modules, "prometheus_client", None)
    monkeypatch.delitem(sys.modules, "fapilog.metrics.prometheus", raising=False)
    if variable is not None:
        monkeypatch.setenv(variable, "true")
    builder = fapilog.LoggerBuilder().add_sink(Keeping())

    with pytest.raises(ConfigError, match=r"pip install 'fapilog\[prometheus\]'") as refused:
        (builder if where is None else builder.with_metrics(prometheus=True)).build()

    assert str(refused.value).startswith(f"{where or variable}: needs prometheus_client")
    assert list(_runtime._state.engines) == []


@pytest.mark.parametrize("how", ["otel", "prometheus", "route"])
def test_figures_can_be_read_while_an_engine_is_built(how: str, registry: prometheus_client.CollectorRegistry) -> None:
    """A reader calls from within its own lock: nothing that it calls waits for the lock that builds engines."""
    provider, reader = provided()
    logger = built(meter_provider=provider, prometheus=True)
    read = {"otel": partial(engines_at, reader), "prometheus": partial(engines_in, registry), "route": engines_told}
    found: list[list[str]] = []
    collecting = threading.Thread(target=lambda: found.append(read[how]()))
    with _runtime._state.lock:
        collecting.start()
        collecting.join(10)
        assert found == [["root"]]
    logger.drain()


def test_who_publishes_nothing_loads_nothing() -> None:
    """An engine without ``with_metrics`` pays for neither library."""
    code = (
        "import sys, fapilog; fapilog.LoggerBuilder().add_stdout().build().info('x'); "
        "found = [name for name in sys.modules if name in ('opentelemetry.metrics', 'prometheus_client')]; "
        "sys.stderr.write(str(found))"
    )

    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)

    assert done.stderr == "[]"
