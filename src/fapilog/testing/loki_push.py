"""What Grafana Loki refuses of a push that it could read, and in which words, for :mod:`fapilog.testing.loki`.

Written after Loki's documentation and the defaults of its ``limits_config``; wordings are those that clients read.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from fapilog.testing.loki_bodies import LokiEntry, Push

_SECOND = 1_000_000_000
_NAME = re.compile(r"[a-zA-Z_][a-zA-Z0-9_]*", re.ASCII)
_MOST_LISTED = 10


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
