"""Which entries of a push a 400 of Loki speaks of.

Loki takes the valid entries of a push and answers 400 with a text about some of the others: of one stream only, at most
ten by their timestamps, sizes and ages by their limit. Only what the text proves is named here: it would be refused
again, whenever it is sent. Wordings: Loki's ``pkg/validation/validate.go``, ``pkg/ingester/stream.go``,
``pkg/chunkenc/interface.go``, from 2.4 on.
"""

import json
import re
from collections import Counter
from collections.abc import Iterator
from typing import NamedTuple

from fapilog.sinks.loki.streams import Entry, Streams, time_of

_SECOND = 1_000_000_000
_FOUND_BY_LOKI = frozenset({"service_name", "__stream_shard__"})
"""Labels that Loki adds to a stream by itself."""

_PERMANENT = ("entry too far behind", "entry out of order")
_IGNORED = re.compile(
    r"entry with timestamp (\d{4}-\d\d-\d\d) (\d\d:\d\d:\d\d)(\.\d{1,9})? \+0000 UTC ignored, reason: '([^']{1,300})'"
)
_TOTAL = re.compile(r"total ignored: (\d{1,9}) out of (\d{1,9})")
_STREAM = re.compile(r"for stream: (\{[^\n]*\})")
_LABEL = re.compile(r'\s*([a-zA-Z_][a-zA-Z0-9_]*)=("(?:[^"\\]|\\.)*")\s*(?:,|$)')
_OLDEST = r"oldest acceptable timestamp is: (\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ)"
_TOO_OLD = re.compile(rf"has timestamp too old: \S{{1,40}}, {_OLDEST}")
_CUTOFF = re.compile(_OLDEST)
_TOO_NEW = re.compile(r"has timestamp too new: (\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ)")
_TOO_LONG = re.compile(r"Max entry size '(\d{1,12})' bytes exceeded")


class _Ignored(NamedTuple):
    """An entry that the text names."""

    time_ns: int
    reason: str


def refused(text: str, streams: Streams) -> dict[int, str]:
    """Return the positions of entries that Loki will never take, with the reasons; empty if the text proves none.

    Args:
        text: What Loki said beside status 400.
        streams: What was pushed.
    """
    if _TOTAL.search(text):
        return _behind(text, streams)
    named: dict[int, str] = {}
    for match in _TOO_LONG.finditer(text):
        most = int(match[1])
        named |= {it.place: f"over {most} bytes" for it in _all(streams) if len(it.line.encode()) > most}
    for match in _TOO_OLD.finditer(text):
        oldest = time_of(match[1], 0)
        named |= {it.place: f"timestamp too old: before {match[1]}" for it in _all(streams) if it.time_ns < oldest}
    for match in _TOO_NEW.finditer(text):
        # Its fraction is cut off: of several in that second nobody knows which.
        newest = time_of(match[1], 0)
        same = [it for it in _all(streams) if newest <= it.time_ns < newest + _SECOND]
        later = [it for it in _all(streams) if it.time_ns >= newest + _SECOND]
        named |= {it.place: "timestamp too new" for it in [*later, *(same if len(same) == 1 else [])]}
    return named


def _behind(text: str, streams: Streams) -> dict[int, str]:
    """Return what is too old for its stream, if the text accounts for all that was ignored there."""
    total = _TOTAL.search(text)
    entries = _stream(text, streams)
    listed = [_ignored(match) for match in _IGNORED.finditer(text)]
    if total is None or not listed or int(total[2]) > len(entries):
        return {}
    if not all(it.reason.startswith(_PERMANENT) for it in listed):
        return {}
    reason = listed[0].reason.partition(",")[0]
    named = {it.place for it in _by_time(entries, listed)} | {it.place for it in _by_cutoff(text, entries, listed)}
    return dict.fromkeys(named, reason) if len(named) == int(total[1]) else {}


def _by_time(entries: list[Entry], listed: list[_Ignored]) -> Iterator[Entry]:
    """Return the entries of the listed timestamps, where as many of a timestamp were listed as sent."""
    sent, told = Counter(it.time_ns for it in entries), Counter(it.time_ns for it in listed)
    return (it for it in entries if told[it.time_ns] == sent[it.time_ns])


def _by_cutoff(text: str, entries: list[Entry], listed: list[_Ignored]) -> Iterator[Entry]:
    """Return the entries from the first listed one on that lie before the limit: it only moves forward."""
    cutoff = _CUTOFF.search(text)
    oldest = time_of(cutoff[1], 0) if cutoff else 0
    first = next((place for place, it in enumerate(entries) if it.time_ns == listed[0].time_ns), len(entries))
    return (it for it in entries[first:] if it.time_ns < oldest)


def _ignored(match: re.Match[str]) -> _Ignored:
    seconds = time_of(f"{match[1]}T{match[2]}Z", 0)
    return _Ignored(seconds + int((match[3] or ".0")[1:].ljust(9, "0")), match[4])


def _stream(text: str, streams: Streams) -> list[Entry]:
    """Return the entries of the stream that the text is about; none if that is not sure."""
    told = _STREAM.search(text)
    if told is None:
        return []
    labels = _parse(told[1])
    found = [entries for own, entries in streams.items() if _fits(dict(own), labels)]
    return found[0] if len(found) == 1 else []


def _fits(own: dict[str, str], told: dict[str, str]) -> bool:
    return own == {name: value for name, value in told.items() if name in own or name not in _FOUND_BY_LOKI}


def _parse(text: str) -> dict[str, str]:
    """Return labels by name; what cannot be read fits no stream."""
    labels: dict[str, str] = {}
    place, inner = 0, text[1:-1]
    while match := _LABEL.match(inner, place):
        try:
            labels[match[1]] = json.loads(match[2])
        except ValueError:
            return {"": ""}
        place = match.end()
    return labels if place >= len(inner) else {"": ""}


def _all(streams: Streams) -> Iterator[Entry]:
    return (entry for entries in streams.values() for entry in entries)
