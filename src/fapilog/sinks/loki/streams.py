"""The events of a batch as entries of streams."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, NamedTuple

import orjson

from fapilog.coerce import json_safe
from fapilog.protocols import Batch
from fapilog.sinks.loki.labels import Labels, LabelSet

_SECOND = 1_000_000_000
_MICROSECOND = 1_000
_LONGEST_METADATA = 1_000
"""Characters of a value; Loki takes 64 KB for all of an entry. The line has the whole value."""

_FORM = len("2026-11-21T09:00:00.123456Z")
_SECONDS = len("2026-11-21T09:00:00")


class Entry(NamedTuple):
    """One event as Loki keeps it.

    Attributes:
        place: Its position in the batch.
        time_ns: Its timestamp, nanoseconds since the epoch.
        line: The JSON line, without its newline.
        metadata: Structured metadata, by name.
    """

    place: int
    time_ns: int
    line: str
    metadata: dict[str, str]


Streams = dict[LabelSet, list[Entry]]


def streams_of(batch: Batch, labels: Labels, metadata: Sequence[tuple[str, str]], now_ns: int) -> Streams:
    """Group a batch into streams, each in the order of the batch.

    Args:
        batch: JSON lines, and the flat dicts.
        labels: Tells the stream of an event.
        metadata: Fields and their names in structured metadata.
        now_ns: The time of an event without a timestamp that can be read.
    """
    streams: Streams = {}
    day, base = "", 0
    for index, event in enumerate(batch.flat):
        stamp = event.get("timestamp")
        if type(stamp) is str and len(stamp) == _FORM and stamp[:_SECONDS] == day:
            # Most events share their second with the one before.
            time_ns = base + int(stamp[_SECONDS + 1 : -1]) * _MICROSECOND
        else:
            time_ns = time_of(stamp, now_ns)
            if type(stamp) is str and len(stamp) == _FORM and stamp[-1] == "Z" and stamp[_SECONDS + 1 : -1].isdecimal():
                day, base = stamp[:_SECONDS], time_ns - time_ns % _SECOND
        line = batch.line(index).rstrip(b"\n").decode("utf-8", "replace")
        streams.setdefault(labels.of(event), []).append(Entry(index, time_ns, line, _metadata(event, metadata)))
    return streams


def time_of(stamp: Any, now_ns: int) -> int:
    """Return a timestamp of RFC 3339 in nanoseconds since the epoch; ``now_ns`` for what is none."""
    try:
        moment = datetime.fromisoformat(stamp)
        aware = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
        seconds = int(aware.replace(microsecond=0).timestamp())
    except (TypeError, ValueError, OverflowError):
        return now_ns
    return seconds * _SECOND + moment.microsecond * _MICROSECOND


def without(streams: Streams, indexes: Mapping[int, str]) -> Streams:
    """Return the streams without some entries; one that has none left is gone."""
    kept = {labels: [entry for entry in entries if entry.place not in indexes] for labels, entries in streams.items()}
    return {labels: entries for labels, entries in kept.items() if entries}


def _metadata(event: Mapping[str, Any], fields: Sequence[tuple[str, str]]) -> dict[str, str]:
    found = {}
    for field, name in fields:
        value = event.get(field)
        if value is not None and value != "":
            plain = type(value) is str and len(value) <= _LONGEST_METADATA and value.isascii()
            found[name] = value if plain else _text(value)
    return found


def _text(value: Any) -> str:
    text = value if isinstance(value, str) else orjson.dumps(json_safe(value)).decode()
    return text[:_LONGEST_METADATA].encode("utf-8", "replace").decode()
