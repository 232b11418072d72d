"""The secret that opens the console, and how far each way in leads.

    Authorization: Bearer <token>        reads and changes
    the cookie of a session              reads: a link that opens once, or the login form, has set it
    with_debug_route(allow=…)            reads and changes: the application's own authentication has said so

The token stands in no URL: those are kept by proxies, browsers and access logs. What is signed with it for other
purposes (tickets, cookies, levels) is signed with keys derived from it, so that none of these passes for another.
"""

import hmac
import secrets
from collections.abc import Iterable
from enum import IntEnum

from fapilog.edge_options import check_token

_GENERATED_BYTES = 24
_SCHEME = b"bearer"
_LONG = 20


class Access(IntEnum):
    """How far a request may go."""

    NONE = 0
    READ = 1
    CHANGE = 2


class Token:
    """The secret that opens the route. Immutable; its ``repr`` does not show it.

    Attributes:
        generated: Whether fapilog made it; only such a token is ever printed.
        is_long: Whether it is too long to be guessed by trying.
    """

    __slots__ = ("_secret", "generated", "is_long")

    def __init__(self, token: str | None = None) -> None:
        """Take a configured token, or make one of 192 random bits.

        Raises:
            ConfigError: If ``token`` is given but empty, blank, or not printable ASCII without blanks.
        """
        check_token(token)
        self.generated = token is None
        self._secret = token or secrets.token_urlsafe(_GENERATED_BYTES)
        self.is_long = len(self._secret) >= _LONG

    def reveal(self) -> str:
        """Return the secret, for what is printed at start."""
        return self._secret

    def matches(self, given: bytes) -> bool:
        """Compare in a time that does not depend on where the two differ."""
        return hmac.compare_digest(given, self._secret.encode("ascii"))

    def key(self, purpose: bytes) -> bytes:
        """Return a key of 256 bits for one purpose; from it neither the token nor the key of another is found."""
        return hmac.digest(self._secret.encode("ascii"), b"fapilog console: " + purpose, "sha256")

    def __repr__(self) -> str:
        """Show where the token came from, not the token."""
        return f"<Token {'generated' if self.generated else 'configured'}>"


def bearer_of(headers: Iterable[tuple[bytes, bytes]]) -> bytes | None:
    """Return what a request shows as its token; None if it shows none.

    A header of another scheme, such as the ``Basic`` of a proxy in front, shows none. Two headers are no token
    either, but an attempt: which of them a proxy has checked cannot be known.

    Args:
        headers: The request's raw headers.
    """
    values = [value.strip() for name, value in headers if name.lower() == b"authorization"]
    schemes = [value[: len(_SCHEME) + 1].lower() in (_SCHEME, _SCHEME + b" ") for value in values]
    if not any(schemes):
        return None
    return values[0][len(_SCHEME) :].strip() if len(values) == 1 else b""
