"""Strict readers of the parts of LogQL and TraceQL that the dashboards use, no more.

There is no parser of either in Python and neither Loki nor Tempo on this machine. What these do not know they refuse,
so a query that uses more of a language needs more of its reader.
"""

import re
from collections.abc import Iterator

_TOKEN = re.compile(
    r"""(?P<space>\s+)|(?P<text>"(?:[^"\\]|\\.)*"|`[^`]*`)|(?P<operator>\|=|\|~|=~|!=|!~|=|\||>=|<=|>|<|&&|,|\{|\})"""
    r"""|(?P<duration>\d+(?:ms|s|m))|(?P<word>[A-Za-z_][\w.:]*)"""
)
Token = tuple[str, str]
_MATCH = {"=", "=~", "!=", "!~"}
_TEMPLATE_FIELD = re.compile(r"\{\{\s*\.(\w+)\s*\}\}")


class LogQuery:
    """A log query of LogQL: a stream selector, then line filters, ``json``, label filters and ``line_format``.

    Attributes:
        labels: What the selector matches: label, operator, value.
        keys: What is compared, or written, after ``json``.
    """

    def __init__(self, text: str) -> None:
        self._tokens = _tokens(text)
        self.labels: list[tuple[str, str, str]] = []
        self.keys: list[tuple[str, str, str]] = []
        self._selector()
        parsed = False
        while self._tokens:
            kind, sign = self._next()
            if sign in {"|=", "!=", "|~", "!~"} and kind == "operator":
                self._text()
                continue
            _demand(sign == "|", f"{sign!r} where a stage begins")
            kind, stage = self._next()
            if stage == "json":
                parsed = True
            elif stage == "line_format":
                self.keys += [(key, "", "") for key in _TEMPLATE_FIELD.findall(self._text())]
            else:
                _demand(kind == "word" and parsed, f"{stage!r} is neither a stage nor a key after json")
                self.keys.append((stage, self._operator(), self._text()))

    def _selector(self) -> None:
        _demand(self._next()[1] == "{", "no stream selector")
        while True:
            kind, name = self._next()
            _demand(kind == "word" and ":" not in name and "." not in name, f"{name!r} is no label")
            self.labels.append((name, self._operator(), self._text()))
            _, sign = self._next()
            if sign == "}":
                break
            _demand(sign == ",", f"{sign!r} between matchers")
        # Loki answers 400 to a selector that everything matches.
        some = [value for _, operator, value in self.labels if operator in {"=", "=~"} and not _matches_nothing(value)]
        _demand(bool(some), "every matcher matches what has no such label")

    def _operator(self) -> str:
        _, sign = self._next()
        _demand(sign in _MATCH, f"{sign!r} is no operator")
        return sign

    def _text(self) -> str:
        kind, text = self._next()
        _demand(kind == "text", f"{text!r} is no text")
        return text[1:-1]

    def _next(self) -> Token:
        _demand(bool(self._tokens), "it ends too early")
        return self._tokens.pop(0)


def span_fields(text: str) -> list[tuple[str, str, str]]:
    """Return what a TraceQL query of one span set compares: field, operator, value; joined by ``&&``."""
    tokens = _tokens(text)
    _demand(len(tokens) % 4 == 1 and tokens[0][1] == "{" and tokens[-1][1] == "}", "not one span set")
    found = []
    for place in range(1, len(tokens) - 1, 4):
        (kind, field), (_, operator), (of, value), (_, joined) = tokens[place : place + 4]
        _demand(kind == "word" and operator in {*_MATCH, ">", "<", ">=", "<="}, f"{field} {operator} {value}")
        _demand(of in {"text", "word", "duration"}, f"{value!r} is no value")
        _demand(joined == ("}" if place + 4 == len(tokens) else "&&"), f"{joined!r} between conditions")
        found.append((field, operator, value.strip('"')))
    return found


def _matches_nothing(pattern: str) -> bool:
    return re.fullmatch(pattern, "") is not None


def _tokens(text: str) -> list[Token]:
    return list(_read(text))


def _read(text: str) -> Iterator[Token]:
    place = 0
    while place < len(text):
        found = _TOKEN.match(text, place)
        _demand(found is not None, f"{text[place:]!r} is not understood")
        assert found is not None
        place = found.end()
        if found.lastgroup != "space":
            yield str(found.lastgroup), found.group()


def _demand(condition: bool, otherwise: str) -> None:
    if not condition:
        raise ValueError(otherwise)
