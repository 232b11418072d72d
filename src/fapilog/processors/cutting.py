"""Cuts a plain JSON value to a number of bytes of JSON, exactly, and says in it how much there was.

A text keeps its beginning, an array its first items. In an object the largest members give way to the smaller ones: all
that are too large are cut to the same size, the greatest at which everything fits. The notes are those of
``fapilog.coerce``, and what already has one keeps the number in it. Nothing that is given is changed.
"""

import re
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

import orjson

from fapilog.coerce import MAX_DEPTH

NOTHING = object()
"""Stands for a value that cannot be cut to the room there is."""

LEAST = 128
_COLON_AND_COMMA = 2
_BRACKETS = 2
_REST = "…"
_CUT_TEXT = re.compile(r"…\[cut, [0-9]{1,20} (?:characters|bytes)\]\Z")
_CUT_ITEMS = re.compile(r"<cut: [0-9]{1,20} items>")
_LONGEST_NOTE = 64
_BROKEN_ESCAPE = re.compile(r"\\(?:u[0-9a-f]{0,3})?\Z")
_LONGEST_ESCAPE = len(r"\u0000")
_dumps = orjson.dumps


class Shared(NamedTuple):
    """What became of the members of an object.

    Attributes:
        members: Those that are kept, whole or cut, in their order.
        cut: The names of those that were cut.
        removed: The names of those that there was no room for.
    """

    members: dict[str, Any]
    cut: list[str]
    removed: list[str]


def member_size(key: str, value: Any) -> int:
    """Return how many bytes a member of an object takes, with its colon and a comma."""
    return len(_dumps(key)) + len(_dumps(value)) + _COLON_AND_COMMA


def share_out(members: Mapping[str, Any], room: int, depth: int = 0) -> Shared:
    """Keep the members within ``room`` bytes, the largest cut first; where it is very tight, the last are removed."""
    sizes = {key: member_size(key, value) for key, value in members.items()}
    share = max(_fair_share(sizes.values(), room), LEAST)
    shared = Shared({}, [], [])
    for key, value in members.items():
        size = sizes[key]
        allowed = min(share, room)
        if size <= allowed:
            shared.members[key] = value
        else:
            short = shorten(value, allowed - len(_dumps(key)) - _COLON_AND_COMMA, depth)
            if short is NOTHING:
                shared.removed.append(key)
                continue
            shared.members[key] = short
            shared.cut.append(key)
            size = member_size(key, short)
        room -= size
    return shared


def shorten(value: Any, room: int, depth: int = 0) -> Any:
    """Return the value, or what of it takes at most ``room`` bytes of JSON, or ``NOTHING``."""
    kind = type(value)
    if kind is str:
        return value if len(_dumps(value)) <= room else cut_text(value, room)
    if len(_dumps(value)) <= room:
        return value
    if (kind is not dict and kind is not list) or not value:
        return NOTHING
    note = _note_of_items(value)
    short = NOTHING
    if depth < MAX_DEPTH:
        short = _cut_object(value, room, note, depth) if kind is dict else _cut_array(value, room, note, depth)
    if short is NOTHING and len(_dumps(note)) <= room:
        return note
    return short


def cut_text(text: str, room: int) -> Any:
    """Return the beginning of a text and a note of its length, in ``room`` bytes; ``NOTHING`` if the note is longer."""
    noted = _CUT_TEXT.search(text[-_LONGEST_NOTE:])
    note = noted[0] if noted else f"…[cut, {len(text)} characters]"
    room -= len(_dumps(note))
    if room < 0:
        return NOTHING
    head = text.removesuffix(note)[:room]
    # An incomplete character at the end is left out, and so is an incomplete escape.
    encoded = _dumps(head)[1:-1][:room].decode("utf-8", "ignore")
    broken = _BROKEN_ESCAPE.search(encoded[-_LONGEST_ESCAPE:])
    if broken is not None:
        before = encoded[: len(encoded) - len(broken[0])]
        if (len(before) - len(before.rstrip("\\"))) % 2 == 0:
            encoded = before
    beginning: str = orjson.loads('"' + encoded + '"')
    return beginning + note


def _cut_object(value: dict[str, Any], room: int, note: str, depth: int) -> Any:
    members = {key: item for key, item in value.items() if not (key == _REST and item == note)}
    room -= _BRACKETS + member_size(_REST, note)
    shared = share_out(members, room, depth + 1)
    if not shared.members:
        return NOTHING
    if shared.removed or len(members) < len(value):
        shared.members[_REST] = note
    return shared.members


def _cut_array(value: list[Any], room: int, note: str, depth: int) -> Any:
    room -= _BRACKETS + len(_dumps(note))
    kept = []
    for item in value:
        size = len(_dumps(item)) + 1
        if size > room:
            short = shorten(item, room - 1, depth + 1) if room >= LEAST else NOTHING
            if short is not NOTHING:
                kept.append(short)
            break
        kept.append(item)
        room -= size
    if not kept:
        return NOTHING
    return kept if len(kept) == len(value) else [*kept, note]


def _note_of_items(value: dict[str, Any] | list[Any]) -> str:
    """Return the note of how many items there are, or were before something else has cut."""
    last = value.get(_REST) if isinstance(value, dict) else value[-1]
    if type(last) is str and _CUT_ITEMS.fullmatch(last):
        return last
    return f"<cut: {len(value)} items>"


def _fair_share(sizes: Iterable[int], room: int) -> int:
    """Return the greatest size such that all fit into ``room`` once the larger ones are cut to it."""
    ordered = sorted(sizes)
    left = room
    for position, size in enumerate(ordered):
        share = left // (len(ordered) - position)
        if size > share:
            return share
        left -= size
    return room
