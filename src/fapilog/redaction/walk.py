"""Redaction of plain values: first a look whether anything is to be hidden, and only then a copy without it.

    fields ──gather──► names all known as harmless?  texts, joined, without anything that looks like a secret?
                          │ yes: the same object goes on, which is nearly every event
                          └ no: rewrite ─► a new dict; name rules by name, path rules by place, text rules by content

A value is never changed in place: what the caller logged may be shared by many events.
"""

import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from fapilog.coerce import MASK, cut_text, to_plain, to_text
from fapilog.redaction.names import KEEP, MASKED, REMOVE, SIZE, Action
from fapilog.redaction.paths import PathRules, State
from fapilog.redaction.text import TextRules

_KEPT_NAMES = 4_096
_LARGEST_HARMLESS = 10**11
_NOTE = re.compile(r"<[0-9]+ (?:characters|items)>")
_ROOM_FOR_NOTE = 64
_BEYOND_CUT = 4_096
_PAIR = 2
_FLAG = re.compile(r"--[A-Za-z][\w.\-]{0,64}")
_NAME_KEYS = ("name", "key")
_PLAIN_NAME = re.compile(r"-{0,2}[A-Za-z_][\w.\-]{0,63}")
_LONGEST_KEPT = 64
_KEPT_TEXTS = 4_096
_PLAIN = frozenset({str, int, float, bool, type(None), dict, list})


