"""Values and tracebacks as lines for people; ``pretty.py`` puts them behind its bar and escapes them.

A styled line is the text and the SGR parameters it is painted with, ``""`` for none.
"""

import json
import re
import textwrap
from collections.abc import Iterator, Mapping
from typing import Any

from fapilog.coerce import json_safe
from fapilog.serializers.text import scalar_text

Styled = tuple[str, str]
BOLD, DIM, RED, GREEN, YELLOW, BLUE, CYAN, LOUD_RED = "1", "2", "31", "32", "33", "34", "36", "1;31"
LINE_WIDTH = 100
MAX_LINES = 200
_BARE = re.compile(r"[^\s\"'=\\{}\[\],]+")
_LITERAL = re.compile(r"null|true|false|-?[0-9]+(?:\.[0-9]+)?(?:[eE][-+]?[0-9]+)?")
_FRAME = re.compile(r"[\s|+]*File \"(.*)\", line [0-9]+, in .*")
_LIBRARY = re.compile(r"site-packages|dist-packages|[/\\]lib[/\\]python3|<frozen ")
_RULE = re.compile(r"(?:[ ]*\| )*(?:[ ]*\+-.*|Traceback \(most recent.*|The above exception .*|During handling .*)")
_FINAL = re.compile(r"(?:[ ]*\| )*[A-Za-z_][\w.<>]*(?::|$)")


def split_lines(text: str) -> list[str]:
    """Split at line feeds only, as a terminal does; tabs become spaces where there is more than one line."""
    lines = text.replace("\r\n", "\n").rstrip("\n").split("\n")
    return [line.expandtabs(4) for line in lines] if len(lines) > 1 else lines


def capped(lines: list[str]) -> list[str]:
    """Return the first 200 lines, and how many there are more."""
    return lines if len(lines) <= MAX_LINES else [*lines[:MAX_LINES], f"… {len(lines) - MAX_LINES} more lines"]


def name_text(key: str) -> str:
    """Return a field's name, in quotes if it holds what would make the line hard to read."""
    return key if _BARE.fullmatch(key) else _quoted(key)


def value_text(value: Any) -> str:
    """Return a plain value on one line; a text that looks like a number or a literal is in quotes."""
    if isinstance(value, str):
        return value if _BARE.fullmatch(value) and not _LITERAL.fullmatch(value) else _quoted(value)
    if isinstance(value, dict | list):
        return json_text(value)
    return scalar_text(value)


def value_lines(value: Any, lead: str = "", indent: str = "") -> Iterator[str]:
    """Lay out a value over several lines, keeping together what fits on one.

    Args:
        value: A plain value.
        lead: What stands before it, such as its key.
        indent: The spaces before all of its lines.
    """
    whole = f"{indent}{lead}{json_text(value)}"
    if len(whole) <= LINE_WIDTH or not (isinstance(value, dict | list) and value):
        yield whole
        return
    opening, closing = "{}" if isinstance(value, dict) else "[]"
    yield f"{indent}{lead}{opening}"
    inner = indent + "  "
    if isinstance(value, dict):
        for key, item in value.items():
            yield from value_lines(item, f"{json_text(key)}: ", inner)
    elif any(isinstance(item, dict | list) for item in value):
        for item in value:
            yield from value_lines(item, "", inner)
    else:
        yield from textwrap.wrap(
            " ".join(map(json_text, value)), LINE_WIDTH, initial_indent=inner, subsequent_indent=inner
        )
    yield indent + closing


def json_text(value: Any) -> str:
    """Return a plain value as JSON, with a space after commas and colons."""
    return json.dumps(json_safe(value), ensure_ascii=False)


def traceback_lines(exception: Any) -> Iterator[Styled]:
    """Style the ``exception`` of an event: the application's frames stand out from those of libraries."""
    if not isinstance(exception, dict):
        yield str(exception), RED
        return
    text = exception.get("stacktrace")
    yield from styled_trace(split_lines(text) if isinstance(text, str) and text else list(_from_parts(exception)))


def styled_trace(lines: list[str]) -> Iterator[Styled]:
    """Give each line of a printed traceback or stack its style."""
    style = ""
    for line in lines:
        frame = _FRAME.fullmatch(line)
        if frame:
            style = DIM if _LIBRARY.search(frame[1]) else ""
            yield line, style or YELLOW
        elif _RULE.fullmatch(line):
            style = ""
            yield line, DIM
        elif _FINAL.match(line):
            style = RED
            yield line, LOUD_RED
        else:
            yield line, style


def _from_parts(exception: Mapping[str, Any]) -> Iterator[str]:
    """Write a traceback from its parts, for an event whose stack trace a stage has taken out."""
    if isinstance(exception.get("cause"), dict):
        yield from _from_parts(exception["cause"])
        yield from ("", "The above exception led to the following one:", "")
    frames = exception.get("frames")
    for frame in frames if isinstance(frames, list) else ():
        if isinstance(frame, dict):
            yield f'  File "{frame.get("file")}", line {frame.get("line")}, in {frame.get("function")}'
            if frame.get("code"):
                yield f"    {frame['code']}"
    yield from split_lines(f"{exception.get('type')}: {exception.get('message')}")
    group = exception.get("group")
    for number, member in enumerate(group if isinstance(group, list) else (), 1):
        yield f"  +---------------- {number} ----------------"
        if isinstance(member, dict):
            yield from (f"  | {line}" for line in _from_parts(member))


def _quoted(text: str) -> str:
    escaped = text.replace('"', '\\"')
    return f'"{escaped}"'
