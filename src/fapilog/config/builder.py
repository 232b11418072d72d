"""The builders: a fluent way to fill options; each method takes values and returns the builder."""

from collections.abc import Mapping
from typing import Any, Literal, Self

from fapilog.config.delivery import DeliveryMethods
from fapilog.config.options import Options
from fapilog.config.presets import preset
from fapilog.config.remote_sinks import RemoteSinkMethods
from fapilog.config.resolve import resolve
from fapilog.config.sinks import SinkMethods
from fapilog.config.stages import StageMethods
from fapilog.config.store_sinks import StoreSinkMethods
from fapilog.config.telemetry import TelemetryMethods
from fapilog.errors import ConfigError


class OptionsBuilder(SinkMethods, RemoteSinkMethods, StoreSinkMethods, DeliveryMethods, StageMethods, TelemetryMethods):
    """What all builders share. Not thread-safe; may be built from more than once.

    A wrong value raises :class:`fapilog.errors.ConfigError` at the method or at ``build()``.
    """

    def with_preset(self, name: str) -> Self:
        """Start from a preset; see ``list_presets()``. ``"auto"`` takes the one for where the process runs."""
        preset(name)
        self._preset = name
        return self

    def with_settings(self, settings: Any) -> Self:
        """Take ``Settings`` instead of the environment, which they have read; other methods still win over them."""
        if not callable(getattr(settings, "layer", None)):
            raise ConfigError.hidden("with_settings(settings)", settings, "a Settings value")
        self._settings = settings
        return self

    def with_name(self, name: str) -> Self:
        """Name the logger that ``build()`` returns. Default ``"root"``."""
        return self._set(name=name)

    def with_level(self, level: str | int) -> Self:
        """Take events of this level, by name or number, and above. Default ``"INFO"``.

        Args:
            level: Also with directives for logger names and all names below them: ``"info,app.db=debug"``.
        """
        return self._set(level=level)

    def with_service(self, name: str | None = None, version: str | None = None, env: str | None = None) -> Self:
        """Say what runs here: ``service``, ``version`` and ``env`` on every event."""
        return self._part("service", name=name, version=version, env=env)

    def with_queue(
        self, capacity: int | None = None, reserve: int | None = None, max_bytes: int | str | None = None
    ) -> Self:
        """Bound the queue.

        Args:
            capacity: Events of any level. Default 10 000.
            reserve: More events of ERROR and above. Default 1 000.
            max_bytes: Bytes, as a number or such as ``"64 MB"``, the default.
        """
        return self._part("queue", capacity=capacity, reserve=reserve, max_bytes=max_bytes)

    def with_backpressure(self, policy: Literal["drop", "wait"], wait_seconds: float | str | None = 0.05) -> Self:
        """Choose what a full queue means.

        Args:
            policy: ``"drop"`` (default) never waits; ``"wait"`` makes the caller wait.
            wait_seconds: How long a caller waits at most before its event is dropped, counted; None: without limit.
        """
        return self._put("queue", policy=policy, wait_seconds=wait_seconds)

    def with_batch(
        self,
        max_events: int | None = None,
        max_bytes: int | str | None = None,
        max_age_seconds: float | str | None = None,
        *,
        max_in_flight: int | None = None,
    ) -> Self:
        """Bound what goes to an asynchronous sink at once; defaults 500 events, ``"1 MB"``, 0.25 seconds.

        Args:
            max_events: Events in a batch.
            max_bytes: Bytes in a batch.
            max_age_seconds: How long an event may wait for others.
            max_in_flight: How many batches a sink may be given before it has taken the first; above 1, the default, a
                batch may overtake another one.
        """
        return self._part(
            "batch",
            max_events=max_events,
            max_bytes=max_bytes,
            max_age_seconds=max_age_seconds,
            max_in_flight=max_in_flight,
        )

    def with_context(self, **fields: Any) -> Self:
        """Put fields on every event, under those of the call, the bound logger and the bound context."""
        return self._set(context={**self._changes.get("context", {}), **fields})

    def with_shutdown_timeout(self, seconds: float | str) -> Self:
        """Say how long a drain may take: seconds, or such as ``"5s"``, the default."""
        return self._set(shutdown_timeout=seconds)

    def with_diagnostics(self, *, enabled: bool = True) -> Self:
        """Say on standard error what goes wrong inside fapilog, at most one line a minute and kind. Default True."""
        return self._set(diagnostics=enabled)

    def options(self) -> Options:
        """Return what was said so far on top of the preset and the environment.

        Raises:
            ConfigError: If a value cannot be used.
        """
        sinks: Mapping[str, Any] = {"sinks": tuple(self._sinks)} if self._sinks else {}
        return resolve({**self._changes, **sinks}, self._preset, settings=self._settings)
