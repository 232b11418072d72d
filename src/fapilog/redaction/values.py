"""Where the value of a secret name ends, and what is no value: a placeholder, code, or the next word of a sentence."""

import re
from typing import Literal, NamedTuple

from fapilog.coerce import MASK

Span = tuple[int, int]


class Context(NamedTuple):
    """How a name stands before its value."""

    name: str
    word: str = ""
    """The word before the name, if only a space is between them."""
    quoted: bool = False
    """The name is in quotes or a tag: data, not a sentence."""
    spaced: bool = False
    """A space comes before the value: perhaps a sentence."""
    form: Literal["plain", "line", "pair", "element"] = "plain"
    """What ends the value; ``line``: a header, whose value is the rest of the line."""
    closing: str = ""
    """The bracket behind the value of a pair."""


_GAP = re.compile(r"[ \t]{0,16}+")
_OPENING = re.compile(r"[bBuUrRfF]{0,2}(?P<slashes>\\{0,63})(?P<quote>[\"'`])")
_STRETCH = re.compile(r"[^\"'`\\\n]*+(?P<slashes>\\*+)(?P<stop>[\"'`\n]?)")
_BARE = re.compile(
    # Quotes, backslashes and delimiters belong to the value unless they end something.
    r"(?:[^\s\"'`,;&\\<]|[\"'`](?![\s,;)\]}:&\"'`]|$)|\\(?!\\{0,63}[\"'nrt])"
    r"|[,;&](?![ \t]|[\w.\-\[\]%$\"']{1,64}[=:]|$)|<(?!/))++"
)
_LINE = re.compile(r"(?:[^\"'`\r\n\\]|[\"'`](?![\s,;)\]}]|$)|\\(?!\\{0,63}[\"'nr]))++")
_CREDENTIALS = re.compile(
    r"(?:[Bb]earer|[Bb]asic|[Tt]oken|[Aa]pi-?[Kk]ey|[Nn]egotiate|NTLM|[Bb]ot)[ \t]{1,4}(?P<secret>[^\s\"'`,;\\]++)"
)
_PARAMETERS = re.compile(r"(?:[Dd]igest|AWS4-HMAC-SHA256|OAuth|Hawk|Signature)[ \t]{1,4}(?=[A-Za-z_]{1,24}=)[^\r\n]*")
_ELEMENT = re.compile(r"[^<]++")
_STEP = re.compile(r"[^\[\](){}\n]*+(?P<mark>[\[\](){}\n]?)")
_OPENERS = frozenset("[{(")
_BEHIND = ")]},;.:"

