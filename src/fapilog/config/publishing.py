"""Publishes the figures of engines as their options ask: to OpenTelemetry's instruments, to ``prometheus_client``."""

import weakref
from collections.abc import Callable, Container, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any

from fapilog.config.options import Options
from fapilog.errors import ConfigError
from fapilog.metrics.process import Measured, ProcessMetrics
from fapilog.otel.recording import Recording

if TYPE_CHECKING:
    from fapilog.otel.meters import Instruments

_WHERE = "with_metrics(prometheus)"


class Publishing(ProcessMetrics):
    """The figures of a process, and what publishes them; one for it.

    There is one set of instruments for each meter provider and one collector for Prometheus, however many engines and
    applications there are: each asks at collection which engines are its own. :meth:`publish` is, like :meth:`add`,
    for one thread at a time.

    Args:
        engines: Those that count at all.
        options: What each was built with.

    Attributes:
        recording: Records what goes into OpenTelemetry's histograms.
    """

    def __init__(self, engines: Container[Measured], options: Mapping[Any, Options]) -> None:
        """Publish nothing yet."""
        super().__init__(engines, options)
        self.recording = Recording()
        self._registered = False
        self._global: Instruments | None = None
        self._others: weakref.WeakKeyDictionary[Any, Instruments] = weakref.WeakKeyDictionary()

    def publish(self, options: Options, name: str) -> Callable[[str, float, int], None] | None:
        """Publish as options ask, before the engine is there; its figures follow once it is added.

        Args:
            options: The engine's.
            name: The engine's, in its figures.

        Returns:
            What the engine calls for each batch; None if nobody wants to know.

        Raises:
            ConfigError: If ``prometheus_client`` is not installed, or has metrics of these names already.
        """
        wanted = options.metrics
        if wanted is not None and wanted.prometheus and not self._registered:
            self._register(options.sources.get("metrics.prometheus", _WHERE))
        if wanted is None or not wanted.otel:
            return None
        return self._instruments(options.meter_provider).deliveries_of(name)

    def _register(self, where: str) -> None:
        try:
            from fapilog.metrics.prometheus import register  # noqa: PLC0415 - it needs the library of an extra
        except ModuleNotFoundError as error:
            text = f"needs {error.name}, which is not installed; pip install 'fapilog[prometheus]' does that."
            raise ConfigError(f"{where}: {text}") from error
        register(partial(self.of_engines, _by_prometheus), self.of_requests)
        self._registered = True

    def _instruments(self, provider: Any) -> "Instruments":
        from fapilog.otel.meters import Instruments, is_same  # noqa: PLC0415 - slow to load; few publish

        def shows(of: Callable[[], Any], options: Options) -> bool:
            wanted = options.metrics
            return wanted is not None and wanted.otel and is_same(options.meter_provider, of())

        if provider is None:
            if self._global is None:
                self._global = Instruments(None, partial(self.of_engines, partial(shows, _none)), self.recording)
            return self._global
        found = self._others.get(provider)
        if found is None:
            # The provider keeps the callbacks; they must not keep the provider, or nothing of it would ever go.
            ours = partial(shows, weakref.ref(provider))
            found = self._others[provider] = Instruments(provider, partial(self.of_engines, ours), self.recording)
        return found


def _by_prometheus(options: Options) -> bool:
    return options.metrics is not None and options.metrics.prometheus


def _none() -> None:
    """Stand for the global provider."""
