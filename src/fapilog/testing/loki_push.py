"""What Grafana Loki does with a push, its bodies and its limits: the strict part of :mod:`fapilog.testing.loki`.

Written after Loki's documentation of the push API and the defaults of ``limits_config``; wordings of refusals are those
that clients read.
"""

import gzip
import json
import re
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, NamedTuple

try:
    from fapilog.sinks.loki.protobuf_body import cramjam, push_request
except ImportError:
    cramjam = None

_SECOND = 1_000_000_000
_NAME = re.compile(r"[a-zA-Z_][a-zA-Z0-9_]*", re.ASCII)
_LABEL = re.compile(r'\s*([a-zA-Z_][a-zA-Z0-9_]*)\s*=\s*("(?:[^"\\]|\\.)*")\s*(,|$)', re.ASCII)
_LARGEST = 2**63 - 1
_MOST_LISTED = 10

JSON = "application/json"
PROTOBUF = "application/x-protobuf"


@dataclass(frozen=True)
class LokiLimits:
    """The limits of a tenant, with the defaults of Loki 3.

    Attributes:
        max_line_bytes: The longest line, in UTF-8.
        max_label_names: How many labels a stream may have, ``service_name`` not counted.
        max_label_name_bytes: The longest name of a label.
        max_label_value_bytes: The longest value.
        max_metadata_bytes: The structured metadata of an entry, names and values.
        max_metadata_count: How many of them an entry may have.
        allow_metadata: Whether there may be any.
        max_age_seconds: How old an entry may be.
        max_ahead_seconds: How far in the future.
        window_seconds: How far behind the newest entry of its stream.
    """

    max_line_bytes: int = 262_144
    max_label_names: int = 15
    max_label_name_bytes: int = 1_024
    max_label_value_bytes: int = 2_048
    max_metadata_bytes: int = 65_536
    max_metadata_count: int = 128
    allow_metadata: bool = True
    max_age_seconds: float = 604_800.0
    max_ahead_seconds: float = 600.0
    window_seconds: float = 3_600.0


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


class RefusedPush(Exception):
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
        RefusedPush: If it is not of the documented form.
    """
    kind = content_type.partition(";")[0].strip().lower()
    if kind == JSON:
        pushes = list(_json_streams(_unpacked(body, encoding)))
    elif kind == PROTOBUF:
        if encoding not in ("", "snappy"):
            raise RefusedPush(f"Content-Encoding {encoding!r} not supported")
        pushes = list(_protobuf_streams(body))
    else:
        raise RefusedPush(f"Content-Type {content_type!r} is neither {JSON} nor {PROTOBUF}", 415)
    if not pushes:
        raise RefusedPush("error at least one valid stream is required for ingestion", 422)
    if not all(push.entries for push in pushes):
        raise RefusedPush("a stream without entries")
    return pushes


def check_labels(push: Push, limits: LokiLimits) -> str:
    """Return what is wrong with a stream's labels, or nothing."""
    names = [name for name, _ in push.labels]
    text = label_text(push.labels)
    if not names:
        return "error at least one label pair is required per stream"
    counted = len(names) - ("service_name" in names)
    if counted > limits.max_label_names:
        return f"entry for stream '{text}' has {counted} label names; limit {limits.max_label_names}"
    for place, (name, value) in enumerate(push.labels):
        if not _NAME.fullmatch(name):
            return f"Error parsing labels '{text}' with error: no name of a label: {name!r}"
        if len(name) > limits.max_label_name_bytes:
            return f"stream '{text}' has label name too long: '{name}'"
        if len(value.encode()) > limits.max_label_value_bytes:
            return f"stream '{text}' has label value too long: '{value}'"
        if name in names[:place]:
            return f"stream '{text}' has duplicate label name: '{name}'"
    return ""


def check_entry(labels: str, entry: LokiEntry, limits: LokiLimits, now_ns: int) -> str:
    """Return what is wrong with an entry whatever its stream holds, or nothing."""
    oldest = now_ns - int(limits.max_age_seconds * _SECOND)
    if entry.time_ns < oldest:
        told = f"{rfc3339(entry.time_ns)}, oldest acceptable timestamp is: {rfc3339(oldest)}"
        return f"entry for stream '{labels}' has timestamp too old: {told}"
    if entry.time_ns > now_ns + int(limits.max_ahead_seconds * _SECOND):
        return f"entry for stream '{labels}' has timestamp too new: {rfc3339(entry.time_ns)}"
    size = len(entry.line.encode())
    if size > limits.max_line_bytes:
        most = limits.max_line_bytes
        return (
            f"Max entry size '{most}' bytes exceeded for stream '{labels}' while adding an entry with length "
            f"'{size}' bytes"
        )
    return _check_metadata(labels, entry.metadata, limits) if entry.metadata else ""


def ignored_text(tenant: str, labels: str, ignored: list[tuple[LokiEntry, str]], count: int) -> str:
    """Return what Loki says about entries that a stream did not take, at most ten of them one by one."""
    lines = [f"entry with timestamp {go_time(it.time_ns)} ignored, reason: '{why}'," for it, why in ignored]
    total = f"user '{tenant}', total ignored: {len(ignored)} out of {count} for stream: {labels}"
    return "\n".join([*lines[:_MOST_LISTED], total])


