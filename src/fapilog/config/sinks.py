"""The builders' methods that say where events go."""

import os
from collections.abc import Mapping, Sequence
from typing import Any, Literal, Self

from fapilog.config.base import Filling
from fapilog.config.parts import FILE_BYTES, FileOptions, StdoutOptions
from fapilog.delivery.routing import Route
from fapilog.errors import ConfigError
from fapilog.protocols import Sink
from fapilog.sinks.memory import MemorySink


class SinkMethods(Filling):
    """One method for each kind of sink. Without a preset the sinks are those that were added, standard output if none.

    With one they come on top; a sink of the same name takes the place of the preset's.
    """

    def add_stdout(
        self,
        format: Literal["auto", "json", "pretty", "logfmt"] = "auto",  # noqa: A002 - fixed by the design
        *,
        name: str = "stdout",
    ) -> Self:
        """Write to standard output; ``"auto"`` is pretty on a terminal and JSON elsewhere.

        Args:
            format: How.
            name: The sink's name in routes, figures and diagnostics.
        """
        self._sinks.append(StdoutOptions(format, name))
        return self

    def with_journal(
        self,
        directory: str | os.PathLike[str] | None = None,
        *,
        max_bytes: int | str | None = None,
        segment_bytes: int | str | None = None,
    ) -> Self:
        """Keep every event on disk, redacted, until the sinks have it: a killed process loses none. Linux only.

        Redaction happens at the call then; see :mod:`fapilog.engine.journaling`.

        Args:
            directory: Where, on a local file system; default one for each service under ``$XDG_STATE_HOME/fapilog``.
            max_bytes: How much may wait, from 1 MB. Default 64 MB.
            segment_bytes: The size of one file; default a sixteenth of ``max_bytes``, at most 4 MB.
        """
        place = os.fspath(directory) if isinstance(directory, os.PathLike) else directory
        return self._part("journal", directory=place, max_bytes=max_bytes, segment_bytes=segment_bytes)

    def add_file(
        self,
        path: str | os.PathLike[str],
        *,
        max_bytes: int | str | None = FILE_BYTES,
        interval: float | str | None = None,
        max_files: int | None = None,
        max_total_bytes: int | str | None = None,
        compress: bool = False,
        name: str = "file",
    ) -> Self:
        """Write to a file with rotation; see :class:`fapilog.sinks.file.FileSink`.

        Args:
            path: The live file; rotated ones stand beside it.
            max_bytes: Rotate before it grows over this; None never.
            interval: Rotate at multiples of this duration, such as ``"1h"``; default never.
            max_files: Keep so many rotated files; default all.
            max_total_bytes: Keep so many bytes, the live file counted as ``max_bytes``; default all.
            compress: Compress rotated files with gzip, in the background.
            name: The sink's name in routes, figures and diagnostics.
        """
        place = os.fspath(path) if isinstance(path, os.PathLike) else path
        choice = FileOptions(place, max_bytes, interval, max_files, max_total_bytes, compress, name)
        self._sinks.append(choice)
        return self

    def add_memory(self, max_events: int = 1000, *, name: str = "memory") -> Self:
        """Keep the last events in memory; for tests, see :class:`fapilog.sinks.memory.MemorySink`."""
        try:
            sink = MemorySink(max_events=max_events, name=name)
        except ConfigError as error:
            raise error.at("add_memory(max_events)") from None
        return self.add_sink(sink)

    def with_routing(self, *routes: Route | Mapping[str, Any], fallback: str | Sequence[str] = ()) -> Self:
        """Send an event to the sinks of every route whose conditions hold; without this call each sink gets all.

        Args:
            routes: ``Route(to="errors", levels=("ERROR", "CRITICAL"))``, or the same as a mapping; on top of those of
                earlier calls. See :class:`fapilog.delivery.routing.Route`.
            fallback: Names of the sinks of an event that no route matches; without any it is filtered, counted.
        """
        before = (self._changes.get("routing") or {}).get("routes", ())
        said = {"fallback": fallback} if fallback != () else {}
        return self._put("routing", routes=(*before, *routes), **said)

    def add_sink(self, sink: Sink) -> Self:
        """Write to a sink of your own; see :class:`fapilog.protocols.Sink`."""
        if not isinstance(sink, Sink):
            raise ConfigError.wrong("add_sink(sink)", sink, "an object with name, open, write and close")
        self._sinks.append(sink)
        return self