class Walk:
    """The rules, and what is known of names. Used by one thread at a time.

    Args:
        verdict: Says what is to be done with a field of some name, at any depth.
        allowed: Says whether a name is harmless whatever path rules say of its place.
        paths: What is sensitive by its place.
        text: What is sensitive by content.
        max_text: Texts longer than so many characters are cut, None for no limit. Exceptions are not cut.

    Attributes:
        harmless: Names at the root of an event that no rule is about, as far as known; at most 4 096.
        known: Short texts that nothing is to be hidden in, as far as known; about as many.
        masked: How often a value, a text or a name was masked, removed, cut or replaced by its size. What is so
            already does not count again.
    """

    def __init__(
        self,
        verdict: Callable[[str], Action],
        allowed: Callable[[str], bool],
        paths: PathRules,
        text: TextRules,
        max_text: int | None,
    ) -> None:
        """Start with nothing known."""
        self._verdict = verdict
        self._allowed = allowed
        self._paths = paths
        self._text = text
        self._max_text = max_text
        self._longest = (max_text or 0) + _ROOM_FOR_NOTE
        self._actions: dict[str, Action] = {}
        self._shown: dict[str, str] = {}
        self.harmless: set[str] = set()
        self.known: set[str] = set()
        self._harmless_below: set[str] = set()
        self.masked = 0

    def gather(self, fields: Mapping[str, Any], texts: list[str], *, root: bool) -> bool:
        """Add all texts of a mapping to ``texts``; False if a name or value in it may have to be hidden."""
        harmless = self.harmless if root else self._harmless_below
        if not harmless.issuperset(fields) and not self._learn(fields, harmless, root=root):
            return False
        return self._gather_values(fields.values(), texts)

    def hides(self, texts: list[str]) -> bool:
        """Tell whether one of the texts may hold something to hide, or is too long."""
        if self._max_text is not None and max(map(len, texts), default=0) > self._longest:
            return True
        return self._text.may_hide("\n".join(texts))

    def remember(self, texts: Iterable[str]) -> None:
        """Remember texts that nothing is to be hidden in, but for long ones, which are rarely seen again."""
        if len(self.known) >= _KEPT_TEXTS:
            self.known.clear()
        self.known.update([text for text in texts if len(text) <= _LONGEST_KEPT])

    def rewrite(self, fields: Mapping[str, Any]) -> dict[str, Any]:
        """Return fields of an event's root redacted, as a new dict."""
        return self._mapping(fields, self._paths.start)

    def put(self, redacted: dict[str, Any], name: str, value: Any) -> None:
        """Put one field of an event's root redacted into a dict, unless a rule removes it."""
        self._put(redacted, name, value, self._paths.start)

    def text(self, text: str) -> str:
        """Return a text redacted, and cut if it is too long: the same object if there is nothing to do."""
        cleaned = self._cleaned(text)
        if cleaned is not text:
            self.masked += 1
        return cleaned

    def is_clean(self, text: str) -> bool:
        """Tell whether there is nothing to do about a text."""
        return self._cleaned(text) is text

    def _cleaned(self, text: str) -> str:
        if text in self.known:
            return text
        if self._max_text is None or len(text) <= self._longest:
            cleaned = self._text.clean(text)
            if cleaned is text:
                self.remember([text])
            return cleaned
        # What the cut would go through is recognised whole before, and what the cut lays open after it.
        head = self._text.clean(text[: self._max_text + _BEYOND_CUT])[: self._max_text]
        return self._text.clean(head + cut_text(text, 0))

    def content(self, value: Any) -> Any:
        """Return a plain value with its texts redacted by content alone, none of them cut."""
        if type(value) is str:
            cleaned = self._text.clean(value)
            if cleaned is not value:
                self.masked += 1
            return cleaned
        if type(value) is dict:
            return {key: self.content(item) for key, item in value.items()}
        return [self.content(item) for item in value] if type(value) is list else value

    def _gather_values(self, values: Iterable[Any], texts: list[str], *, in_list: bool = False) -> bool:
        for value in values:
            kind = type(value)
            if kind is str:
                texts.append(value)
            elif kind is int:
                if value > _LARGEST_HARMLESS:
                    texts.append(str(value))
            elif kind is dict:
                if ("value" in value and self._names_value(value)) or not self.gather(value, texts, root=False):
                    return False
            elif kind is list:
                if self._names_next(value, pair=in_list) or not self._gather_values(value, texts, in_list=True):
                    return False
            elif kind not in _PLAIN:
                return False
        return True

    def _names_value(self, fields: Mapping[str, Any]) -> bool:
        """Tell whether it is a name and a value apart, as Kubernetes and HAR write them, and the name is secret."""
        return any(type(fields.get(key)) is str and self._is_secret(fields[key]) for key in _NAME_KEYS)

    def _names_next(self, values: list[Any], *, pair: bool) -> bool:
        """Tell whether an item names the one after it: in a list of headers as pairs, or of a command's arguments."""
        if pair and len(values) == _PAIR and type(values[0]) is str and self._is_secret(values[0]):
            return True
        return any(type(item) is str and _FLAG.fullmatch(item) and self._is_secret(item) for item in values[:-1])

    def _is_secret(self, name: str) -> bool:
        return _PLAIN_NAME.fullmatch(name) is not None and self._action(name) == MASKED

    def _learn(self, names: Iterable[str], harmless: set[str], *, root: bool) -> bool:
        """Find out whether no rule is about any of the names, and remember those."""
        for name in names:
            if type(name) is not str or self._action(name) != KEEP or self._name(name) != name:
                return False
            if root and self._paths.step(self._paths.start, name) is not None:
                return False
            if len(harmless) >= _KEPT_NAMES:
                harmless.clear()
            harmless.add(name)
        return True

    def _action(self, name: str) -> Action:
        action = self._actions.get(name)
        if action is None:
            if len(self._actions) >= _KEPT_NAMES:
                self._actions.clear()
            action = self._actions[name] = self._verdict(name)
        return action

    def _name(self, name: str) -> str:
        """Return a name redacted: it may be a secret itself, where a dict is keyed by them."""
        shown = self._shown.get(name)
        if shown is None:
            if len(self._shown) >= _KEPT_NAMES:
                self._shown.clear()
            shown = self._shown[name] = self._text.clean(name)
        return shown

    def _mapping(self, fields: Mapping[str, Any], state: State | None) -> dict[str, Any]:
        redacted: dict[str, Any] = {}
        named = "value" in fields and self._names_value(fields)
        for key, value in fields.items():
            if named and key == "value":
                redacted[key] = self._mask(value)
            else:
                self._put(redacted, key if type(key) is str else to_text(key), value, state)
        return redacted

    def _put(self, redacted: dict[str, Any], name: str, value: Any, state: State | None) -> None:
        below = None if state is None else self._paths.step(state, name)
        action = self._action_at(below)
        if action is None or self._allowed(name):
            action = self._action(name)
        if action == REMOVE:
            self.masked += 1
            return
        shown = self._name(name)
        if shown != name:
            self.masked += 1
        if shown != name and action == KEEP:
            # What the name has become says the same the next time.
            action = self._action(shown)
        if shown in redacted:
            shown = f"{shown}_" if f"{shown}_" not in redacted else f"{shown}_{len(redacted)}"
        redacted[shown] = self._value(value, action, below)

    def _list(self, values: list[Any], state: State | None, *, in_list: bool) -> list[Any]:
        redacted: list[Any] = []
        pair = in_list and len(values) == _PAIR
        for index, value in enumerate(values):
            before = values[index - 1] if index else None
            if type(before) is str and (pair or _FLAG.fullmatch(before)) and self._is_secret(before):
                redacted.append(self._mask(value))
                continue
            below = None if state is None else self._paths.step(state, index)
            action = self._action_at(below) or KEEP
            if action == REMOVE:
                self.masked += 1
            else:
                redacted.append(self._value(value, action, below, in_list=True))
        return redacted

    def _action_at(self, state: State | None) -> Action | None:
        return None if state is None else self._paths.action(state)

    def _value(self, value: Any, action: Action, state: State | None, *, in_list: bool = False) -> Any:
        if action == SIZE and (note := _size_note(value)) is not None:
            self.masked += note is not value
            return note
        if action not in (KEEP, SIZE):
            return self._mask(value)
        kind = type(value)
        if kind not in _PLAIN:
            # A stage put it there; this is what a serialiser would make of it.
            value = to_plain(value)
            kind = type(value)
        if kind is str:
            return self.text(value)
        if kind is dict:
            return self._mapping(value, state)
        if kind is list:
            return self._list(value, state, in_list=in_list)
        if kind is int and value > _LARGEST_HARMLESS:
            digits = str(value)
            return value if self._text.clean(digits) == digits else self._mask(value)
        return value

    def _mask(self, value: Any) -> str:
        """Return the mask in place of a value, counted unless it is one."""
        if type(value) is not str or value != MASK:
            self.masked += 1
        return MASK


def _size_note(value: Any) -> str | None:
    """Return what stands for a bulk value, which is not looked into; None for one that has no size."""
    if type(value) is str:
        return value if value == MASK or _NOTE.fullmatch(value) else f"<{len(value)} characters>"
    return f"<{len(value)} items>" if type(value) in (dict, list) else None
