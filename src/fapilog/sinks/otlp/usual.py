"""What :func:`fapilog.processors.otel.otel` makes of an event, for the usual ones at half the cost.

Consecutive events share their second, ids, resource and names of fields; what was found out about those of one is kept
for the next. An event with an exception or a request, or with anything else that is not usual, is left to ``otel``;
so are the parts that are seen for the first time. For every event the result is the same, a property test says so,
but for the observed time, which is not in it.
"""

from typing import Any

from fapilog.event import EventDict
from fapilog.processors.otel import SEVERITIES, otel
from fapilog.processors.parts import ACCESS_LOGGER

_MISSING = object()
_KINDS = frozenset({str, int, object})
_IDS = ("trace_id", "span_id", "trace_flags")
_RESOURCE = ("service", "version", "env", "host", "pid")
_STAMP_LENGTH, _SECOND_LENGTH = len("2026-11-21T09:00:00.123456Z"), len("2026-11-21T09:00:00")
_SECOND_NS, _MICROSECOND_NS = 1_000_000_000, 1_000
_KEPT_SHAPES = 512


class UsualEvents:
    """Maps events; used for one batch."""

    def __init__(self) -> None:
        """Know nothing yet."""
        self._second, self._second_ns = "", 0
        self._ids_key: tuple[Any, ...] = ()
        self._ids: EventDict = {}
        self._resource_key: tuple[Any, ...] = ()
        self._resource: EventDict = {}
        self._shapes: set[tuple[str, ...]] = set()

    def record(self, event: EventDict) -> EventDict:
        """Return the log record of an event."""
        return self._quick(dict(event)) or otel(event)

    def _quick(self, fields: EventDict) -> EventDict | None:
        pop = fields.pop
        logger, level, message = pop("logger", None), pop("level", None), pop("message", _MISSING)
        if type(logger) is not str or type(level) is not str or message is _MISSING or logger == ACCESS_LOGGER:
            return None
        severity = SEVERITIES.get(level)
        time_ns = self._time_ns(pop("timestamp", None))
        ids = (pop("trace_id", _MISSING), pop("span_id", _MISSING), pop("trace_flags", _MISSING))
        resource = (
            pop("service", _MISSING), pop("version", _MISSING), pop("env", _MISSING), pop("host", _MISSING),
            pop("pid", _MISSING),
        )  # fmt: skip
        if severity is None or time_ns is None or not _KINDS.issuperset(map(type, ids + resource)):
            return None
        if ids != self._ids_key and not self._note_ids(ids):
            return None
        if resource != self._resource_key and not self._note_resource(resource):
            return None
        shape = tuple(fields)
        if shape not in self._shapes and not self._note_shape(shape):
            return None
        return {
            "Timestamp": time_ns,
            **self._ids,
            "SeverityText": level,
            "SeverityNumber": severity,
            "Body": message,
            "Resource": self._resource,
            "InstrumentationScope": {"Name": logger},
            "Attributes": fields,
        }

    def _time_ns(self, stamp: Any) -> int | None:
        if type(stamp) is not str or len(stamp) != _STAMP_LENGTH or stamp[-1] != "Z" or not stamp.isascii():
            return None
        micros = stamp[_SECOND_LENGTH + 1 : -1]
        if stamp[_SECOND_LENGTH] != "." or not micros.isdigit():
            return None
        second = stamp[:_SECOND_LENGTH]
        if second != self._second:
            found = otel({"timestamp": f"{second}Z"}).get("Timestamp")
            if found is None:
                return None
            self._second, self._second_ns = second, int(found)
        return self._second_ns + int(micros) * _MICROSECOND_NS

    def _note_ids(self, key: tuple[Any, ...]) -> bool:
        found = self._known(_IDS, key)
        if found is None:
            return False
        self._ids_key, self._ids = (
            key,
            {name: found[name] for name in ("TraceId", "SpanId", "TraceFlags") if name in found},
        )
        return True

    def _note_resource(self, key: tuple[Any, ...]) -> bool:
        found = self._known(_RESOURCE, key)
        if found is None:
            return False
        self._resource_key, self._resource = key, found.get("Resource", {})
        return True

    def _known(self, names: tuple[str, ...], values: tuple[Any, ...]) -> EventDict | None:
        """Return what ``otel`` makes of some parts; None if it moves one of them elsewhere."""
        parts = {name: value for name, value in zip(names, values, strict=True) if value is not _MISSING}
        found = otel(parts)
        return None if "Attributes" in found else found

    def _note_shape(self, shape: tuple[Any, ...]) -> bool:
        usual = all(type(key) is str and not key.startswith("k8s.") for key in shape)
        if not usual or "exception" in shape or "http_method" in shape:
            return False
        if len(self._shapes) < _KEPT_SHAPES:
            self._shapes.add(shape)
        return True
