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
# Of a password with a slash or a question mark in it: up to the last @, if what follows the colon is no port. An @
# behind a slash begins a name in the path. Else, up to the last @ of the authority.
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
_NEAR = 512


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

    def secret_value(found: re.Match[str]) -> str:
        value = found["value"].rstrip(_CLOSING)
        if value == MASK or not (known(found["name"]) or (found["name"] == "code" and _is_code(value, found))):
            return ""
        return value

    def mask(found: re.Match[str]) -> str:
        value = secret_value(found)
        if not value:
            return found[0]
        before = found.start("value") - found.start()
        return f"{found[0][:before]}{MASK}{found[0][before + len(value) :]}"

    def look(text: str) -> bool:
        if "=" in text and ("?" in text or "&" in text or "#" in text or ";" in text):
            return any(map(secret_value, _QUERY.finditer(text)))
        return False

    return Rule(hide=lambda text: _QUERY.sub(mask, text), look=look)


def _is_code(value: str, found: re.Match[str]) -> bool:
    """Tell an authorization code (RFC 6749 §4.1.2) from a status or country code."""
    around = found.string[max(0, found.start() - _NEAR) : found.end() + _NEAR]
    return len(value) >= _LONG_CODE and (len(value) >= _CERTAIN_CODE or "state=" in around)
