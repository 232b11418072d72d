"""An SDK in memory, and a middleware that gives each request its span."""

from collections.abc import Iterator
from typing import Any

import pytest

from fapilog import LoggerBuilder
from fapilog.asgi.each_request import RequestMiddleware
from fapilog.asgi.setup import with_telemetry
from tests.asgi.conftest import Log
from tests.asgi.driver import App, Server, http_scope
from tests.otel.signals import Signals


class Traced:
    """Applications behind the middleware, with spans kept in memory.

    Attributes:
        signals: What has come to the SDK.
        log: What was logged.
    """

    def __init__(self, signals: Signals, log: Log) -> None:
        self.signals = signals
        self.log = log

    def wrap(self, app: App, *, tools: Any = None, edge: Any = None, **tracing: Any) -> RequestMiddleware:
        """Return an application with the middleware around it."""
        builder = LoggerBuilder().with_tracing(tracer_provider=self.signals.tracers, **tracing)
        builder = tools(builder) if tools else builder
        options = builder.options()
        return RequestMiddleware(with_telemetry(app, options), edge or options.asgi)

    async def serve(self, app: App, scope: Any = None, *messages: Any, **tracing: Any) -> Server:
        """Serve one request."""
        server = Server(*messages)
        await server.run(self.wrap(app, **tracing), scope or http_scope())
        return server

    @property
    def span(self) -> Any:
        """The one server span."""
        (span,) = self.signals.server_spans
        return span

    @property
    def attributes(self) -> dict[str, Any]:
        """Those of the one server span."""
        return dict(self.span.attributes)


@pytest.fixture
def traced(log: Log) -> Iterator[Traced]:
    signals = Signals()
    yield Traced(signals, log)
    signals.close()
