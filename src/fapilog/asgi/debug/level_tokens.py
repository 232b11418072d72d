"""Signed values for ``X-Log-Level``: whoever has the console's token may let others ask for one louder request.

    v1.DEBUG.1795257600.7Zc0…         version, level, end of validity in Unix seconds, HMAC-SHA256 of what stands before
                                      it, in base64url without padding (RFC 4648, section 5)

The key is derived from the console's token for this purpose alone, so that such a value opens nothing else and no
other signature of the console's passes for one. It is good for every request until it ends, not for one: whoever sees
it can use it as long. It makes requests louder, and opens no door.
"""

import base64
import hmac
import math
import re
from typing import NamedTuple

from fapilog import _runtime
from fapilog.asgi.debug.auth import Token
from fapilog.clock import SYSTEM_CLOCK, Clock
from fapilog.diagnostics import attempt
from fapilog.errors import ConfigError
from fapilog.levels import LevelTable
from fapilog.units import parse_duration

MAX_BYTES = 200
LONGEST_SECONDS = 86_400
TOO_LONG, REPEATED, MALFORMED = "too_long", "repeated", "malformed"
WRONG_SIGNATURE, EXPIRED, TOO_FAR_AHEAD = "wrong_signature", "expired", "too_far_ahead"
UNKNOWN_LEVEL = "unknown_level"
_VERSION = "v1"
_PURPOSE = b"level"
_FORM = re.compile(rb"(v1\.([A-Z_][A-Z0-9_]*)\.([1-9][0-9]{0,11}))\.([A-Za-z0-9_-]{43})")
_NANOSECONDS = 1_000_000_000
_WHERE = "level_token"


class Wish(NamedTuple):
    """What a valid header asks for."""

    levelno: int
    seconds_left: float


class LevelTokens:
    """Makes and verifies the values of one console. Immutable; thread- and fork-safe; its ``repr`` shows no secret.

    Args:
        token: The console's.
        levels: Which level names exist here.
        clock: For the end of validity, by the wall clock.
    """

    __slots__ = ("_clock", "_key", "_levels")

    def __init__(self, token: Token, levels: LevelTable, clock: Clock = SYSTEM_CLOCK) -> None:
        """Derive the key."""
        self._key = token.key(_PURPOSE)
        self._levels = levels
        self._clock = clock

    def make(self, levelno: int, seconds: float) -> str:
        """Return a value that is good for at least so many seconds from now."""
        expiry = math.ceil(self._clock.time_ns() / _NANOSECONDS + seconds)
        signed = f"{_VERSION}.{self._levels.name(levelno)}.{expiry}"
        return f"{signed}.{self._sign(signed.encode('ascii')).decode('ascii')}"

    def verify(self, value: bytes) -> Wish | str:
        """Return what a header asks for, or in one word why it is refused.

        Args:
            value: The header as it came; several headers joined by commas.
        """
        if len(value) > MAX_BYTES:
            return TOO_LONG
        match = _FORM.fullmatch(value)
        if match is None:
            return REPEATED if b"," in value else MALFORMED
        signed, name, expiry, signature = match.groups()
        # Compared as text: of the last digit of base64 four bits count, and the other two must not be free to choose.
        if not hmac.compare_digest(signature, self._sign(signed)):
            return WRONG_SIGNATURE
        left = int(expiry) - self._clock.time_ns() / _NANOSECONDS
        if left <= 0:
            return EXPIRED
        # A second more than can be asked for: the end is rounded up.
        if left > LONGEST_SECONDS + 1:
            return TOO_FAR_AHEAD
        levelno, unknown = attempt(self._levels.number, name.decode("ascii"), _WHERE)
        return UNKNOWN_LEVEL if unknown is not None else Wish(levelno, left)

    def _sign(self, signed: bytes) -> bytes:
        return base64.urlsafe_b64encode(hmac.digest(self._key, signed, "sha256")).rstrip(b"=")

    def __repr__(self) -> str:
        """Show nothing."""
        return "<LevelTokens>"


def level_token(
    token: str, level: str | int = "DEBUG", ttl_seconds: float | str = 600, *, clock: Clock = SYSTEM_CLOCK
) -> str:
    """Return a value for the request header ``X-Log-Level``, which makes a request louder.

    It is not bound to one request: whoever has it can use it until it ends. It cannot be taken back but by a new token
    of the console. Printable ASCII without blanks, commas and quotes, 200 bytes at most.

    Args:
        token: The console's token, as given to ``with_debug_route(token=…)``.
        level: The lowest level wanted, by name in any case or by number; default DEBUG. A level of your own must have
            been registered here, or be given by its number. Names that the receiving process does not know are refused
            there.
        ttl_seconds: How long it is good, by the wall clocks of both sides: seconds, or a text such as ``"10m"``; at
            most 24 hours. Default 600.
        clock: For tests.

    Raises:
        ConfigError: If one cannot be used. The token is not shown.
    """
    secret, wrong = (None, None) if token is None else attempt(Token, token)
    if isinstance(wrong, ConfigError):
        raise wrong.at(f"{_WHERE}(token)")
    if secret is None:
        raise ConfigError.hidden(f"{_WHERE}(token)", token, "the token that with_debug_route(token=…) was given")
    levels = _runtime.origin("root").queue.levels
    levelno = levels.number(level, f"{_WHERE}(level)")
    seconds = parse_duration(ttl_seconds, f"{_WHERE}(ttl_seconds)")
    if seconds > LONGEST_SECONDS:
        raise ConfigError.wrong(f"{_WHERE}(ttl_seconds)", ttl_seconds, "at most 24 hours")
    made = LevelTokens(secret, levels, clock).make(levelno, seconds)
    if len(made) > MAX_BYTES:
        raise ConfigError.wrong(f"{_WHERE}(level)", level, f"a name with which the value has {MAX_BYTES} bytes at most")
    return made
