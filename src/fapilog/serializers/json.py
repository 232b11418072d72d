r"""The wire format: one flat JSON object a line, schema ``fapilog/1`` (``schema/event_v1.json``, ``docs/event.md``).

Events share most of their parts: level and logger, bound context, trace ids, resource. Each such part is rendered once
and kept for as long as its object is in use; a line is then put together from fragments.

    {"timestamp":"…Z" ,"level":"…","logger":"…","message": "…" ,"request_id"… ,"trace_id"… ,context ,fields ,resource}
     second + micros    once a level and logger                   once a context  a span    a context         once

Where parts overlap (a field named like a bound one or like a reserved key) or hold what JSON does not know, the
event is made a dict by :func:`fapilog.event.to_event` and serialised whole. Both ways give the same bytes; a property
test says so. Nothing raises, and no event loses a neighbour: integers over 64 bits become decimal text, NaN and
infinities ``"NaN"``, ``"Infinity"``, ``"-Infinity"`` (RFC 8259 has no such numbers), lone surrogates a
visible ``\udXXX``.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import orjson

from fapilog.coerce import json_safe, to_plain
from fapilog.event import (
    ERROR_KEYS,
    IDENTITY_KEYS,
    RESERVED,
    EventDict,
    Names,
    SpanIds,
    identity_of,
    timestamp,
    to_event,
)

_OPTIONS = orjson.OPT_PASSTHROUGH_DATACLASS | orjson.OPT_PASSTHROUGH_DATETIME | orjson.OPT_PASSTHROUGH_SUBCLASS
_KEPT_PARTS = 512
_DIGITS = [b"%03d" % number for number in range(1000)]
_dumps = orjson.dumps


class _Shape(NamedTuple):
    """What follows from the names of the fields of a context and a bound logger alone; few differ in a program."""

    taken: frozenset[str]
    mixed: bool
    named: tuple[str, ...]


class _Shared:
    """The rendered parts of one combination of context and bound logger, and what they are made of.

    Holding the mappings keeps their ids from being given to others.
    """

    __slots__ = ("bound", "identity", "local", "mixed", "rest", "shared", "taken", "traced")

    def __init__(
        self, bound: Mapping[str, Any], local: Mapping[str, Any], shared: Mapping[str, Any], shape: _Shape
    ) -> None:
        self.bound, self.local, self.shared = bound, local, shared
        self.taken, self.mixed, named = shape
        context = {**shared, **local} if shared and local else local or shared
        identity = identity_of(context, None) if context else {}
        self.identity = _members({"request_id": identity.pop("request_id")}) if "request_id" in identity else b""
        self.traced = _members(identity)
        self.rest = _members({**{key: context[key] for key in named}, **bound}) if named or bound else b""


class JsonFormat:
    """Serialises events as JSON lines. One instance belongs to one engine's worker; not thread-safe.

    Args:
        names: Names the levels.
        resource: Fields about the process, on every event.
        reshape: Gives the flat dict another schema; default ``fapilog/1``, the flat dict itself.
    """

    name = "json"

    def __init__(
        self,
        names: Names,
        resource: Mapping[str, Any],
        reshape: Callable[[EventDict], EventDict] | None = None,
    ) -> None:
        """Start with nothing rendered."""
        self.reshape = reshape
        self._names = names
        self._resource = resource
        self.reset()

    def reset(self) -> None:
        """Forget what was rendered."""
        self._tail = _members(self._resource) + b"}\n"
        self._heads: dict[tuple[int, str], bytes] = {}
        self._parts: dict[tuple[int, int, int], _Shared] = {}
        self._shapes: dict[tuple[tuple[str, ...], ...], _Shape] = {}
        self._spans: dict[int, tuple[SpanIds, bytes]] = {}

    def encode_records(self, records: Sequence[Any]) -> list[bytes]:
        """Return the lines of captured records."""
        if self.reshape is not None:
            return [self._whole(record) for record in records]
        lines: list[bytes] = []
        stamp = head = middle = b""
        millis = bound = local = shared = span = origin = part = None
        level = -1
        for record in records:
            time_ns, levelno, its_origin, message, fields, its_bound, its_local, its_shared, its_span, extra = record
            if (
                its_shared is not shared
                or its_span is not span
                or its_local is not local
                or its_bound is not bound
                or part is None
            ):
                local, shared, bound, span = its_local, its_shared, its_bound, its_span
                part = self._part(bound, local, shared)
                middle = part.identity + (self._span(span) or part.traced) + part.rest
            try:
                rare = extra is not None and (extra.exception is not None or extra.stack is not None)
                if rare or part.mixed or not part.taken.isdisjoint(fields):
                    lines.append(self._whole(record))
                    continue
                text = _dumps(message)
                body = _dumps(fields)
            except TypeError:
                lines.append(self._whole(record))
                continue
            micros = time_ns // 1_000
            if micros // 1_000 != millis:
                millis = micros // 1_000
                stamp = b'{"timestamp":"' + timestamp(time_ns)[:23].encode()
            if its_origin is not origin or levelno != level:
                origin, level = its_origin, levelno
                head = self._head(level, origin.name)
            comma = b"," if fields else b""
            lines.append(b"".join((stamp, _DIGITS[micros % 1_000], head, text, middle, comma, body[1:-1], self._tail)))
        return lines

    def encode_events(self, events: Sequence[EventDict]) -> list[bytes]:
        """Return the lines of flat dicts."""
        reshape = self.reshape
        return [dump_event(event if reshape is None else reshape(event)) for event in events]

    def _whole(self, record: Sequence[Any]) -> bytes:
        event = to_event(record, self._names, self._resource)
        return dump_event(event if self.reshape is None else self.reshape(event))

    def _head(self, levelno: int, logger: str) -> bytes:
        found = self._heads.get((levelno, logger))
        if found is not None:
            return found
        level = _dumps(self._names.name(levelno))
        head = b'Z","level":' + level + b',"logger":' + _dumps(json_safe(logger)) + b',"message":'
        _make_room(self._heads)
        self._heads[levelno, logger] = head
        return head

    def _part(self, bound: Mapping[str, Any], local: Mapping[str, Any], shared: Mapping[str, Any]) -> _Shared:
        key = (id(bound), id(local), id(shared))
        part = self._parts.get(key)
        if part is None:
            names = (tuple(bound), tuple(local), tuple(shared))
            part = _Shared(bound, local, shared, self._shapes.get(names) or self._shape(names))
            _make_room(self._parts)
            self._parts[key] = part
        return part

    def _shape(self, names: tuple[tuple[str, ...], ...]) -> _Shape:
        bound, local, shared = names
        named = tuple(key for key in dict.fromkeys((*shared, *local)) if key not in IDENTITY_KEYS)
        taken = frozenset((*RESERVED, *ERROR_KEYS, *named, *bound, *self._resource))
        # Overlapping parts cannot be put side by side: each such event is serialised whole.
        mixed = len(taken) != len(RESERVED) + len(ERROR_KEYS) + len(named) + len(bound) + len(self._resource)
        _make_room(self._shapes)
        shape = self._shapes[names] = _Shape(taken, mixed, named)
        return shape

    def _span(self, span: SpanIds | None) -> bytes:
        if span is None:
            return b""
        found = self._spans.get(id(span))
        if found is None:
            ids = identity_of({}, span)
            found = (span, _members(ids))
            _make_room(self._spans)
            self._spans[id(span)] = found
        return found[1]


def dump_event(event: EventDict) -> bytes:
    """Return one flat dict as a line; never raises for what it holds."""
    try:
        line = _dumps(event, to_plain, _OPTIONS | orjson.OPT_APPEND_NEWLINE)
    except (TypeError, RecursionError):
        line = b""
    if not line or (b"null" in line and not all_finite(event)):
        # Value by value: the bounds of to_plain are for what a field holds, not for how many there are.
        line = _dumps(json_safe({key: to_plain(event[key]) for key in event}), None, orjson.OPT_APPEND_NEWLINE)
    return line


def all_finite(value: Any) -> bool:
    """Tell whether no float in a value is NaN or infinite; what is no plain container counts as not known."""
    # By the type: isinstance asks the object for its class, and what a user's stage has added may raise there.
    kind = type(value)
    if issubclass(kind, float):
        return math.isfinite(value)
    if issubclass(kind, dict):
        return all(map(all_finite, value.values()))
    if issubclass(kind, list | tuple):
        return all(map(all_finite, value))
    return value is None or issubclass(kind, str | int)


def _members(fields: Mapping[str, Any]) -> bytes:
    """Return the members of an object, each with a comma before it."""
    if not fields:
        return b""
    return b"," + dump_event(dict(fields))[1:-2]


def _make_room(kept: dict[Any, Any]) -> None:
    """Keep a cache bounded: forget all when it is full, which costs one rendering of what is still in use."""
    if len(kept) >= _KEPT_PARTS:
        kept.clear()
