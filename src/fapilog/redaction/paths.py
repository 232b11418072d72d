"""Rules about places: dotted paths from the root of an event, with wildcards.

    user.*.email      items[*].card      items[0].card      request.headers.*token      *.secret

``*`` is one key or one index, ``[*]`` the same, ``[3]`` one index; another segment is a rule for one name as in
:mod:`fapilog.redaction.names`, taken at its word. A flat key with dots is as many keys: ``user.name`` means
``{"user": {"name": …}}`` and ``{"user.name": …}``.

All paths together are one tree of segments, and a walk carries the places in it where it may be:

    start ──user──► ○ ──*──► ○ ──email──► mask
       └──items──► ○ ──*──► ○ ──card──► mask        step(state, key): one look-up each, however many paths there are
"""

import re
from collections.abc import Iterable
from typing import Any

from fapilog.errors import ConfigError
from fapilog.redaction.names import KEEP, MASKED, REMOVE, Action, NameRules, normal, parsed

_PIECE = re.compile(r"([^\[\]]+)((?:\[(?:\*|[0-9]{1,9})\])*)")
_ALLOWED = "names joined by dots, such as user.*.email or items[*].card"


class _Node:
    """A place in the tree of paths. Not changed once all paths are in it."""

    __slots__ = ("action", "any", "endings", "named")

    def __init__(self) -> None:
        self.action: Action | None = None
        self.any: _Node | None = None
        self.named: dict[str, _Node] = {}
        self.endings: dict[str, tuple[NameRules, _Node]] = {}

    def below(self, segment: str) -> "_Node":
        """Return the node that a segment of a path leads to, made if there is none."""
        if segment == "*":
            self.any = self.any or _Node()
            return self.any
        stars, term = parsed(segment, "")
        if not stars:
            return self.named.setdefault(term, _Node())
        return self.endings.setdefault("*" * stars + term, (NameRules(remove=[segment]), _Node()))[1]


State = tuple[_Node, ...]
"""Where in the tree of paths a walk may be."""


class PathRules:
    """What is to be done with a field at some place. Immutable; thread-safe.

    If several paths end at one place, allow wins, then remove, then mask.

    Args:
        mask: Paths whose value is masked.
        remove: Paths that are left out.
        allow: Paths that are harmless, whatever the rules say.

    Attributes:
        start: The state at the root.

    Raises:
        ConfigError: If a path cannot be read.
    """

    def __init__(self, mask: Iterable[str] = (), remove: Iterable[str] = (), allow: Iterable[str] = ()) -> None:
        """Put the paths into one tree."""
        root = _Node()
        kinds: list[tuple[Action, Iterable[str], str]] = [
            (MASKED, mask, "with_redaction(fields)"),
            (REMOVE, remove, "with_redaction(remove)"),
            (KEEP, allow, "with_redaction(allow)"),
        ]
        # What wins is written last.
        for action, paths, where in kinds:
            for path in paths:
                node = root
                for segment in segments_of(path, where):
                    node = node.below(segment)
                node.action = action
        self.start: State = (root,) if root.any or root.named or root.endings else ()

    def step(self, state: State, key: str | int) -> State | None:
        """Return the state below a key or index; None if no rule can match there or below."""
        if not state:
            return None
        if type(key) is int:
            return _below(state, str(key)) or None
        name = str(key)
        found = _below(state, name)
        if "." in name:
            places = state
            for piece in name.split("."):
                places = _below(places, piece)
                if not places:
                    break
            found = tuple(dict.fromkeys((*found, *places)))
        return found or None

    def action(self, state: State) -> Action | None:
        """Return what is to be done with what stands here; None if no rule ends here."""
        actions = {node.action for node in state}
        return KEEP if KEEP in actions else REMOVE if REMOVE in actions else MASKED if MASKED in actions else None


def is_path(rule: str) -> bool:
    """Tell whether a rule is about a place, not about a name at any depth."""
    return "." in rule or "[" in rule or "]" in rule


def segments_of(path: Any, where: str) -> list[str]:
    """Return the segments of a path: ``items[*].card`` is items, ``*``, card.

    Raises:
        ConfigError: If it is no path.
    """
    if not isinstance(path, str):
        raise ConfigError.hidden(where, path, _ALLOWED)
    segments: list[str] = []
    for piece in path.strip().split("."):
        match = _PIECE.fullmatch(piece)
        if match is None:
            raise ConfigError.wrong(where, path, _ALLOWED)
        name, indexes = match.groups()
        if name.strip() != "*":
            try:
                parsed(name, where)
            except ConfigError:
                raise ConfigError.wrong(where, path, _ALLOWED) from None
        segments.append(name.strip())
        segments += [index if index == "*" else str(int(index)) for index in indexes[1:-1].split("][") if index]
    return segments


def check_rule(rule: Any, where: str) -> str:
    """Return a rule, about names or about places, if it can be used.

    Raises:
        ConfigError: If it cannot.
    """
    if isinstance(rule, str) and is_path(rule):
        segments_of(rule, where)
    else:
        parsed(rule, where)
    return str(rule)


def _below(state: State, name: str) -> State:
    term = normal(name)
    found: dict[_Node, None] = {}
    for node in state:
        if term in node.named:
            found[node.named[term]] = None
        if node.any is not None:
            found[node.any] = None
        for rules, below in node.endings.values():
            if rules.verdict(name) != KEEP:
                found[below] = None
    return tuple(found)