def label_text(labels: tuple[tuple[str, str], ...]) -> str:
    """Return labels as Loki writes them."""
    inner = ", ".join(f"{name}={json.dumps(value, ensure_ascii=False)}" for name, value in labels)
    return f"{{{inner}}}"


def rfc3339(time_ns: int) -> str:
    """Return a time in UTC to the second, its fraction cut off."""
    return datetime.fromtimestamp(time_ns // _SECOND, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def go_time(time_ns: int) -> str:
    """Return a time as Go prints it."""
    seconds, rest = divmod(time_ns, _SECOND)
    fraction = f".{rest:09d}".rstrip("0") if rest else ""
    return datetime.fromtimestamp(seconds, UTC).strftime(f"%Y-%m-%d %H:%M:%S{fraction} +0000 UTC")


def _check_metadata(labels: str, metadata: Mapping[str, str], limits: LokiLimits) -> str:
    if not limits.allow_metadata:
        return f"stream '{labels}' includes structured metadata, but this feature is disallowed."
    size = sum(len(name.encode()) + len(value.encode()) for name, value in metadata.items())
    if size > limits.max_metadata_bytes:
        most = limits.max_metadata_bytes
        return f"stream '{labels}' has structured metadata too large: '{size}' bytes, limit: '{most}' bytes."
    if len(metadata) > limits.max_metadata_count:
        most = limits.max_metadata_count
        return f"stream '{labels}' has too many structured metadata labels: '{len(metadata)}', limit: '{most}'."
    return ""


def _unpacked(body: bytes, encoding: str) -> bytes:
    if encoding == "":
        return body
    if encoding != "gzip":
        raise RefusedPush(f"Content-Encoding {encoding!r} not supported")
    try:
        return gzip.decompress(body)
    except (OSError, EOFError, zlib.error) as error:
        raise RefusedPush(f"gzip: {error}") from None


def _json_streams(body: bytes) -> Iterator[Push]:
    try:
        root = json.loads(body.decode("utf-8"), object_pairs_hook=_once)
    except (ValueError, RecursionError) as error:
        raise RefusedPush(f"loghttp.PushRequest: {error}") from None
    if not isinstance(root, dict) or set(root) != {"streams"} or not isinstance(root["streams"], list):
        raise RefusedPush('loghttp.PushRequest: not of the form {"streams": […]}')
    for stream in root["streams"]:
        if not isinstance(stream, dict) or set(stream) != {"stream", "values"}:
            raise RefusedPush('loghttp.PushRequest.Streams: a stream has "stream" and "values"')
        if not _texts(stream["stream"]) or not isinstance(stream["values"], list):
            raise RefusedPush("loghttp.PushRequest.Streams: labels are texts by name, values a list")
        yield Push(tuple(sorted(stream["stream"].items())), [_json_entry(value) for value in stream["values"]])


def _json_entry(value: Any) -> LokiEntry:
    if not isinstance(value, list) or len(value) not in (2, 3):
        raise RefusedPush("loghttp.PushRequest.Streams: a value is [time, line] or [time, line, metadata]")
    time, line = value[:2]
    metadata = value[2] if value[2:] else {}
    if not isinstance(time, str) or not (time.isascii() and time.isdecimal() and int(time) <= _LARGEST):
        raise RefusedPush(f"a timestamp is a text of nanoseconds, not {str(time)[:40]!r} ({type(time).__name__})")
    if not isinstance(line, str) or not _texts(metadata):
        raise RefusedPush("loghttp.PushRequest.Streams: a line is a text, metadata are texts by name")
    return LokiEntry(int(time), line, metadata)


def _protobuf_streams(body: bytes) -> Iterator[Push]:
    if cramjam is None:
        raise RefusedPush("this stand-in reads protobuf only with the packages protobuf and cramjam", 501)
    try:
        request = push_request().FromString(bytes(cramjam.snappy.decompress_raw(body)))
    except Exception as error:
        raise RefusedPush(f"push.PushRequest: {type(error).__name__}") from None
    for stream in request.streams:
        entries = [
            LokiEntry(
                it.timestamp.seconds * _SECOND + it.timestamp.nanos,
                it.line,
                _once([(pair.name, pair.value) for pair in it.structuredMetadata]),
            )
            for it in stream.entries
        ]
        yield Push(_parsed(stream.labels), entries)


def _parsed(text: str) -> tuple[tuple[str, str], ...]:
    """Return the labels of a text such as ``{app="shop"}``."""
    labels, inner, place = [], text.strip()[1:-1], 0
    if text.strip()[:1] + text.strip()[-1:] != "{}":
        raise RefusedPush(f"Error parsing labels '{text}' with error: no braces")
    while match := _LABEL.match(inner, place):
        labels.append((match[1], json.loads(match[2])))
        place = match.end()
    if place < len(inner):
        raise RefusedPush(f"Error parsing labels '{text}' with error: at {inner[place : place + 20]!r}")
    return tuple(sorted(labels))


def _texts(value: Any) -> bool:
    return isinstance(value, dict) and all(isinstance(item, str) for item in value.values())


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise RefusedPush(f"a name twice among {[name for name, _ in pairs]}")
    return found