_NOTHING = frozenset(
    ("", "none", "null", "nil", "true", "false", "undefined", "nan", "n/a", "yes", "no", "[redacted]", "<redacted>")
)
_PLACEHOLDER = re.compile(
    r"%[sdr]|%\(\w{1,64}\)[sdr]|\$(?:[0-9]{1,3}|[A-Z_][A-Z0-9_]{0,63}|\{{1,2}[\w .:\-]{1,64}\}{1,2})"
    r"|\{{1,2}[\w .!:]{0,64}\}{1,2}|<[\w \-]{1,64}>|[xX]{3,}|\W{1,3}|(\W)\1+"
)
_MASKED = re.compile(
    r"\W{0,3}|(\W)\1+|%[sdr]|[<\[](?:[Rr]edacted|REDACTED|hidden|masked|filtered|FILTERED|Filtered)[>\]]"
)
_PARAMETER = re.compile(r"[:@][A-Za-z_]\w{0,63}")
_TEMPLATE = re.compile(r"\{{1,2}[\w .!:]{1,64}\}{1,2}")
_WORD = re.compile(r"[A-Za-z]?(?:[a-z]+|[A-Z]+)(?:[\-'/][a-z]+)*(?=[\s,;.!?)\]}\"'`]|$)|[0-9]{1,3}(?= )")
_NEXT_WORD = re.compile(r"[.!?]{0,3}[ \t]{1,8}(?:[\"'`]|(?![\w.\-]{1,64}[=:])[A-Za-z0-9])")
_LONGEST_WORD = 20
_BEGINNING = 1_024
_STATES = frozenset((
    "absent", "accepted", "allowed", "any", "bool", "boolean", "bytes", "changed", "correct", "deleted",
    "denied", "dict", "disabled", "empty", "enabled", "expired", "expires", "failed", "field", "float",
    "forbidden", "found", "generated", "granted", "hidden", "incorrect", "int", "integer", "invalid", "issued",
    "list", "malformed", "masked", "matched", "mismatch", "missing", "needed", "not", "null", "number",
    "object", "ok", "okay", "omitted", "optional", "present", "provided", "received", "redacted", "refreshed",
    "rejected", "removed", "renewed", "required", "reset", "revoked", "rotated", "secretstr", "set", "str",
    "string", "unauthorized", "unavailable", "unchanged", "unknown", "unset", "unused", "updated", "used",
    "valid", "verified", "weak", "wrong",
))  # fmt: skip
"""What is said of a secret, and types: no values though they end a clause."""
_PATH = re.compile(r"[A-Za-z_]\w{0,63}(?:\.[A-Za-z_]\w{0,63}){0,8}")
_CALL = re.compile(r"\([^()\n\"']{0,80}\)")
_INDEX = re.compile(r"\[[\"'][\w.\-]{1,64}[\"']\]")
_OWNERS = ("self.", "cls.", "settings.", "config.", "request.", "args.", "os.", "env.")
_ODD = frozenset({"unexpected", "illegal"})
_SHORT = 16


def value_span(text: str, at: int, context: Context) -> Span | None:
    """Return where the secret value after a name begins and ends; None if there is none.

    Looks at a bounded stretch of text, apart from what it returns.
    """
    gap = _GAP.match(text, at)
    begin = gap.end() if gap else at
    opening = _OPENING.match(text, begin)
    if opening:
        return _quoted(text, opening, context)
    if context.form == "pair":
        return None
    if text[begin : begin + 1] in _OPENERS:
        return _open_bracket(text, begin, context)
    if context.form == "line":
        return _line(text, begin, context)
    return _bare(text, begin, context)


def _quoted(text: str, opening: re.Match[str], context: Context) -> Span | None:
    slashes, begin = len(opening["slashes"]), opening.end()
    end = _closing_quote(text, begin, slashes, opening["quote"])
    content = text[begin:end]
    if _MASKED.fullmatch(content) or (context.closing and not text.startswith(context.closing, end + slashes + 1)):
        return None
    # What a parser did not expect stands in quotes, too.
    parser = context.word.lower() in _ODD and not context.quoted and len(content) < _SHORT
    return None if parser else (begin, end)


def _closing_quote(text: str, begin: int, slashes: int, quote: str) -> int:
    """Return where the quoted text ends: at its quote, at the end of the line or at the end of the text.

    A quote with as many backslashes as the opening one closes, and one before which backslashes stand that are
    themselves escaped: each takes two, and twice as many for each string it is nested in.
    """
    at = begin
    while stretch := _STRETCH.match(text, at):
        stop, run = stretch["stop"], len(stretch["slashes"])
        if stop == quote and run >= slashes and (run - slashes) % (2 * (slashes + 1)) == 0:
            return stretch.end() - 1 - slashes
        if stop == "\n" or stretch.end() == len(text):
            return stretch.start("stop")
        at = stretch.end()
    return at


def _open_bracket(text: str, begin: int, context: Context) -> Span | None:
    told = context.quoted or not context.spaced or text.startswith(("[", "{'", '{"'), begin)
    if not told or _TEMPLATE.match(text, begin):
        return None
    return _bracketed(text, begin, begin)


