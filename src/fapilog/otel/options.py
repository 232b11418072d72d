"""What can be chosen about spans and metrics. Values only."""

from collections.abc import Sequence
from dataclasses import dataclass

from fapilog import checks
from fapilog.errors import ConfigError
from fapilog.event import IDENTITY_KEYS


@dataclass(frozen=True)
class TracingOptions:
    """How logs and spans point at each other. Immutable; checked when it is made.

    With it each request has one server span: that of FastAPI's own telemetry or of
    ``opentelemetry-instrumentation-fastapi`` where one of them is active, else our own. It gets the request's id, the
    number of log events by level, and errors.

    Attributes:
        links: Open a span around each delivery of a batch to an asynchronous sink, linked to the spans whose events it
            ships. Default False.
        baggage: Keys of the W3C baggage of a request that are bound to every event of the request. Default none.
        skip_paths: Paths whose requests get no span of ours: exact, or a prefix ended by ``*``. Default none.
    """

    links: bool = False
    baggage: Sequence[str] = ()
    skip_paths: Sequence[str] = ()

    def __post_init__(self) -> None:
        """Check the values and keep the lists as tuples.

        Raises:
            ConfigError: If one cannot be used.
        """
        checks.flag(self.links, "with_tracing(links)")
        object.__setattr__(self, "baggage", checks.texts(self.baggage, "with_tracing(baggage)"))
        for key in self.baggage:
            if key in IDENTITY_KEYS:
                # A caller's words would take the place of what was checked.
                raise ConfigError.wrong("with_tracing(baggage)", key, f"keys other than {', '.join(IDENTITY_KEYS)}")
        object.__setattr__(self, "skip_paths", checks.paths(self.skip_paths, "with_tracing(skip_paths)"))


@dataclass(frozen=True)
class MetricsOptions:
    """How the figures of an engine and the duration of requests are published. Immutable; checked when it is made.

    Attributes:
        otel: Through OpenTelemetry's instruments, read when the reader of the meter provider collects. Default True.
        prometheus: Through ``prometheus_client``'s default registry, for an application that answers ``/metrics``
            itself. Default False. ``/debug/logging/metrics`` answers them in any case.
    """

    otel: bool = True
    prometheus: bool = False

    def __post_init__(self) -> None:
        """Check the values.

        Raises:
            ConfigError: If one is neither True nor False.
        """
        checks.flag(self.otel, "with_metrics(otel)")
        checks.flag(self.prometheus, "with_metrics(prometheus)")
