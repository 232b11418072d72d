"""``capture_logs``: what was logged in a block, as a list of events."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, overload

from fapilog import _runtime
from fapilog.engine.channels import Output
from fapilog.engine.engine import Engine, EngineParts
from fapilog.engine.queue import QueueOptions
from fapilog.event import EventDict
from fapilog.redaction.options import RedactionOptions
from fapilog.redaction.redactor import Redactor
from fapilog.testing.fakes import RecordingSink

_CAPACITY = 1_000_000
_FLUSH_SECONDS = 10.0


class CapturedLogs(Sequence[EventDict]):
    """What :func:`capture_logs` yields: a sequence of the events so far.

    Attributes:
        sink: Where the events arrive; may be added to another engine with ``add_sink`` to see its events too.
        engine: The engine that is the process's default during the block.
    """

    def __init__(self, sink: RecordingSink, engine: Engine) -> None:
        """Watch a sink."""
        self.sink = sink
        self.engine = engine

    def __len__(self) -> int:
        """Return the number of events so far."""
        return len(self.events)

    @overload
    def __getitem__(self, index: int) -> EventDict: ...
    @overload
    def __getitem__(self, index: slice) -> list[EventDict]: ...
    def __getitem__(self, index: int | slice) -> EventDict | list[EventDict]:
        """Return an event, or some, in order."""
        return self.events[index]

    @property
    def events(self) -> list[EventDict]:
        """The events so far as flat dicts, in order. What was logged before this is read is in it.

        Raises:
            TimeoutError: If the engine does not settle what it has within 10 seconds.
        """
        self._settle()
        return self.sink.events

    @property
    def messages(self) -> list[str]:
        """The messages of :attr:`events`."""
        return [event["message"] for event in self.events]

    def find(self, message: str | None = None, **fields: Any) -> list[EventDict]:
        """Return the events with this message and with at least these fields."""
        wanted = fields if message is None else {"message": message, **fields}
        return [event for event in self.events if all(key in event and event[key] == wanted[key] for key in wanted)]

    def clear(self) -> None:
        """Forget the events so far."""
        self._settle()
        self.sink.batches = []

    def _settle(self) -> None:
        if not self.engine.flush(_FLUSH_SECONDS):
            raise TimeoutError(f"events not settled after {_FLUSH_SECONDS:g} seconds: {self.engine.figures()}")


@contextmanager
def capture_logs(level: str | int = "DEBUG") -> Iterator[CapturedLogs]:
    """Catch what is logged in a block instead of writing it.

    For the time of the block an engine of its own is the process's default: every logger that follows the default
    (``get_logger(name)``, the records of ``capture_stdlib``, the middleware) leads to it, and none of its events
    reaches the sinks that are configured. Afterwards all is as before. An application may be started inside
    the block: its events are caught, too. Loggers made by a builder's ``build()`` keep the engine they have; give
    such a builder :attr:`CapturedLogs.sink`.

    Blocks may be nested; the inner one catches. There is room for a million events.

    Credentials are redacted, as everywhere by default.

    Args:
        level: Events below it are not caught. Default: DEBUG and above.

    Raises:
        ConfigError: If there is no such level.
    """
    levels = _runtime.origin("root").queue.levels
    sink = RecordingSink("captured", format=None)
    engine = Engine(
        EngineParts(
            levels=levels,
            level=levels.number(level, "capture_logs(level)"),
            outputs=[Output(sink, None)],
            queue=QueueOptions(capacity=_CAPACITY, max_bytes="1 GB"),
            redactors=[Redactor(RedactionOptions())],
        )
    )
    logs = CapturedLogs(sink, engine)
    _runtime.push_default(engine, catches=True)
    try:
        yield logs
    finally:
        _runtime.pop_default(engine)
        engine.drain()
