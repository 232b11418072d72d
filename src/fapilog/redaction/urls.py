"""Secrets in addresses: user and password before the host, and the values of secret query keys.

Forms by RFC 3986. The query keys that sign an address are those of AWS Signature Version 4 and 2, Google Cloud Storage
signed URLs and Azure shared access signatures.
"""

import re
from collections.abc import Callable
from urllib.parse import unquote_plus

from fapilog.coerce import MASK
from fapilog.redaction.rule import Rule, remembering

_MOST_USERINFO = 512
# Of a password with a slash or a question mark in it: up to the last @, if what follows the colon is no port. An @ behind
# a slash begins a name in the path. Else, up to the last @ of the authority.
_USERINFO = re.compile(
    rf"://(?:(?!\[)[^\s/@:\"'<>\\]{{0,128}}+:(?![0-9]{{1,5}}(?:[/?#]|$))"
    rf"(?:[^\s\"'<>\\?#]{{0,{_MOST_USERINFO}}}[^\s\"'<>\\?#/]@|[^\s\"'<>\\]{{1,{_MOST_USERINFO}}}@)"
    rf"|(?P<user>[^\s/?#\"'<>\\]{{0,{_MOST_USERINFO}}})@)"
)
_PUBLIC = frozenset({"git", MASK})

_QUERY = re.compile(r"(?:[?&#;]|\\u0026)(?P<name>[\w.\-%\[\]~$]{1,100}+)=(?P<value>[^\s&#\"'<>\\]++)")
_SIGNING = frozenset(
    {
        "x-amz-signature",
        "x-amz-credential",
        "x-amz-security-token",
        "awsaccesskeyid",
        "signature",
        "sig",
        "x-goog-signature",
        "x-goog-credential",
    }
)
_CLOSING = ").,]};:!"
_LONG_CODE = 8
_CERTAIN_CODE = 20


def _hide_userinfo(text: str) -> str:
    return _USERINFO.sub(_mask_userinfo, text)


def _mask_userinfo(match: re.Match[str]) -> str:
    return match[0] if match["user"] in _PUBLIC else f"://{MASK}@"


URL_USERINFO = Rule(hide=_hide_userinfo, look=lambda text: "@" in text and "://" in text)


def url_query(is_secret_name: Callable[[str], bool]) -> Rule:
    """Return the rule for query and fragment parameters, also of an address without a host.

    Args:
        is_secret_name: Tells of a decoded key whether its value is secret; the keys that sign are known here.
    """

    def ask(name: str) -> bool:
        plain = unquote_plus(name)
        return plain.lower() in _SIGNING or is_secret_name(plain)

    known = remembering(ask)

    def is_secret(name: str, value: str, text: str) -> bool:
        return value != MASK and (known(name) or (name == "code" and _is_code(value, text)))

    def mask(match: re.Match[str]) -> str:
        value = match["value"].rstrip(_CLOSING)
        if not is_secret(match["name"], value, match.string):
            return match[0]
        begin, end = match.start("value") - match.start(), len(value)
        return f"{match[0][:begin]}{MASK}{match['value'][end:]}"

    def look(text: str) -> bool:
        if "=" not in text or not ("?" in text or "&" in text or "#" in text or ";" in text):
            return False
        return any(is_secret(found["name"], found["value"].rstrip(_CLOSING), text) for found in _QUERY.finditer(text))

    return Rule(hide=lambda text: _QUERY.sub(mask, text), look=look)


def _is_code(value: str, text: str) -> bool:
    """Tell an authorization code (RFC 6749 §4.1.2) from a status or country code."""
    return len(value) >= _LONG_CODE and (len(value) >= _CERTAIN_CODE or "state=" in text)
