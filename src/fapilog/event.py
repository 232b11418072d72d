"""One event on its way: the record that a log call leaves in the queue, and the flat dict made of it.

    logger.info("paid", order=7)
        │  a Record: a tuple of the parts, all owned by us or immutable
        ▼
    queue ─► worker ─► to_event(record, resource) ─► EventDict, keys in wire order (schema fapilog/1)

The parts stay apart as long as nobody looks, because a serialiser can then render a part once for all the
events that share it (``serializers/json.py``). :func:`to_event` is the definition of what they mean together;
a property test holds every shortcut to it.
"""

import time
from collections import deque
from collections.abc import Awaitable, Callable, Mapping, Sequence
from operator import is_not
from typing import Any, NamedTuple, Protocol

from fapilog.coerce import to_text
from fapilog.levels import LevelTable

EventDict = dict[str, Any]

RESERVED = ("timestamp", "level", "logger", "message", "request_id", "trace_id", "span_id", "trace_flags")
ERROR_KEYS = ("exception", "stack")
RESOURCE_KEYS = ("service", "env", "version", "host", "pid")
IDENTITY_KEYS = ("request_id", "trace_id", "span_id", "trace_flags")
_TRACE_KEYS = IDENTITY_KEYS[1:]
_NOT_A_FIELD = frozenset(RESERVED + ERROR_KEYS)
_NOT_CONTEXT = frozenset(("timestamp", "level", "logger", "message", *ERROR_KEYS))
_MICROSECONDS = 1_000
_MILLION = 1_000_000
_TO_SECONDS = len("2026-11-21T09:00:00.")
_SHAREABLE = frozenset((str, int, float, bool, type(None)))


class SpanIds(Protocol):
    """What is read of an OpenTelemetry span context."""

    @property
    def trace_id(self) -> int: ...  # noqa: D102 - the protocol's own names say it
    @property
    def span_id(self) -> int: ...  # noqa: D102
    @property
    def trace_flags(self) -> int: ...  # noqa: D102


class CapturedException(Protocol):
    """An exception taken apart at the call, rendered by the worker."""

    def render(self) -> dict[str, Any]:
        """Return the ``exception`` object of the event."""
        ...


class RenderedException:
    """An exception that has been rendered already, in place of the captured one."""

    __slots__ = ("_value",)

    def __init__(self, value: dict[str, Any]) -> None:
        """Hold the ``exception`` object."""
        self._value = value

    def render(self) -> dict[str, Any]:
        """Return it."""
        return self._value


class Extra(NamedTuple):
    """The rare parts of a record."""

    exception: CapturedException | None = None
    stack: str | None = None
    size_bytes: int = 0
    ticket: int | None = None


class Record(NamedTuple):
    """The parts of one event, as captured. The log call builds the same eight-to-ten slots as a plain tuple.

    Every part is owned by fapilog or is never changed again: ``fields`` is the call's own keyword dict,
    ``bound``, ``local`` and ``shared`` are replaced as a whole when something is bound, never written to.
    """

    time_ns: int
    levelno: int
    origin: "Origin"
    message: str
    fields: dict[str, Any]
    bound: Mapping[str, Any]
    local: Mapping[str, Any]
    shared: Mapping[str, Any]
    span: SpanIds | None
    extra: Extra | None


class Intake(Protocol):
    """Where log calls put records: the engine's queue.

    A call appends to ``items`` itself while ``len(items) < limit`` and everything is ordinary; that is the
    whole fast path. In all other cases it calls :meth:`admit`. Setting ``limit`` to zero sends every
    call there: that is how a stopped engine gets started and how a full queue makes callers wait.
    """

    items: deque[Any]
    limit: int
    span_key: str
    levels: LevelTable

    @property
    def current_context(self) -> Callable[[], Any]:
        """Returns the current OpenTelemetry context."""
        ...

    def copy_fields(self, fields: Mapping[str, Any]) -> tuple[dict[str, Any], int] | None:
        """Copy plain fields quickly; see :func:`fapilog.copying.copy_fields`."""
        ...

    def admit(self, record: tuple[Any, ...], *, may_await: bool) -> Awaitable[None] | None:
        """Take the record, wait for room, or count it as dropped.

        Args:
            record: The record.
            may_await: True for the async facade: instead of blocking, return something to await.
        """
        ...

    def bind(self, origin: "Origin") -> None:
        """Make sure that ``origin`` leads to an engine; the default one is built at the first event."""
        ...


