"""Providers of the SDK for one test, and an application that contrib's instrumentation leaves no trace in."""

from collections.abc import Iterator

import pytest
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from starlette.background import BackgroundTask

from tests.otel.signals import Signals


@pytest.fixture
def signals() -> Iterator[Signals]:
    """Providers of the SDK, by parameter; nothing is global."""
    signals = Signals()
    yield signals
    signals.close()


@pytest.fixture
def contrib() -> Iterator[None]:
    """Take back what ``instrument_app`` does to all applications of the process."""
    call = BackgroundTask.__call__
    yield
    BackgroundTask.__call__ = call  # type: ignore[method-assign]
    if hasattr(BackgroundTask, "_otel_original_call"):
        del BackgroundTask._otel_original_call


@pytest.fixture
def provider() -> Iterator[TracerProvider]:
    """Give a provider of the SDK that is not the global one."""
    provider = TracerProvider(shutdown_on_exit=False, resource=Resource.create({"service.name": "shop"}))
    yield provider
    provider.shutdown()
