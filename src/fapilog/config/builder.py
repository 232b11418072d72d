"""The builders: a fluent way to fill options; each method takes values and returns the builder."""

import os
from typing import Any, Literal, Self

from fapilog.config.assemble import resolve
from fapilog.config.options import FileOptions, Options, SinkChoice, StdoutOptions
from fapilog.config.presets import preset
from fapilog.errors import ConfigError
from fapilog.protocols import Enricher, Filter, Processor, Redactor, Sink
from fapilog.sinks.memory import MemorySink


class OptionsBuilder:
    """What all builders share. Not thread-safe; may be built from more than once.

    A wrong value raises :class:`fapilog.errors.ConfigError` at the method or at ``build()``.
    """

    def __init__(self) -> None:
        """Start with nothing said: the ``minimal`` preset, or what the environment says."""
        self._preset: str | None = None
        self._changes: dict[str, Any] = {}
        self._sinks: list[SinkChoice] = []

    def with_preset(self, name: str) -> Self:
        """Start from a preset; see ``list_presets()``."""
        preset(name)
        self._preset = name
        return self

    def with_name(self, name: str) -> Self:
        """Name the logger that ``build()`` returns. Default ``"root"``."""
        return self._set(name=name)

    def with_level(self, level: str | int) -> Self:
        """Take events of this level, by name or number, and above. Default ``"INFO"``."""
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
        self._part("queue", policy=policy)
        self._changes["queue"]["wait_seconds"] = wait_seconds
        return self

    def with_batch(
        self,
        max_events: int | None = None,
        max_bytes: int | str | None = None,
        max_age_seconds: float | str | None = None,
    ) -> Self:
        """Bound what goes to an asynchronous sink at once; defaults 500 events, ``"1 MB"``, 0.25 seconds."""
        return self._part("batch", max_events=max_events, max_bytes=max_bytes, max_age_seconds=max_age_seconds)

    def with_context(self, **fields: Any) -> Self:
        """Put fields on every event, under those of the call, the bound logger and the bound context."""
        return self._set(context={**self._changes.get("context", {}), **fields})

    def with_filter(self, *filters: Filter) -> Self:
        """Add callables that take the event dict and return whether to keep it."""
        return self._add("filters", filters)

    def with_enricher(self, *enrichers: Enricher) -> Self:
        """Add callables that take the event dict and return fields to add, never over those it has."""
        return self._add("enrichers", enrichers)

    def with_redactor(self, *redactors: Redactor) -> Self:
        """Add callables that take the event dict and return it redacted; if one raises, the event is withheld."""
        return self._add("redactors", redactors)

    def with_processor(self, *processors: Processor) -> Self:
        """Add callables that take the event dict and return the one to go on with, or None to hold it back."""
        return self._add("processors", processors)

    def with_shutdown_timeout(self, seconds: float | str) -> Self:
        """Say how long a drain may take: seconds, or such as ``"5s"``, the default."""
        return self._set(shutdown_timeout=seconds)

    def with_diagnostics(self, *, enabled: bool = True) -> Self:
        """Say on standard error what goes wrong inside fapilog, at most one line a minute and kind. Default True."""
        return self._set(diagnostics=enabled)

    def add_stdout(self, format: Literal["auto", "json", "pretty", "logfmt"] = "auto") -> Self:  # noqa: A002
        """Write to standard output; ``"auto"`` is pretty on a terminal and JSON elsewhere."""
        self._sinks.append(StdoutOptions(format))
        return self

    def add_file(
        self,
        path: str | os.PathLike[str],
        *,
        max_bytes: int | str = "10 MB",
        interval: float | str | None = None,
        max_files: int | None = None,
        max_total_bytes: int | str | None = None,
        compress: bool = False,
    ) -> Self:
        """Write to a file with rotation; see :class:`fapilog.sinks.file.FileSink`.

        Args:
            path: The live file; rotated ones stand beside it.
            max_bytes: Rotate before it grows over this.
            interval: Rotate at multiples of this duration, such as ``"1h"``; default never.
            max_files: Keep so many rotated files; default all.
            max_total_bytes: Keep so many bytes, the live file counted as ``max_bytes``; default all.
            compress: Compress rotated files with gzip, in the background.
        """
        choice = FileOptions(os.fspath(path), max_bytes, interval, max_files, max_total_bytes, compress)
        self._sinks.append(choice)
        return self

    def add_memory(self, max_events: int = 1000) -> Self:
        """Keep the last events in memory; for tests, see :class:`fapilog.sinks.memory.MemorySink`."""
        return self.add_sink(MemorySink(max_events=max_events))

    def add_sink(self, sink: Sink) -> Self:
        """Write to a sink of your own; see :class:`fapilog.protocols.Sink`."""
        if not isinstance(sink, Sink):
            raise ConfigError.wrong("add_sink(sink)", sink, "an object with name, open, write and close")
        self._sinks.append(sink)
        return self

    def options(self) -> Options:
        """Return what was said so far on top of the preset and the environment.

        Raises:
            ConfigError: If a value cannot be used.
        """
        options = resolve(self._changes, self._preset)
        if self._sinks:
            named = self._preset is not None or os.environ.get("FAPILOG_PRESET")
            above = options.sinks if named else ()
            return resolve({**self._changes, "sinks": (*above, *self._sinks)}, self._preset)
        return options

    def _set(self, **values: Any) -> Self:
        self._changes.update(values)
        return self

    def _part(self, part: str, **values: Any) -> Self:
        said = {name: value for name, value in values.items() if value is not None}
        self._changes[part] = {**self._changes.get(part, {}), **said}
        return self

    def _add(self, kind: str, stages: tuple[Any, ...]) -> Self:
        return self._set(**{kind: (*self._changes.get(kind, ()), *stages)})
