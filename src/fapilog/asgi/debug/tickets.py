"""Tickets: what makes a link open the console once, without the token in it."""

from collections.abc import Callable
from threading import Lock
from typing import Any
from urllib.parse import urlsplit

from fapilog.asgi.debug.auth import Token
from fapilog.asgi.debug.signed import Signer
from fapilog.clock import SYSTEM_CLOCK, Clock
from fapilog.edge_options import DEBUG_PATH, DebugRouteOptions
from fapilog.errors import ConfigError
from fapilog.units import parse_duration

SECONDS = 600.0
MAX_SECONDS = 86_400.0
MAX_USED = 4_096
FORGED, EXPIRED, USED, TOO_MANY = "forged_ticket", "expired_ticket", "used_ticket", "too_many_tickets"
_PURPOSE = b"ticket"
_LINK = "one_time_link"


def signer_of(token: Token, clock: Clock = SYSTEM_CLOCK) -> Signer:
    """Return what makes and knows the tickets of a token."""
    return Signer(token.key(_PURPOSE), clock)


class Tickets:
    """Takes each ticket once. Thread-safe.

    Which ones were taken is remembered until they would have expired anyway, in this process only: with several
    worker processes a link opens once in each. At most 4 096; when so many were taken and none has expired, no more
    are until one has.

    Args:
        signer: Knows which tickets are ours.
    """

    def __init__(self, signer: Signer) -> None:
        """Begin with none taken."""
        self._signer = signer
        self._used: dict[bytes, int] = {}
        self._lock = Lock()

    def take(self, ticket: bytes) -> str:
        """Take a ticket; return why it cannot be taken, or nothing if it was."""
        found = self._signer.find(ticket)
        if found is None:
            return FORGED
        if found.expired:
            return EXPIRED
        with self._lock:
            if found.nonce in self._used:
                return USED
            if len(self._used) >= MAX_USED:
                now = self._signer.now()
                self._used = {nonce: ends for nonce, ends in self._used.items() if not ends or ends > now}
            if len(self._used) >= MAX_USED:
                return TOO_MANY
            self._used[found.nonce] = found.ends
        return ""


def one_time_link(
    token: str,
    path: str = DEBUG_PATH,
    base: str = "http://127.0.0.1:8000",
    ttl_seconds: float | str = SECONDS,
    *,
    clock: Clock = SYSTEM_CLOCK,
) -> str:
    """Return a link that opens the console once, for reading, to whoever has it first.

    It needs no running application, only its token: a script may print it, or a chat bot send it. Each worker process
    of the application takes it once.

    Args:
        token: The one given to ``with_debug_route(token=…)``; it cannot be found from the link.
        path: Where the console stands, below ``base``. Default ``/debug/logging``.
        base: Scheme, host and port of the application, and its root path if it has one.
        ttl_seconds: How long the link may be used: seconds, or such as ``"10 min"``, the default; at most a day.
        clock: What is held against the clock of the application.

    Raises:
        ConfigError: If a value cannot be used; the token is not shown.
    """
    seconds = parse_duration(ttl_seconds, f"{_LINK}(ttl_seconds)")
    if seconds > MAX_SECONDS:
        raise ConfigError.wrong(f"{_LINK}(ttl_seconds)", ttl_seconds, 'at most a day, such as 600 or "10 min"')
    if token is None:
        raise ConfigError.wrong(f"{_LINK}(token)", token, "the token that with_debug_route(token=…) was given")
    secret = _checked(f"{_LINK}(token)", Token, token)
    _checked(f"{_LINK}(path)", DebugRouteOptions, path)
    if not isinstance(base, str) or urlsplit(base).scheme not in {"http", "https"} or not urlsplit(base).netloc:
        raise ConfigError.hidden(f"{_LINK}(base)", base, 'scheme, host and port, such as "http://127.0.0.1:8000"')
    return link_of(base.rstrip("/") + path, signer_of(secret, clock).make(seconds))


def link_of(place: str, ticket: str) -> str:
    """Return the link that shows a ticket."""
    return f"{place}?once={ticket}"


def _checked(where: str, kind: Callable[[Any], Any], value: object) -> Any:
    try:
        return kind(value)
    except ConfigError as error:
        raise error.at(where) from None
