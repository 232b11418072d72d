"""The contracts between the parts: what a stage is, what a sink is, and what a sink is given.

A stage is any callable on the event dict. A sink is the only thing with a life cycle. Wrappers of a sink
(retry, breaker, spool, …) are sinks themselves.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, NamedTuple, Protocol, runtime_checkable

from fapilog.event import EventDict

Filter = Callable[[EventDict], bool]
"""False drops the event, counted as filtered under the filter's name."""

Enricher = Callable[[EventDict], Mapping[str, Any]]
"""What it returns is merged in, never over a key that the event already has."""

Redactor = Callable[[EventDict], EventDict]
"""Returns the event to go on with. If it raises, nothing unredacted goes on."""

Processor = Callable[[EventDict], EventDict | None]
"""Returns the event to go on with, or None to drop it, counted as filtered."""


class Summary(NamedTuple):
    """What a filter has to say about events it held back; it becomes an event of the logger ``fapilog``."""

    level: str
    message: str
    fields: Mapping[str, Any]


@runtime_checkable
class Summarising(Protocol):
    """A filter that sums up what it held back."""

    def due(self, final: bool) -> Sequence[Summary]:  # noqa: FBT001 - the one argument
        """Return the summaries whose time has come, or with ``final`` all there are.

        Called by the worker between slices, and with ``final`` when the engine drains.
        """
        ...


@runtime_checkable
class RecordRedactor(Protocol):
    """A redactor that also takes captured records, so that no dict has to be made of them.

    For every record ``to_event`` of what :meth:`redact_records` returns equals what the redactor makes of ``to_event``
    of the record.
    """

    def __call__(self, event: EventDict) -> EventDict:
        """Return the event redacted."""
        ...

    def redact_records(self, records: Sequence[Any]) -> Sequence[Any]:
        """Return the records redacted, as many and in the same order."""
        ...


class Batch:
    """What a sink is given: some events in order, serialised once for all sinks of one format.

    Where a schema is configured, a JSON sink's events have its shape, as its lines do; other sinks' are flat.

    Immutable and safe to read from any thread. ``size_bytes`` is the length of ``lines``.
    For a sink whose ``format`` is None there are no lines.
    """

    __slots__ = (
        "_build", "_build_flat", "_build_ids", "_count", "_events", "_flat", "_joined", "_lines", "size_bytes",
    )  # fmt: skip

    def __init__(
        self,
        lines: Sequence[bytes],
        build_events: Callable[[], list[EventDict]],
        count: int | None = None,
        build_flat: Callable[[], list[EventDict]] | None = None,
        build_ids: Callable[[], Sequence[Mapping[str, Any]]] | None = None,
    ) -> None:
        """Hold the lines; the dicts are built when somebody asks.

        Args:
            lines: The serialised events, each ended by a newline; or none at all.
            build_events: Builds the dicts, in the same order.
            count: How many events; default ``len(lines)``.
            build_flat: Builds the flat dicts; default: those are what ``build_events`` builds.
            build_ids: Tells the ids of each event; default: they are looked for in the flat dicts.
        """
        self._lines = lines
        self._joined: bytes | None = None
        self._build = build_events
        self._build_flat = build_flat
        self._build_ids = build_ids
        self._events: list[EventDict] | None = None
        self._flat: list[EventDict] | None = None
        self._count = len(lines) if count is None else count
        self.size_bytes = sum(map(len, lines))

    def __len__(self) -> int:
        """Return the number of events."""
        return self._count

    @property
    def lines(self) -> bytes:
        """All events as one run of bytes, each ended by a newline (a pretty event may hold more of them inside)."""
        if self._joined is None:
            self._joined = b"".join(self._lines)
        return self._joined

    @property
    def events(self) -> list[EventDict]:
        """The events as flat dicts, built at the first use. Do not change them: other sinks may see the same."""
        if self._events is None:
            self._events = self._build()
        return self._events

    @property
    def flat(self) -> list[EventDict]:
        """The events as flat dicts of schema ``fapilog/1``, whichever schema is configured. Do not change them."""
        if self._build_flat is None:
            return self.events
        if self._flat is None:
            self._flat = self._build_flat()
        return self._flat

    def identities(self) -> Sequence[Mapping[str, Any]]:
        """Return for each event a mapping with its request and trace ids: cheaper than ``flat`` for who needs no more.

        It may hold more than that. Do not change it.
        """
        return self.flat if self._build_ids is None else self._build_ids()

    def line(self, index: int) -> bytes:
        """Return one event's bytes, newline included."""
        return self._lines[index]

    def only(self, indexes: Sequence[int]) -> "Batch":
        """Return a batch of some of the events, in the order of the indexes."""
        return Batch(
            [self._lines[index] for index in indexes] if self._lines else [],
            lambda: [self.events[index] for index in indexes],
            len(indexes),
            lambda: [self.flat[index] for index in indexes],
        )


@runtime_checkable
class Sink(Protocol):
    """Where events end.

    ``open`` may be called again after ``close``, and in a forked child without one. A sink raises
    :class:`fapilog.errors.SinkError`; whatever else it raises counts as not retryable.

    Optional attributes, the first two read once when the engine is built:

    - ``format``: ``"json"`` (default), ``"pretty"`` or ``"logfmt"``: what ``Batch.lines`` holds. None for a sink that
      only reads ``Batch.events``, flat dicts of schema ``fapilog/1``, whichever schema is configured; ``"events"``
      for one that wants to read them as JSON lines would hold them.
    - ``blocks``: False says that ``write`` only touches memory. Any other synchronous sink gets a writer
      thread of its own as soon as it is not the only one.
    - ``threaded``: True on a synchronous sink asks for all that asynchronous ones get (batches, retry, spool, …): a
      thread of its own calls it then.
    - ``figures``: a mapping of names to numbers that the sink counts itself; ``/debug/logging`` shows it.
    - ``health``: a method that returns how the sink is, as a mapping of plain values without secrets; called by any
      thread at any time, does no I/O, and has at least ``status``: ``"ok"``, ``"failing"`` or ``"closed"``.
    - ``event_ids``: True asks for an ``event_id`` on every event, in lines and dicts alike: the same one whenever the
      event is sent again.
    """

    name: str

    async def open(self) -> None:
        """Get ready: files, connections. Called before the first write.

        Raises ``SinkError``: ``retryable=True`` where the receiver cannot be reached yet, which is tried again soon;
        not retryable where the configuration is wrong, which is said at once and tried again once a minute.

        It runs on the engine's loop, or, for a sink with a writer thread, on a loop of its own in that thread.
        """
        ...

    def write(self, batch: Batch) -> Awaitable[None] | None:
        """Take a batch: a plain method, or an ``async def`` that runs on the engine's loop."""
        ...

    async def close(self) -> None:
        """Let go of what ``open`` got. Called when the engine stops, where ``open`` was."""
        ...


class Format(Protocol):
    """How events become lines."""

    name: str

    @property
    def reshape(self) -> Callable[[EventDict], EventDict] | None:
        """What makes of a flat dict what a line of it holds; None if that is the flat dict itself."""
        ...

    def encode_records(self, records: Sequence[Any]) -> list[bytes]:
        """Return the lines of captured records, newlines included. Never raises for what an event holds."""
        ...

    def encode_events(self, events: Sequence[EventDict]) -> list[bytes]:
        """Return the lines of flat dicts, newlines included. Never raises for what an event holds."""
        ...

    def reset(self) -> None:
        """Forget what was rendered: in a forked child the resource says another process id."""
        ...
