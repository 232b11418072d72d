"""Signed values that say until when they hold: ``<key's name>.<end>.<nonce>.<signature>``.

Neither a list of what was given out nor a store is needed to know one's own. The end is in seconds since the epoch, the
nonce 128 random bits, the signature an HMAC-SHA256 (RFC 2104), all in hexadecimal. A value is taken in the one spelling
in which it is made.
"""

import hmac
import re
import secrets
from typing import NamedTuple

from fapilog.clock import SYSTEM_CLOCK, Clock

_FORM = re.compile(rb"([0-9a-f]{8})\.(0|[1-9][0-9]{0,11})\.([0-9a-f]{32})\.([0-9a-f]{64})")
_NANOSECONDS = 1_000_000_000
_NONCE_BYTES = 16
_NAME_BYTES = 4


class Found(NamedTuple):
    """A value that is ours.

    Attributes:
        nonce: What tells it from all others.
        ends: Seconds since the epoch; 0 for never.
        expired: Whether that is over.
    """

    nonce: bytes
    ends: int
    expired: bool


class Signer:
    """Makes and knows the values of one key. Immutable; thread-safe, and the same in a forked child.

    Args:
        key: 256 bits.
        clock: Where the wall clock is read: a value may be made by one process and shown to another.
    """

    __slots__ = ("_clock", "_key", "_name")

    def __init__(self, key: bytes, clock: Clock = SYSTEM_CLOCK) -> None:
        """Name the key, so that values of another can be told from forged ones."""
        self._key = key
        self._clock = clock
        self._name = hmac.digest(key, b"name", "sha256")[:_NAME_BYTES].hex().encode("ascii")

    def now(self) -> int:
        """Return the wall clock in seconds since the epoch."""
        return self._clock.time_ns() // _NANOSECONDS

    def make(self, seconds: float | None) -> str:
        """Return a new value that holds for so many seconds, rounded up to the next; None for always."""
        ends = 0 if seconds is None else -(-(self._clock.time_ns() + int(seconds * _NANOSECONDS)) // _NANOSECONDS)
        said = b"%b.%d.%b" % (self._name, ends, secrets.token_hex(_NONCE_BYTES).encode("ascii"))
        return (said + b"." + self._signature(said)).decode("ascii")

    def find(self, value: bytes) -> Found | None:
        """Return what a value says, or None if it is not ours. The time it takes tells nothing about the signature."""
        match = _FORM.fullmatch(value)
        if match is None:
            return None
        _, ends, nonce, signature = match.groups()
        if not hmac.compare_digest(signature, self._signature(value[: -len(signature) - 1])):
            return None
        return Found(nonce, int(ends), bool(int(ends)) and self.now() >= int(ends))

    def is_of_this_key(self, value: bytes) -> bool:
        """Tell whether a value names this key: one that does and is not ours was forged, not left over."""
        return value.startswith(self._name + b".")

    def _signature(self, said: bytes) -> bytes:
        return hmac.digest(self._key, said, "sha256").hex().encode("ascii")
