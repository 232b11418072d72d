r"""``name=value`` and ``name: value`` in text, where the name says that the value is secret.

Settings and reprs (``User(password='x')``), JSON, also inside a string (``{\"token\": \"x\"}``), forms and connection
strings (``Pwd=x;Database=y``), headers as lines and as pairs (``(b'cookie', b'a=b')``), XML elements and command lines
(``--password x``). Which names are secret is not known here.

    … retry with  api_key  =  "k-123"  , timeout=5
                  └──┬──┘  │  └──┬──┘
         backward from the sign  forward: quoted, in brackets, up to a delimiter, or the whole line
"""

import re
from collections.abc import Callable, Iterator
from typing import NamedTuple
from urllib.parse import unquote_plus

from fapilog.coerce import MASK
from fapilog.redaction.rule import Rule, remembering
from fapilog.redaction.values import Context, value_span

_MOST_NAME = 96

_SIGN = re.compile(
    r"[=:%,>\-](?:(?<=[=:])(?!//)(?!(?<=[\sT:.][0-9][0-9]:)[0-9])[=:]*>?"
    r"|(?<=%)3[Dd]|(?<=[\"'],)[ ]?(?=[bu]?[\"'])|(?<=\w>)(?=[^<>\s])"
    r"|(?<=--)(?P<flag>[A-Za-z][\w\-]{0,63}+)[ ]{1,3}(?=[^\s\-=|]))"
)
# What stands before a sign, read backward: quotes and brackets, the name, and the word before it.
_NAME = re.compile(
    r"(?P<between>[ \t\"'`\\\]]{0,16})(?P<name>[\w.\-%$\[]{1,64})"
    r"(?: (?P<word>[A-Za-z]{1,24})(?!\w))?(?P<before>.?)"
)
_NO_SIGNS = frozenset({"==", "===", "::", "-"})
_LINES = frozenset({"authorization", "proxyauthorization", "cookie", "setcookie"})
_ESCAPE = re.compile(r"^[nrtbfv](?=\w)")  # the letter of an escaped line end, as a repr or JSON shows it
_COLOUR = re.compile(r"^\[?[0-9]{1,3}m(?=\w)")
_COLOUR_BEGINS = frozenset(("\x1b", ";"))
_COPULAS = frozenset({"is", "was", "equals"})
_SEPARATORS = str.maketrans("", "", "-_. ")


_Asked = Callable[[str, str], bool]


class _Place(NamedTuple):
    """Where the value of a secret name begins, and how the name stands there."""

    value_at: int
    context: Context


def key_value(is_secret_name: Callable[[str], bool]) -> Rule:
    """Return the rule.

    Args:
        is_secret_name: Tells of a name in any spelling whether its value is secret. What it says is remembered.
    """

    def ask(spelling: str) -> bool:
        word, _, name = spelling.rpartition(" ")
        return not name.isdigit() and any(map(is_secret_name, _spellings(name, word)))

    known = remembering(ask)

    def is_secret(name: str, word: str) -> bool:
        return known(f"{word} {name}" if word else name)

    def look(text: str) -> bool:
        if "=" in text or ":" in text or "'" in text or '"' in text or "<" in text or "%" in text:
            return next(_places(text, is_secret), None) is not None
        return False

    return Rule(hide=lambda text: _hide(text, is_secret), signs=(r"-(?<=--)[A-Za-z]",), look=look)


def _hide(text: str, is_secret: _Asked) -> str:
    pieces, done = [], 0
    for place in _places(text, is_secret):
        if place.value_at < done:
            continue
        span = value_span(text, place.value_at, place.context)
        if span is not None:
            pieces += [text[done : span[0]], MASK]
            done = span[1]
    return "".join([*pieces, text[done:]]) if pieces else text


def _places(text: str, is_secret: _Asked) -> Iterator[_Place]:
    for sign in _SIGN.finditer(text):
        place = _place(text, sign, is_secret)
        if place is not None:
            yield place


def _spellings(name: str, word: str) -> Iterator[str]:
    """Yield what a name may be called: as it stands, decoded, its last part, and as two words."""
    plain = unquote_plus(name) if "%" in name else name
    plain = plain.removeprefix("u0026").strip("-$[")
    yield plain
    for part in plain.replace("[", ".").split(".")[1:]:
        yield part.rstrip("]")
    if word:
        yield word if plain in _COPULAS else f"{word}_{plain}"


def _place(text: str, sign: re.Match[str], is_secret: _Asked) -> _Place | None:
    flag, mark = sign["flag"], sign[0]
    if flag:
        return _Place(sign.end(), Context(flag, spaced=True)) if is_secret(flag, "") else None
    if mark in _NO_SIGNS:
        return None
    start = sign.start()
    backward = _NAME.match(text[max(0, start - _MOST_NAME) : start][::-1])
    if backward is None:
        return None
    name, word = backward["name"][::-1], (backward["word"] or "")[::-1]
    if backward["before"] == "\\" and not word:
        name = _ESCAPE.sub("", name, 1)
    elif backward["before"] in _COLOUR_BEGINS:
        name = _COLOUR.sub("", name, 1)
    if not is_secret(name, word):
        return None
    context = Context(name, word, spaced=text[sign.end() : sign.end() + 1].isspace())
    between = backward["between"]
    if mark == ">":
        tag = not between and not word and backward["before"] == "<"
        return _Place(sign.end(), context._replace(quoted=True, form="element")) if tag else None
    if mark[0] == ",":
        closing = _pair_end(text, start - backward.end("name"))
        return _Place(sign.end(), context._replace(quoted=True, form="pair", closing=closing)) if closing else None
    quoted = '"' in between or "'" in between
    line = name.lower().translate(_SEPARATORS) in _LINES
    return _Place(sign.end(), context._replace(quoted=quoted, form="line" if line else "plain"))


def _pair_end(text: str, name_at: int) -> str:
    """Return what closes a pair that begins with a quoted name, nothing if the name is one among many in a list."""
    before = text[max(0, name_at - 6) : name_at].rstrip("bu\"'\\")
    if before.endswith("("):
        return ")"
    return "]" if before.endswith(("[[", ", [", ",[")) else ""
