"""Who may read the debug route: whoever shows the token, in a header or, for reading only, in the link.

    Authorization: Bearer <token>        any client
    ?token=<token>                       the ready link that is printed at start

A token in a URL ends up where URLs are kept: proxies, browser history. It is accepted because the route only
reads, answers ``Referrer-Policy: no-referrer``, and takes the token out of what servers and tracing would keep
(:mod:`fapilog.asgi.debug.routes`). Whoever configures a long-lived token sends the header.
"""

import hmac
import secrets
from collections.abc import Iterable
from urllib.parse import parse_qsl

from fapilog.edge_options import check_token

_GENERATED_BYTES = 24
_MAX_QUERY_FIELDS = 20
_SCHEME = b"bearer "


class Token:
    """The secret that opens the route. Immutable; its ``repr`` does not show it.

    Attributes:
        generated: Whether fapilog made it; only such a token is ever printed.
    """

    __slots__ = ("_secret", "generated")

    def __init__(self, token: str | None = None) -> None:
        """Take a configured token, or make one of 192 random bits.

        Raises:
            ConfigError: If ``token`` is given but empty, blank, or not printable ASCII without blanks.
        """
        check_token(token)
        self.generated = token is None
        self._secret = token or secrets.token_urlsafe(_GENERATED_BYTES)

    def reveal(self) -> str:
        """Return the secret, for the link that is printed at start."""
        return self._secret

    def matches(self, given: bytes) -> bool:
        """Compare in a time that does not depend on where the two differ."""
        return hmac.compare_digest(given, self._secret.encode("ascii"))

    def __repr__(self) -> str:
        """Show where the token came from, not the token."""
        return f"<Token {'generated' if self.generated else 'configured'}>"


def is_authorized(token: Token, headers: Iterable[tuple[bytes, bytes]], query: bytes) -> bool:
    """Tell whether a request shows the token: the ``Authorization`` header decides where there is one.

    Args:
        token: The token asked for.
        headers: The request's raw headers.
        query: The raw query string.
    """
    values = [value for name, value in headers if name.lower() == b"authorization"]
    if values:
        given = values[0].strip()
        return (
            len(values) == 1
            and given[: len(_SCHEME)].lower() == _SCHEME
            and token.matches(given[len(_SCHEME) :].strip())
        )
    tokens = tokens_of(query)
    return len(tokens) == 1 and token.matches(tokens[0])


def tokens_of(query: bytes) -> list[bytes]:
    """Return the values of ``token`` in a raw query string; none if the string is malformed or absurdly long."""
    try:
        fields = parse_qsl(query.decode("latin-1"), keep_blank_values=True, max_num_fields=_MAX_QUERY_FIELDS)
    except ValueError:
        return []
    return [value.encode("utf-8", "replace") for name, value in fields if name == "token"]
