"""E-mail addresses and telephone numbers: only hidden where a user or a preset asks for it.

E-mail after RFC 5321 and 6531 as people have them, telephone after E.164 and the usual ways of writing in the US and in
Europe.
"""

import re

from fapilog.coerce import MASK
from fapilog.redaction.numbers import classes_of
from fapilog.redaction.rule import Rule

_EMAIL = re.compile(
    r"(?<![\w.+\-])[\w.+\-]{1,64}+(?:@|%40)(?:[^\W_](?:[\w\-]{0,62}[^\W_])?\.){1,8}"
    r"(?:xn--[\w\-]{1,59}|[^\W\d_]{2,24})(?![\w])"
)
_FILES = frozenset((
    "css", "gif", "html", "ico", "jpeg", "jpg", "js", "json", "map", "md", "mp4", "pdf", "png", "py", "svg", "ts",
    "txt", "webp", "yaml", "yml",
))  # fmt: skip


def _mask_email(match: re.Match[str]) -> str:
    public = match[0].startswith("git@") or match[0].rpartition(".")[2].lower() in _FILES
    return match[0] if public else MASK


EMAIL = Rule(hide=lambda text: _EMAIL.sub(_mask_email, text), look=lambda text: "@" in text or "%40" in text)

_PHONE = re.compile(
    r"(?<![\w.+\-])(?:"
    r"\+[1-9](?:[ .()\-/]{0,2}[0-9]){6,14}+"
    r"|00[1-9](?:[ ()\-/]{0,2}[0-9]){7,13}+"
    r"|(?:1[ .\-])?(?:\([2-9][0-9]{2}\)[ .\-]?|[2-9][0-9]{2}[.\-])[2-9][0-9]{2}[ .\-][0-9]{4}"
    r"|\(?0[1-9][0-9]{1,3}\)?[ \-/][0-9]{2,4}(?:[ \-]?[0-9]{2,4}){1,4}"
    r"|0[1-9](?:[ .][0-9]{2}){4}"
    r")(?![0-9A-Za-z_])(?![.\-:/][0-9])"
)

_SHORTEST_PHONE = b"9" * 6


def _has_phone(text: str) -> bool:
    return classes_of(text, b" .()-/").find(_SHORTEST_PHONE) >= 0 and _PHONE.search(text) is not None


PHONE = Rule(hide=lambda text: _PHONE.sub(MASK, text), look=_has_phone)
