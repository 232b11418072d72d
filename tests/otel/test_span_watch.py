"""One store of spans for each provider of the process, whenever it is set and whoever asks."""

import gc
from collections.abc import Callable
from typing import Any

import pytest
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.trace import (
    NoOpTracerProvider,
)
from opentelemetry.util._once import Once

from fapilog.otel import kept_spans
from fapilog.otel.exceptions import RecordedExceptions
from fapilog.otel.watching import SpanWatch
from tests.otel.signals import ended, id_of


def test_a_provider_has_each_kind_of_processor_once(provider: TracerProvider) -> None:
    """Two applications share its spans; what notes exceptions is another kind, and asking again gives the same."""
    watch = SpanWatch(dict)
    first, second = watch.kept(provider, 10), watch.kept(provider, 10)
    notes = [watch.add(provider, RecordedExceptions) for _ in range(2)]
    processors = provider._active_span_processor._span_processors

    assert first is second is processors[0]
    assert notes == [processors[1]] * 2
    assert len(processors) == 2


def test_the_most_that_is_asked_for_is_kept(provider: TracerProvider) -> None:
    """A second application may want more; what is there stays."""
    watch = SpanWatch(dict)
    kept = watch.kept(provider, 2)
    assert kept is not None
    spans = [ended(provider) for _ in range(3)]
    assert watch.kept(provider, 4) is watch.kept(provider, 1) is kept
    spans += [ended(provider) for _ in range(2)]

    assert [len(kept.of_trace(id_of(span))) for span in spans] == [0, 1, 1, 1, 1]


@pytest.fixture
def no_global(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """Take the global provider away for one test."""
    monkeypatch.setattr(trace, "_TRACER_PROVIDER", None)
    monkeypatch.delenv("OTEL_PYTHON_TRACER_PROVIDER", raising=False)
    return monkeypatch


def test_a_global_provider_may_be_set_late(no_global: pytest.MonkeyPatch, provider: TracerProvider) -> None:
    """Before that there are no spans, and nobody is asked twice; another one later has spans of its own."""
    watch = SpanWatch(dict)
    assert [watch.kept(None, 10), watch.kept(None, 10)] == [None, None]
    no_global.setattr(trace, "_TRACER_PROVIDER", provider)
    kept = watch.kept(None, 10)
    assert kept is not None
    assert len(kept.of_trace(id_of(ended(provider)))) == 1
    assert watch.kept(None, 10) is watch.kept(provider, 10) is kept
    assert watch.kept(None, 20) is kept
    assert kept.max_spans == 20
    other = TracerProvider(shutdown_on_exit=False)
    no_global.setattr(trace, "_TRACER_PROVIDER", other)

    assert watch.kept(None, 10) is watch.kept(other, 10) is not kept


def test_a_provider_that_the_environment_names_is_found(no_global: pytest.MonkeyPatch) -> None:
    """The API makes it when it is asked for the first time."""
    no_global.setenv("OTEL_PYTHON_TRACER_PROVIDER", "sdk_tracer_provider")
    no_global.setattr(trace, "_TRACER_PROVIDER_SET_ONCE", Once())
    watch = SpanWatch(dict)
    kept = watch.kept(None, 10)
    trace.get_tracer_provider().shutdown()  # type: ignore[attr-defined]

    assert kept is not None
    assert watch.kept(None, 10) is kept


class NoProcessors:
    """A provider of somebody else."""


class Refusing(NoProcessors):
    """One that takes none."""

    asked = 0

    def add_span_processor(self, processor: Any) -> None:
        """Refuse."""
        self.asked += 1
        raise RuntimeError("no")


class Slotted(Refusing):
    """One that cannot be referred to weakly, were it not for its base."""


class Sealed:
    """One that cannot be referred to weakly."""

    __slots__ = ()

    def add_span_processor(self, processor: Any) -> None:
        """Take it."""


@pytest.mark.parametrize("make", [NoOpTracerProvider, NoProcessors, Refusing, Sealed, lambda: 7])
def test_a_provider_without_spans_of_its_own_has_none(make: Callable[[], Any]) -> None:
    """Stand-ins, and what takes no processors or cannot be remembered; none is asked twice."""
    watch, provider = SpanWatch(dict), make()

    assert [watch.kept(provider, 10), watch.kept(provider, 10)] == [None, None]
    assert getattr(provider, "asked", 1) == 1


def test_a_provider_is_not_held() -> None:
    """When it goes, so does what was kept of it."""
    watch, provider = SpanWatch(dict), TracerProvider(shutdown_on_exit=False)
    watch.kept(provider, 10)
    watch.add(provider, RecordedExceptions)
    assert len(watch._added) == 2
    del provider
    gc.collect()

    assert watch._added == {}


def test_of_two_threads_that_ask_at_once_one_adds() -> None:
    """Whoever is first; the other one gets the same, here one that comes while the first makes its processor."""
    watch, added = SpanWatch(dict), []

    class Provider:
        def add_span_processor(self, processor: Any) -> None:
            added.append(processor)

    provider = Provider()
    got: list[Any] = []

    def make() -> RecordedExceptions:
        got.append(watch.add(provider, RecordedExceptions))
        return RecordedExceptions()

    got.append(watch.add(provider, RecordedExceptions, make))

    assert len(added) == 1
    assert got == [added[0], added[0]]


def test_nothing_of_the_sdk_is_imported() -> None:
    """It is the user's choice; the API alone is enough."""
    assert not any("opentelemetry.sdk" in str(value) for value in vars(kept_spans).values())
