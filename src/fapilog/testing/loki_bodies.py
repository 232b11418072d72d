"""The two forms of a push to Grafana Loki, read strictly, for :mod:`fapilog.testing.loki`."""

import gzip
import json
import re
import zlib
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

try:
    import cramjam
except ImportError:
    cramjam = None  # type: ignore[assignment] # optional

JSON = "application/json"
PROTOBUF = "application/x-protobuf"
_SECOND = 1_000_000_000
_LARGEST = 2**63 - 1
_STREAMS = 1
_LABEL = re.compile(r'\s*([a-zA-Z_][a-zA-Z0-9_]*)\s*=\s*("(?:[^"\\]|\\.)*")\s*(,|$)', re.ASCII)


class LokiEntry(NamedTuple):
    """One entry.

    Attributes:
        time_ns: Nanoseconds since the epoch.
        line: The line.
        metadata: Structured metadata by name.
    """

    time_ns: int
    line: str
    metadata: Mapping[str, str]


class Push(NamedTuple):
    """One stream of a push: its labels, sorted by name, and its entries."""

    labels: tuple[tuple[str, str], ...]
    entries: list[LokiEntry]


class PushError(Exception):
    """Raised for a request that Loki does not read.

    Attributes:
        status: The status it is answered with.
    """

    def __init__(self, text: str, status: int = 400) -> None:
        """Hold what is answered."""
        super().__init__(text)
        self.status = status


def read_push(body: bytes, content_type: str, encoding: str) -> list[Push]:
    """Return the streams of a request's body.

    Raises:
        PushError: If it is not of the documented form.
    """
    kind = content_type.partition(";")[0].strip().lower()
    if kind == JSON:
        pushes = list(_json_streams(_unpacked(body, encoding)))
    elif kind == PROTOBUF:
        if encoding not in ("", "snappy"):
            raise PushError(f"Content-Encoding {encoding!r} not supported")
        pushes = list(_protobuf_streams(body))
    else:
        raise PushError(f"Content-Type {content_type!r} is neither {JSON} nor {PROTOBUF}", 415)
    if not pushes:
        raise PushError("error at least one valid stream is required for ingestion", 422)
    if not all(push.entries for push in pushes):
        raise PushError("a stream without entries")
    return pushes


def _unpacked(body: bytes, encoding: str) -> bytes:
    if encoding == "":
        return body
    if encoding != "gzip":
        raise PushError(f"Content-Encoding {encoding!r} not supported")
    try:
        return gzip.decompress(body)
    except (OSError, EOFError, zlib.error) as error:
        raise PushError(f"gzip: {error}") from None


def _json_streams(body: bytes) -> Iterator[Push]:
    try:
        root = json.loads(body.decode("utf-8"), object_pairs_hook=_once)
    except (ValueError, RecursionError) as error:
        raise PushError(f"loghttp.PushRequest: {error}") from None
    if not isinstance(root, dict) or set(root) != {"streams"} or not isinstance(root["streams"], list):
        raise PushError('loghttp.PushRequest: not of the form {"streams": […]}')
    for stream in root["streams"]:
        if not isinstance(stream, dict) or set(stream) != {"stream", "values"}:
            raise PushError('loghttp.PushRequest.Streams: a stream has "stream" and "values"')
        if not _texts(stream["stream"]) or not isinstance(stream["values"], list):
            raise PushError("loghttp.PushRequest.Streams: labels are texts by name, values a list")
        yield Push(tuple(sorted(stream["stream"].items())), [_json_entry(value) for value in stream["values"]])


def _json_entry(value: Any) -> LokiEntry:
    if not isinstance(value, list) or len(value) not in (2, 3):
        raise PushError("loghttp.PushRequest.Streams: a value is [time, line] or [time, line, metadata]")
    time, line = value[:2]
    metadata = value[2] if value[2:] else {}
    if not isinstance(time, str) or not (time.isascii() and time.isdecimal() and int(time) <= _LARGEST):
        raise PushError(f"a timestamp is a text of nanoseconds, not {str(time)[:40]!r} ({type(time).__name__})")
    if not isinstance(line, str) or not _texts(metadata):
        raise PushError("loghttp.PushRequest.Streams: a line is a text, metadata are texts by name")
    return LokiEntry(int(time), line, metadata)


def _protobuf_streams(body: bytes) -> Iterator[Push]:
    """Read Loki's ``push.proto`` without its messages, so that whoever writes them is checked by another hand."""
    if cramjam is None:
        raise PushError("this stand-in reads protobuf only with the package cramjam", 501)
    try:
        content = bytes(cramjam.snappy.decompress_raw(body))
    except cramjam.DecompressionError:
        raise PushError("push.PushRequest: snappy: corrupt input") from None
    try:
        for number, stream in _fields(content):
            if number == _STREAMS:
                yield _protobuf_stream(stream)
    except (IndexError, TypeError, AttributeError, UnicodeDecodeError) as error:
        raise PushError(f"push.PushRequest: {type(error).__name__}") from None


def _protobuf_stream(stream: bytes) -> Push:
    labels, entries = "", []
    for number, value in _fields(stream):
        if number == 1:
            labels = value.decode()
        elif number == 2:  # noqa: PLR2004 - numbers of fields
            entries.append(_protobuf_entry(value))
    return Push(_parsed(labels), entries)


def _protobuf_entry(entry: bytes) -> LokiEntry:
    time_ns, line, pairs = 0, "", []
    for number, value in _fields(entry):
        if number == 1:
            parts = dict(_fields(value))
            time_ns = parts.get(1, 0) * _SECOND + parts.get(2, 0)
        elif number == 2:  # noqa: PLR2004
            line = value.decode()
        elif number == 3:  # noqa: PLR2004
            pair = dict(_fields(value))
            pairs.append((pair.get(1, b"").decode(), pair.get(2, b"").decode()))
    return LokiEntry(time_ns, line, _once(pairs))


def _fields(message: bytes) -> Iterator[tuple[int, Any]]:
    """Return the fields of a protobuf message: numbers as int, what has a length as bytes."""
    place = 0
    while place < len(message):
        key, place = _varint(message, place)
        kind, number = key & 7, key >> 3
        value, place = _varint(message, place)
        if kind == 2:  # noqa: PLR2004 - a length, and as many bytes
            size = value
            yield number, message[place : place + size]
            place += size
            if place > len(message):
                raise IndexError("cut off")
        elif kind == 0:
            yield number, value
        else:
            raise PushError(f"push.PushRequest: wire type {kind} is in none of its messages")


def _varint(message: bytes, place: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = message[place]
        value |= (byte & 0x7F) << shift
        place, shift = place + 1, shift + 7
        if byte < 0x80:  # noqa: PLR2004 - the highest bit says that more follow
            return value, place


def _parsed(text: str) -> tuple[tuple[str, str], ...]:
    """Return the labels of a text such as ``{app="shop"}``."""
    labels, inner, place = [], text.strip()[1:-1], 0
    if text.strip()[:1] + text.strip()[-1:] != "{}":
        raise PushError(f"Error parsing labels '{text}' with error: no braces")
    while match := _LABEL.match(inner, place):
        labels.append((match[1], json.loads(match[2])))
        place = match.end()
    if place < len(inner):
        raise PushError(f"Error parsing labels '{text}' with error: at {inner[place : place + 20]!r}")
    return tuple(sorted(labels))


def _texts(value: Any) -> bool:
    return isinstance(value, dict) and all(isinstance(item, str) for item in value.values())


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise PushError(f"a name twice among {[name for name, _ in pairs]}")
    return found