class Origin:
    """The place where the events of one logger name start: its threshold and its queue.

    Shared by all loggers of that name on one engine, and re-pointed by the process's runtime when the default
    engine changes, which is how a module-level logger follows a later configuration.

    Attributes:
        level: What a log call compares first: nobody wants events below it.
        threshold: The level that is configured; at or above ``level``. Events between the two are wanted only where
            :class:`fapilog.context.Below` says so.
    """

    __slots__ = ("level", "name", "queue", "threshold")

    def __init__(self, name: str, queue: Intake, level: int = 0) -> None:
        """Start with a threshold of ``level``; events below it are not taken."""
        self.name = name
        self.queue = queue
        self.level = self.threshold = level


class Names(Protocol):
    """Level names, see :class:`fapilog.levels.LevelTable`."""

    def name(self, number: int) -> str: ...  # noqa: D102 - see LevelTable


def to_event(record: Sequence[Any], names: Names, resource: Mapping[str, Any]) -> EventDict:
    """Return the flat dict of a record, keys in the order of the wire.

    Precedence is call > bound logger > context > resource. A field of the call or of a bound logger whose name
    is reserved is kept under ``name_``; the context may set the request id and, without an active span, the
    trace ids. The dict is new, and so are containers that other events share: a stage may write into it.
    """
    time_ns, levelno, origin, message, fields, bound, local, shared, span, extra = record
    event: EventDict = {
        "timestamp": timestamp(time_ns),
        "level": names.name(levelno),
        "logger": origin.name,
        "message": message,
    }
    context = {**shared, **local} if shared and local else (local or shared)
    identity = identity_of(context, span)
    event.update(identity)
    tail = _tail(extra, resource)
    for key, value in context.items():
        if key not in IDENTITY_KEYS:
            event[_free(key, _NOT_CONTEXT, context, bound, fields)] = _own(value)
    for key, value in bound.items():
        event[_free(key, _NOT_A_FIELD, context, bound, fields)] = _own(value)
    for key, value in fields.items():
        event[_free(key, _NOT_A_FIELD, context, bound, fields)] = value
    for key, value in tail.items():
        event.setdefault(key, value)
    return event


def to_events(records: Sequence[Sequence[Any]], names: Names, resource: Mapping[str, Any]) -> list[EventDict]:
    """Return what :func:`to_event` makes of each record; what records share is looked at once.

    Events share no container with each other that a stage could write into, but those of the resource.
    """
    events: list[EventDict] = []
    parts: tuple[Any, ...] = ()
    middle: EventDict | None = None
    second, stamp = None, ""
    for record in records:
        time_ns, levelno, origin, message, fields, *its_parts, extra = record
        if len(parts) != len(its_parts) or any(map(is_not, its_parts, parts)):
            parts = tuple(its_parts)
            middle = _middle(*parts)
        rare = extra is not None and (extra.exception is not None or extra.stack is not None)
        if rare or middle is None or not _NOT_A_FIELD.isdisjoint(fields):
            events.append(to_event(record, names, resource))
            continue
        micros = time_ns // _MICROSECONDS
        if micros // _MILLION != second:
            second = micros // _MILLION
            stamp = timestamp(time_ns)[:_TO_SECONDS]
        event = {
            "timestamp": f"{stamp}{micros % _MILLION:06d}Z",
            "level": names.name(levelno),
            "logger": origin.name,
            "message": message,
            **middle,
            **fields,
        }
        for key, value in resource.items():
            event.setdefault(key, value)
        events.append(event)
    return events


