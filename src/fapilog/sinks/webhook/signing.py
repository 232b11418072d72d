"""Signatures of webhooks, made by the sender and checked by the receiver. Needs the standard library alone.

    webhook-id: 5f0c1de2a9b07c44-1207          the event's id; of a batch a hash; the same when it is sent again
    webhook-timestamp: 1763712000              when this attempt was signed, seconds since the epoch
    webhook-signature: v1,K5oZfz… v1,MDa2xs…   one for each active key, any of them will do

Each signature is the base64 of HMAC-SHA256 over ``id.timestamp.body``, the body as the bytes that were sent. A receiver
refuses what is older or newer than five minutes; within these it remembers the ids it has seen, or lets the same id do
the same thing twice, because a call whose answer got lost is made again.

The scheme is that of Standard Webhooks (https://www.standardwebhooks.com), version v1, so that its libraries can check
it; a secret that begins with ``whsec_`` is its base64 form of the key, any other text is the key itself, in UTF-8.
"""

import binascii
import hashlib
import hmac
import time
from base64 import b64decode, b64encode
from collections.abc import Mapping, Sequence

from fapilog.errors import FapilogError

ID_HEADER = "webhook-id"
TIMESTAMP_HEADER = "webhook-timestamp"
SIGNATURE_HEADER = "webhook-signature"
TOLERANCE_SECONDS = 300
SHORTEST_KEY = 16
_VERSION = "v1"
_PREFIX = "whsec_"
_LONGEST_HEADER = 4_096
_LONGEST_STAMP = 15


class SignatureError(FapilogError, ValueError):
    """Raised for a call that is not to be believed. The text says why, without any secret or signature."""


def key_of(secret: str) -> bytes:
    """Return the key that a secret stands for.

    Raises:
        ValueError: If it is not base64 after ``whsec_``, or the key has fewer than 16 bytes. It is not quoted.
    """
    if secret.startswith(_PREFIX):
        try:
            key = b64decode(secret.removeprefix(_PREFIX), validate=True)
        except (binascii.Error, ValueError):
            raise ValueError("no base64 after whsec_") from None
    else:
        key = secret.encode("utf-8", "surrogatepass")
    if len(key) < SHORTEST_KEY:
        raise ValueError(f"fewer than {SHORTEST_KEY} bytes")
    return key


def sign(message_id: str, timestamp: int, body: bytes, keys: Sequence[bytes]) -> dict[str, str]:
    """Return the three headers of a call.

    Args:
        message_id: Tells the call from others; the same when it is made again. Without a full stop.
        timestamp: The wall clock, whole seconds since the epoch.
        body: The bytes that are sent.
        keys: The active keys; one signature for each.
    """
    content = b"%s.%d.%s" % (message_id.encode(), timestamp, body)
    return {
        ID_HEADER: message_id,
        TIMESTAMP_HEADER: str(timestamp),
        SIGNATURE_HEADER: " ".join(f"{_VERSION},{_signature(content, key)}" for key in keys),
    }


def verify(
    body: bytes,
    headers: Mapping[str, str],
    secrets: str | Sequence[str],
    *,
    tolerance_seconds: float = TOLERANCE_SECONDS,
    now: float | None = None,
) -> str:
    """Check a call and return its id, by which a receiver knows a call that is made again.

    Compares in constant time.

    Args:
        body: The body as received: the bytes, not what was parsed and written again.
        headers: The request's headers; names in any case.
        secrets: The secret, or several while they are changed.
        tolerance_seconds: How far the timestamp may be from now, into the past and the future. Default 300.
        now: The wall clock, seconds since the epoch. Default the system's.

    Raises:
        SignatureError: If a header is missing or malformed, the timestamp too far away, or no signature fits.
        ValueError: If a secret cannot be used.
    """
    keys = [key_of(secret) for secret in ([secrets] if isinstance(secrets, str) else secrets)]
    message_id, stamp, signatures = (_header(headers, name) for name in _HEADERS)
    if not (stamp.isascii() and stamp.isdecimal() and len(stamp) <= _LONGEST_STAMP):
        raise SignatureError(f"{TIMESTAMP_HEADER} is not a number of seconds")
    if abs((time.time() if now is None else now) - int(stamp)) > tolerance_seconds:
        raise SignatureError(f"{TIMESTAMP_HEADER} is more than {tolerance_seconds:g} s away from now")
    if "." in message_id:
        # What is signed would be the same for another id, timestamp and body.
        raise SignatureError(f"{ID_HEADER} has a full stop in it")
    # The stamp as it was sent: what is signed is text, "007" is not "7".
    content = f"{message_id}.{stamp}.".encode() + body
    given = [text.removeprefix(f"{_VERSION},") for text in signatures.split() if text.startswith(f"{_VERSION},")]
    right = [_signature(content, key) for key in keys]
    # Every pair is compared, so that the time tells nothing about which of them fits.
    fits = [hmac.compare_digest(one.encode(), other.encode()) for one in given for other in right]
    if not any(fits):
        raise SignatureError(f"no {SIGNATURE_HEADER} fits the body, the id and the timestamp")
    return message_id


_HEADERS = (ID_HEADER, TIMESTAMP_HEADER, SIGNATURE_HEADER)


def _header(headers: Mapping[str, str], name: str) -> str:
    values = [value for key, value in headers.items() if key.lower() == name]
    value = values[0] if len(values) == 1 else ""
    if not value or len(value) > _LONGEST_HEADER or not value.isascii():
        raise SignatureError(f"{name} is missing, empty, repeated, too long or not ASCII")
    return value


def _signature(content: bytes, key: bytes) -> str:
    return b64encode(hmac.digest(key, content, hashlib.sha256)).decode("ascii")
