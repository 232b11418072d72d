"""A file for the events that a receiver will never take, with the reason of each, one JSON object a line.

    {"time": "2026-11-21T09:00:00.123456Z", "sink": "loki", "reason": "timestamp too old", "event": {…}}

They are as redacted as everything else that leaves the process.
"""

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import orjson

from fapilog import checks
from fapilog.clock import SYSTEM_CLOCK, Clock
from fapilog.coerce import json_safe
from fapilog.delivery.wrapping import Wrapper, finished
from fapilog.diagnostics import attempt, describe, one_line
from fapilog.errors import ConfigError, SinkError
from fapilog.event import EventDict, timestamp
from fapilog.offload import Offload
from fapilog.protocols import Batch, Sink
from fapilog.units import parse_size


@dataclass(frozen=True)
class DeadLetterOptions:
    """Where the events are kept that a receiver will never take.

    Attributes:
        path: The file, one for all sinks; it is only added to. With a spool the default is ``dead-letters.jsonl`` in
            its directory.
        max_bytes: Once it is so large, nothing more is written to it, counted. Default 64 MB.
    """

    path: str | Path
    max_bytes: int | str = "64 MB"

    def __post_init__(self) -> None:
        """Check the values.

        Raises:
            ConfigError: If one cannot be used.
        """
        if not isinstance(self.path, Path):
            checks.text(self.path, "with_dead_letters(path)")
            if "\0" in str(self.path):
                raise ConfigError.wrong("with_dead_letters(path)", self.path, "a path")
        parse_size(self.max_bytes, "with_dead_letters(max_bytes)")


class DeadLetters(Wrapper):
    """Writes what the sink inside refuses for good to a file, and raises the error all the same: it was not delivered.

    The file is written to on a thread of its own; several processes may share it, on a local file system.

    Attributes:
        figures: ``dead_letters``, how many were written, and ``dead_letters_lost``, for how many there was no room.
    """

    def __init__(
        self,
        inner: Sink,
        options: DeadLetterOptions,
        clock: Clock = SYSTEM_CLOCK,
        say: Callable[[str], object] = str,
        scrub: Callable[[str], str] = str,
    ) -> None:
        """Hold the sink; the file is made when it is needed."""
        super().__init__(inner)
        self.figures = {"dead_letters": 0, "dead_letters_lost": 0}
        self._path = Path(options.path)
        self._most = parse_size(options.max_bytes, "with_dead_letters(max_bytes)")
        self._clock = clock
        self._say = say
        self._scrub = scrub
        self._offload = Offload(f"fapilog-{self.name}-letters")

    async def open(self) -> None:
        """Open the sink inside, and take a new thread: that of a forked child's parent is not there."""
        self._offload = Offload(f"fapilog-{self.name}-letters")
        await super().open()

    async def write(self, batch: Batch) -> None:
        """Write, and keep what is refused.

        Raises:
            SinkError: What the sink inside raises.
        """
        try:
            await finished(self.inner.write(batch))
        except SinkError as error:
            if error.rejected:
                await self._keep(batch, error.rejected)
            raise

    async def close(self) -> None:
        """Close the sink inside, and let the thread end."""
        self._offload.close()
        await super().close()

    async def _keep(self, batch: Batch, rejected: dict[int, str]) -> None:
        now = timestamp(self._clock.time_ns())
        events = batch.flat
        lines = [self._line(now, events[index], reason) for index, reason in rejected.items()]
        _, error = await self._offload.run(attempt, self._append, lines)
        if error is None:
            self.figures["dead_letters"] += len(lines)
        else:
            self.figures["dead_letters_lost"] += len(lines)
            self._say(f"{len(lines)} dead letters are lost: {describe(error)}")

    def _line(self, now: str, event: EventDict, reason: str) -> bytes:
        # What a receiver answers may quote the request, its credentials included.
        letter = {"time": now, "sink": self.name, "reason": one_line(self._scrub(str(reason))), "event": event}
        return orjson.dumps(json_safe(letter)) + b"\n"

    def _append(self, lines: Sequence[bytes]) -> None:
        data = b"".join(lines)
        self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        fd = os.open(self._path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | getattr(os, "O_CLOEXEC", 0), 0o600)
        try:
            if os.fstat(fd).st_size + len(data) > self._most:
                raise OSError(f"{self._path} has no room left")
            # A short write would leave half a line; the next one would be glued to it.
            if os.write(fd, data) < len(data):
                os.write(fd, b"\n")
                raise OSError(f"{self._path} could not be written as a whole")
        finally:
            os.close(fd)