def _middle(
    bound: Mapping[str, Any], local: Mapping[str, Any], shared: Mapping[str, Any], span: SpanIds | None
) -> EventDict | None:
    """Return what stands between message and fields; None if names clash, or values must not be shared by events."""
    context = {**shared, **local} if shared and local else (local or shared)
    if not (_NOT_CONTEXT.isdisjoint(context) and _NOT_A_FIELD.isdisjoint(bound)):
        return None
    if not all(type(value) in _SHAREABLE for part in (context, bound) for value in part.values()):
        return None
    rest = {key: value for key, value in context.items() if key not in IDENTITY_KEYS}
    return {**identity_of(context, span), **rest, **bound}


def identities(records: Sequence[Sequence[Any]]) -> list[EventDict]:
    """Return the request and trace ids that the event of each record has; neighbours that share them share a dict."""
    found: list[EventDict] = []
    parts: tuple[Any, ...] = ()
    identity: EventDict = {}
    for _, _, _, _, _, _, local, shared, span, _ in records:
        its_parts = (local, shared, span)
        if len(parts) != len(its_parts) or any(map(is_not, its_parts, parts)):
            parts = its_parts
            identity = identity_of({**shared, **local} if shared and local else (local or shared), span)
        found.append(identity)
    return found


def identity_of(context: Mapping[str, Any], span: SpanIds | None) -> EventDict:
    """Return request and trace ids: those of the active span win over those of the context."""
    identity = {}
    if context.get("request_id") is not None:
        identity["request_id"] = to_text(context["request_id"])
    if span is not None and _is_id(getattr(span, "trace_id", 0), 128) and _is_id(getattr(span, "span_id", 0), 64):
        identity["trace_id"] = f"{span.trace_id:032x}"
        identity["span_id"] = f"{span.span_id:016x}"
        identity["trace_flags"] = f"{span.trace_flags & 0xFF:02x}"
    else:
        identity.update({key: to_text(context[key]) for key in _TRACE_KEYS if context.get(key) is not None})
    return identity


def _is_id(value: object, bits: int) -> bool:
    """Tell whether it is a valid id; the span may be anything that some tracer, or a mock of one, has made active."""
    return isinstance(value, int) and 0 < value < 1 << bits


def timestamp(time_ns: int) -> str:
    """Return RFC 3339 in UTC with microseconds and ``Z``; years outside 1..9999 are held at the edge."""
    seconds, rest = divmod(time_ns, 1_000_000_000)
    seconds = min(max(seconds, -62_135_596_800), 253_402_300_799)
    moment = time.gmtime(seconds)
    date = f"{moment.tm_year:04d}-{moment.tm_mon:02d}-{moment.tm_mday:02d}"
    return f"{date}T{moment.tm_hour:02d}:{moment.tm_min:02d}:{moment.tm_sec:02d}.{rest // _MICROSECONDS:06d}Z"


def _tail(extra: Extra | None, resource: Mapping[str, Any]) -> EventDict:
    tail: EventDict = {}
    if extra is not None and extra.exception is not None:
        tail["exception"] = extra.exception.render()
    if extra is not None and extra.stack is not None:
        tail["stack"] = extra.stack
    tail.update(resource)
    return tail


def _own(value: Any) -> Any:
    """Return a plain value with containers of its own."""
    if type(value) is dict:
        return {key: _own(item) for key, item in value.items()}
    return [_own(item) for item in value] if type(value) is list else value


def _free(key: str, taken: frozenset[str], *parts: Mapping[str, Any]) -> str:
    """Return a key, or if that is taken the next one with ``_`` at its end that no part has a field of."""
    if key not in taken:
        return key
    key += "_"
    while any(key in part for part in parts):
        key += "_"
    return key
