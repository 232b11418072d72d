"""The size guard: no event makes a line longer than the limit, and what was cut is told in the event.

    event ─► its JSON line fits? ─yes─► the same event
                  │ no
                  ▼
             kept: timestamp level logger, ids, service …, protected fields, and the message if it fits with them
             cut:  the others, the largest first, to what is left     (cutting.py)
                  ▼
             {…, "size_guard": {"original_bytes": 700512, "cut": ["body"]}}

The limit is for a line of ``fapilog/1``, line feed included. What ends as a line of another format or schema is cut at
the same size; names there are longer.
"""

from dataclasses import dataclass
from typing import Any

import orjson

from fapilog import checks
from fapilog.coerce import json_safe, to_plain
from fapilog.errors import ConfigError
from fapilog.event import RESERVED, RESOURCE_KEYS, EventDict
from fapilog.processors.cutting import NOTHING, cut_text, member_size, share_out
from fapilog.processors.parts import free_name
from fapilog.units import parse_size

MARKER = "size_guard"
MIN_BYTES = 1_000
_ORIGINAL, _CUT, _REMOVED, _MORE, _OVER = "original_bytes", "cut", "removed", "more", "over_limit"
_MARKER_KEYS = frozenset((_ORIGINAL, _CUT, _REMOVED, _MORE, _OVER))
_MARKER_ROOM = 128
_NAMES_SHARE = 8
_LONGEST_NAMES = 512
_LONGEST_OWN_VALUE = 1_024
_AROUND = len(b"{}\n")
_NULL_GROWTH = len('"-Infinity"') / len("null")
_OPTIONS = orjson.OPT_PASSTHROUGH_DATACLASS | orjson.OPT_PASSTHROUGH_DATETIME | orjson.OPT_PASSTHROUGH_SUBCLASS
_dumps = orjson.dumps


@dataclass(frozen=True)
class SizeGuardOptions:
    """How long an event's line may be.

    Attributes:
        max_bytes: The limit: bytes, or a string such as ``"256 KB"``; at least 1 KB. Default 256 KB.
        protected: Names of fields that are never cut, whatever their size.
    """

    max_bytes: int | str = "256 KB"
    protected: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        """Check the values.

        Raises:
            ConfigError: If one cannot be used.
        """
        where = "with_size_guard(max_bytes)"
        if parse_size(self.max_bytes, where) < MIN_BYTES:
            raise ConfigError.wrong(where, self.max_bytes, 'a size of at least 1000 bytes, such as "64 KB"')
        object.__setattr__(self, "protected", checks.texts(self.protected, "with_size_guard(protected)"))


class SizeGuard:
    """Cuts events down to the limit; a :data:`fapilog.protocols.Processor`.

    An event that fits is returned as it is. Of one that does not, a new dict is returned that holds a field
    ``size_guard``; nothing in the given one is changed. Idempotent. It has no state: thread-safe.

    Args:
        options: The limit, and what is not cut.
    """

    name = MARKER

    def __init__(self, options: SizeGuardOptions | None = None) -> None:
        """Take the options; default 256 KB and nothing protected."""
        options = options or SizeGuardOptions()
        self._limit = parse_size(options.max_bytes, "with_size_guard(max_bytes)")
        self._certain = int(self._limit / _NULL_GROWTH)
        self._protected = frozenset(options.protected)
        self._own = frozenset((*RESERVED, *RESOURCE_KEYS)) - {"message"}
        self._names_room = min(_LONGEST_NAMES, self._limit // _NAMES_SHARE)

    def __call__(self, event: EventDict) -> EventDict:
        """Return the event, cut if its line would be over the limit."""
        # Serialising is the cheapest estimate there is: half the time of adding up lengths in a loop.
        try:
            line = _dumps(event, to_plain, _OPTIONS)
        except (TypeError, RecursionError):
            line = b""
        size = len(line) + 1
        # A NaN is a null here, but a text in the line.
        if line and (size <= self._certain or (size <= self._limit and b"null" not in line)):
            return event
        if not line or b"null" in line:
            line = _dumps(json_safe({key: to_plain(event[key]) for key in event}))
            size = len(line) + 1
        plain: EventDict = orjson.loads(line)
        return plain if size <= self._limit else self._cut(plain, size)

    def _cut(self, event: EventDict, size: int) -> EventDict:
        before = event.pop(MARKER, None)
        if before is not None and not _is_marker(before):
            event[free_name(MARKER + "_", event)] = before
            before = None
        kept = {key: value for key, value in event.items() if self._keeps(key, value)}
        fields = {key: value for key, value in event.items() if key not in kept}
        room = self._limit - _AROUND - _MARKER_ROOM - self._names_room
        room -= sum(member_size(key, value) for key, value in kept.items())
        message = fields.pop("message", NOTHING)
        if message is not NOTHING:
            message_size = member_size("message", message)
            if message_size <= room:
                room -= message_size
                kept["message"] = message
            else:
                fields = {"message": message, **fields}
        shared = share_out(fields, room)
        if "message" in shared.removed and type(message) is str:
            # Nothing fits, but an event has a message.
            shared.removed.remove("message")
            shared.members["message"] = cut_text(message, _MARKER_ROOM)
            if shared.members["message"] != message:
                shared.cut.append("message")
        kept.update(shared.members)
        marker = self._marker(before or {_ORIGINAL: size}, shared.cut, shared.removed)
        result = {key: kept[key] for key in event if key in kept} | {MARKER: marker}
        if len(_dumps(result)) + 1 > self._limit:
            marker[_OVER] = True
        return result

    def _keeps(self, key: str, value: Any) -> bool:
        """Tell whether a field is never cut. A name of our own with a long value was taken by a field."""
        return key in self._protected or (key in self._own and member_size(key, value) <= _LONGEST_OWN_VALUE)

    def _marker(self, before: EventDict, cut: list[str], removed: list[str]) -> EventDict:
        """Return the marker; of the names as many as there is room for, of the others the number."""
        names = {_CUT: list(before.get(_CUT, ())), _REMOVED: list(before.get(_REMOVED, ()))}
        more = before.get(_MORE, 0)
        room = self._names_room - len(_dumps(names[_CUT])) - len(_dumps(names[_REMOVED]))
        for kind, added in ((_CUT, cut), (_REMOVED, removed)):
            for name in added:
                length = len(_dumps(name)) + 1
                if name in names[kind]:
                    continue
                if length <= room:
                    names[kind].append(name)
                    room -= length
                else:
                    more += 1
        marker = {_ORIGINAL: before[_ORIGINAL], **{kind: listed for kind, listed in names.items() if listed}}
        return {**marker, _MORE: more} if more else marker


def _is_marker(value: Any) -> bool:
    return (
        type(value) is dict
        and type(value.get(_ORIGINAL)) is int
        and type(value.get(_MORE, 0)) is int
        and all(type(value.get(kind, [])) is list for kind in (_CUT, _REMOVED))
        and value.keys() <= _MARKER_KEYS
    )
