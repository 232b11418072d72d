"""The redactor: on events as flat dicts, and on captured records, where each part is looked at by itself.

    record   time, level, logger │ message │ fields │ bound, context, request │ exception, stack
               never touched       text      walk     walk once per mapping     content rules only

Nearly every event holds nothing to hide, and goes on as the same object. Parts that many events share (a bound logger's
fields, the context of a request) are redacted once for as long as the mapping is in use.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Any

from fapilog.coerce import to_plain, to_text
from fapilog.event import EventDict, RenderedException
from fapilog.redaction.names import KEEP, MASKED, REMOVE, Action, NameRules
from fapilog.redaction.options import RedactionOptions, compiled
from fapilog.redaction.paths import PathRules, is_path
from fapilog.redaction.presets import combined
from fapilog.redaction.text import TextRules
from fapilog.redaction.walk import Walk

_KEPT_PARTS = 512
_UNTOUCHED = frozenset({"timestamp", "level", "logger"})
_CONTENT_ONLY = frozenset({"message", "exception", "stack"})
_SECRET = (MASKED, REMOVE)
_IDS = {
    "trace_id": re.compile(r"[0-9a-f]{32}"),
    "span_id": re.compile(r"[0-9a-f]{16}"),
    "trace_flags": re.compile(r"[0-9a-f]{2}"),
    "linked_trace_id": re.compile(r"[0-9a-f]{32}"),
    "linked_span_id": re.compile(r"[0-9a-f]{16}"),
}
_LINKED = ("linked_trace_id", "linked_span_id")
"""Those that are fields like any other, and may be in any part of a record."""


class Redactor:
    """Hides what the options say; a :class:`fapilog.protocols.RecordRedactor`.

    Idempotent: what is redacted stays as it is. Events and records are not changed, new ones are returned where there
    is something to hide. Used by one thread at a time but for :meth:`text`, which is thread-safe.

    Args:
        options: The rules.

    Raises:
        ConfigError: If a rule cannot be used.
    """

    name = "redaction"

    def __init__(self, options: RedactionOptions) -> None:
        """Make the rules ready."""
        preset = combined(options.presets)
        self._allowed = NameRules(remove=[rule for rule in options.allow if not is_path(rule)])
        self._own = NameRules(
            mask=[rule for rule in options.fields if not is_path(rule)],
            remove=[rule for rule in options.remove if not is_path(rule)],
        )
        self._preset = NameRules(mask=preset.fields, size=preset.size_fields, allow=preset.harmless)
        paths = PathRules(
            mask=[rule for rule in options.fields if is_path(rule)],
            remove=[rule for rule in options.remove if is_path(rule)],
            allow=[rule for rule in options.allow if is_path(rule)],
        )
        patterns = [compiled(pattern) for pattern in options.patterns]
        self._text = TextRules(preset.kinds, lambda name: self.verdict(name) in _SECRET, patterns)
        max_text = options.max_text if options.max_text is not None else preset.max_text
        self._walk = Walk(self.verdict, self._is_allowed, paths, self._text, max_text)
        self._parts: dict[int, tuple[Mapping[str, Any], Mapping[str, Any]]] = {}

    @property
    def masked(self) -> int:
        """How often a value or text was changed so far: what many events share once for as long as it is in use.

        What :meth:`text` hides is not counted.
        """
        return self._walk.masked

    def verdict(self, name: str) -> Action:
        """Return what is to be done with a field of this name. What the user says comes before what a preset says."""
        if self._is_allowed(name):
            return KEEP
        own = self._own.verdict(name)
        return own if own != KEEP else self._preset.verdict(name)

    def _is_allowed(self, name: str) -> bool:
        return self._allowed.verdict(name) != KEEP

    def text(self, text: str) -> str:
        """Return a text without what the content rules hide."""
        return self._text.clean(text)

    def fields(self, fields: Mapping[str, Any]) -> Mapping[str, Any]:
        """Return fields of an event's root redacted: the same object if there is nothing to hide."""
        if self._harmless([], fields):
            return fields
        kept = {key: fields[key] for key in _LINKED if key in fields and _is_id(key, fields[key])}
        return {**self._walk.rewrite(fields), **kept} if kept else self._walk.rewrite(fields)

    def __call__(self, event: EventDict) -> EventDict:
        """Return the event redacted: the same object if there is nothing to hide."""
        if "exception" not in event and "stack" not in event:
            rest = {key: value for key, value in event.items() if key not in _UNTOUCHED and key not in _IDS}
            if self._harmless([], rest) and all(_is_id(key, event[key]) for key in _IDS if key in event):
                return event
        redacted: EventDict = {}
        for key, value in event.items():
            if key in _UNTOUCHED or (key in _IDS and _is_id(key, value)):
                redacted[key] = value
            elif key == "message" and type(value) is str:
                redacted[key] = self._walk.text(value)
            elif key in _CONTENT_ONLY:
                redacted[key] = self._walk.content(to_plain(value))
            else:
                self._walk.put(redacted, key, value)
        return redacted

    def redact_records(self, records: Sequence[Any]) -> Sequence[Any]:
        """Return the records redacted, as many and in the same order."""
        redacted = []
        bound = local = shared = parts = None
        same = False
        for record in records:
            _, _, _, message, fields, its_bound, its_local, its_shared, _, extra = record
            if its_bound is not bound or its_local is not local or its_shared is not shared or parts is None:
                bound, local, shared = its_bound, its_local, its_shared
                parts = (self._part(bound), self._part(local, ids=True), self._part(shared, ids=True))
                same = parts[0] is bound and parts[1] is local and parts[2] is shared
            plain = extra is None or (extra.exception is None and extra.stack is None)
            if same and plain and self._harmless([message], fields):
                redacted.append(record)
            else:
                redacted.append(self._rewritten(record, parts))
        return redacted

    def _rewritten(self, record: Sequence[Any], parts: tuple[Any, ...]) -> tuple[Any, ...]:
        time_ns, levelno, origin, message, fields, _, _, _, span, extra = record
        if extra is not None and extra.exception is not None:
            extra = extra._replace(exception=RenderedException(self._walk.content(extra.exception.render())))
        if extra is not None and extra.stack is not None:
            extra = extra._replace(stack=self._walk.content(extra.stack))
        return (time_ns, levelno, origin, self._walk.text(message), self.fields(fields), *parts, span, extra)

    def _harmless(self, texts: list[str], fields: Mapping[str, Any]) -> bool:
        """Tell whether there is nothing to hide in texts and fields."""
        if not self._walk.gather(fields, texts, root=True):
            return False
        walk = self._walk
        if walk.known.issuperset(texts):
            return True
        if walk.hides(texts) and not all(walk.is_clean(text) for text in texts):
            return False
        walk.remember(texts)
        return True

    def _part(self, part: Mapping[str, Any], *, ids: bool = False) -> Mapping[str, Any]:
        """Return a mapping that events share redacted, each looked at once for as long as it is in use."""
        if not part:
            return part
        found = self._parts.get(id(part))
        if found is None:
            redacted = self.fields(part)
            if redacted is not part and ids:
                kept = {key: part[key] for key in _IDS if key in part and _is_id(key, to_text(part[key]))}
                redacted = {**redacted, **kept}
            if len(self._parts) >= _KEPT_PARTS:
                self._parts.clear()
            # Holding the mapping keeps its id from being given to another.
            found = self._parts[id(part)] = (part, redacted)
        return found[1]


def _is_id(key: str, value: object) -> bool:
    """Tell whether it is a trace id, span id or flags, which by chance may look like a card's number."""
    return type(value) is str and _IDS[key].fullmatch(value) is not None
