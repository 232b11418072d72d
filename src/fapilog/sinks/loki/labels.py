"""Which stream an event belongs to: its labels, few by design, because Loki keeps an index and open chunks for each."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

LEVELS = {"WARNING": "warn"}
"""Levels whose label is not just their name in lower case: Loki and Grafana call it so (``detected_level``)."""

_LONGEST = 512
"""Characters of a label's value; at most 4 bytes each, Loki takes 2048 bytes."""

LabelSet = tuple[tuple[str, str], ...]


class Labels:
    """Turns events into label sets, at most so many. Used by one task at a time.

    Args:
        static: The labels of all events.
        fields: The fields that become labels, by the same names. An event without the field goes without the label.
        most: How many label sets there may be. Beyond it an event keeps the static labels and its level.

    Attributes:
        capped: How many events were beyond it.
    """

    def __init__(self, static: Mapping[str, str], fields: Sequence[str], most: int) -> None:
        """Begin without any stream."""
        self._static = tuple(static.items())
        self._fields = tuple(fields)
        self._most = most
        self._known: dict[tuple[Any, ...], LabelSet] = {}
        self._streams: set[LabelSet] = set()
        self.capped = 0

    def of(self, event: Mapping[str, Any]) -> LabelSet:
        """Return the labels of an event, sorted by name."""
        values = tuple([_plain(event.get(name)) for name in self._fields])
        found = self._known.get(values)
        if found is not None:
            return found
        found = self._labels(values, self._fields)
        if found not in self._streams and len(self._streams) >= self._most:
            self.capped += 1
            return self._labels(values, ("level",))
        self._streams.add(found)
        if len(self._known) < self._most:
            # Several values may come to one label, when they are cut.
            self._known[values] = found
        return found

    def _labels(self, values: tuple[str, ...], kept: Sequence[str]) -> LabelSet:
        pairs = zip(self._fields, values, strict=True)
        own = [(name, level_of(value) if name == "level" else clean(value)) for name, value in pairs if name in kept]
        return tuple(sorted([*self._static, *[(name, value) for name, value in own if value]]))


def level_of(level: str) -> str:
    """Return a level as Loki and Grafana write it: ``debug``, ``info``, ``warn``, ``error``, ``critical``."""
    return LEVELS.get(level) or clean(level).lower()


def clean(value: str) -> str:
    """Return a value that UTF-8 can hold, cut to what Loki takes."""
    return value[:_LONGEST].encode("utf-8", "replace").decode()


def text_of(labels: LabelSet) -> str:
    """Return labels as Loki writes them: ``{app="shop", level="info"}``.

    The escapes of JSON are among those of Go strings, which these are.
    """
    inner = ", ".join([f"{name}={json.dumps(value, ensure_ascii=False)}" for name, value in labels])
    return f"{{{inner}}}"


def _plain(value: Any) -> str:
    return value if isinstance(value, str) else "" if value is None else str(value)