def _bracketed(text: str, begin: int, bracket: int) -> Span | None:
    """Return the span up to the bracket that closes the one given, or to the end of the line."""
    depth, at = 0, bracket
    while step := _STEP.match(text, at):
        at, mark = step.end(), step["mark"]
        if mark in ("", "\n"):
            return begin, step.start("mark")
        depth += 1 if mark in _OPENERS else -1
        if depth == 0:
            break
    return None if _is_nothing(text[bracket + 1 : at - 1].strip(" \"'")) else (begin, at)


def _line(text: str, begin: int, context: Context) -> Span | None:
    parameters = _PARAMETERS.match(text, begin)
    if parameters:
        return begin, parameters.end()
    credentials = _CREDENTIALS.match(text, begin)
    if credentials and credentials["secret"].rstrip(_BEHIND).lower() not in _STATES:
        return None if _is_nothing(credentials["secret"]) else (begin, credentials.end())
    if text.startswith(MASK, begin) or _is_state(text, begin, context):
        return None
    # Cookies have names; a sentence about them has no sign in it.
    cookies = "cookie" in context.name.lower() and "=" not in text[begin : begin + _BEGINNING].partition("\n")[0]
    if cookies and _is_prose(text, begin, context):
        return None
    line = _LINE.match(text, begin)
    if line is None:
        return None
    plain = line[0].rstrip(" \t" + _BEHIND)
    return None if _is_nothing(plain) else (begin, begin + len(plain))


def _bare(text: str, begin: int, context: Context) -> Span | None:
    form = _ELEMENT if context.form == "element" else _BARE
    # What is no value is told by its beginning: only of a value the end is looked for.
    value = form.match(text, begin, begin + _BEGINNING)
    if value is None:
        return None
    plain = value[0].rstrip(_BEHIND)
    end = begin + len(plain)
    if _is_nothing(value[0]) or _is_nothing(plain) or (context.spaced and _PARAMETER.fullmatch(plain)):
        return None
    if not context.quoted:
        if _is_prose(text, begin, context) or _is_code(text, begin, end, context):
            return None
        path = _PATH.match(text, begin)
        if path and text.startswith("(", path.end()):
            return _bracketed(text, begin, path.end())
    if value.end() < begin + _BEGINNING:
        return begin, end
    whole = form.match(text, begin)
    return None if whole is None else (begin, begin + len(whole[0].rstrip(_BEHIND)))


def _is_nothing(value: str) -> bool:
    return value == MASK or value.lower() in _NOTHING or _PLACEHOLDER.fullmatch(value) is not None


def _is_state(text: str, begin: int, context: Context) -> bool:
    """Tell whether something is said of the secret instead of telling it: a header ``is missing``, or ``not set``."""
    word = _WORD.match(text, begin) if context.spaced and not context.quoted else None
    return word is not None and word[0].lower() in _STATES


def _is_prose(text: str, begin: int, context: Context) -> bool:
    """Tell whether a sentence goes on, rather than that a value is told."""
    if context.quoted or not context.spaced:
        return False
    word = _WORD.match(text, begin)
    if word is None:
        return False
    if word[0].lower() in _STATES:
        return True
    return len(word[0]) <= _LONGEST_WORD and _NEXT_WORD.match(text, word.end()) is not None


def _is_code(text: str, begin: int, end: int, context: Context) -> bool:
    """Tell whether the value is an expression in a line of source code, as tracebacks show them."""
    path = _PATH.match(text, begin)
    if path is None:
        return False
    found, after = path[0], path.end()
    if _INDEX.match(text, after):
        return True
    if _CALL.match(text, after):
        return "_" in found or "." in found or found.isalpha()
    if after < end:
        return False
    of, _, name = context.name.rpartition(".")
    if found == name:
        return bool(of) or text[after : after + 1] in (",", ")")
    owner, _, last = found.rpartition(".")
    annotated = context.spaced and found[0].isupper() and text.startswith((" = ", " | "), after)
    return annotated or (bool(owner) and (found.startswith(_OWNERS) or last == name))
