"""What a client sends in headers, and how much of it is believed.

    scope["headers"] ──one loop──► {name: value} of the few names wanted ──► request id, trace ids, user agent, …

A header that came several times is one value joined by commas (RFC 9110, section 5.3); neither a request id nor a
``traceparent`` may hold a comma, so a repeated one is refused like any other malformed one.
"""

import os
import random
import re
from collections.abc import Iterable, Mapping
from ipaddress import ip_address
from typing import Any

from fapilog.coerce import MASK, cut_text
from fapilog.edge_options import AsgiOptions, networks
from fapilog.redaction import CREDENTIALS
from fapilog.redaction.names import MASKED, NameRules

MAX_TEXT = 1_024
MAX_HOPS = 20
USER_AGENT = b"user-agent"
TRACEPARENT = b"traceparent"
FORWARDED_FOR = b"x-forwarded-for"
LEVEL_HEADER = b"x-log-level"
"""Signed: whoever sees it can use it; see :mod:`fapilog.asgi.debug.level_tokens`."""
_CREDENTIALS = NameRules(mask=CREDENTIALS.fields, allow=CREDENTIALS.harmless)
_SECRET_WORDS = ("token", "secret", "password", "passwd", "credential", "apikey", "api-key", "session", "cookie", "jwt")

# Dots alone are no name in a URL, such as that of the console's page about the request.
_REQUEST_ID = re.compile(rb"(?!\.+\Z)[A-Za-z0-9._-]{1,128}")
_TRACEPARENT = re.compile(rb"([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?", re.DOTALL)
_NO_TRACE = b"0" * 32
_NO_SPAN = b"0" * 16

Headers = Iterable[tuple[bytes, bytes]]


class Ids:
    """Makes request ids: 32 hexadecimal digits, unique, not secret.

    They come from a generator seeded by the operating system, because asking the system each time lets go of the GIL,
    and getting it back can take 5 ms beside a busy thread. A forked child seeds its own. Thread-safe.
    """

    def __init__(self) -> None:
        """Seed from the operating system."""
        self._random = random.Random()  # noqa: S311 - ids are not secret
        self._pid = os.getpid()

    def new(self) -> str:
        """Return the next id."""
        if os.getpid() != self._pid:
            self._random = random.Random()  # noqa: S311
            self._pid = os.getpid()
        return f"{self._random.getrandbits(128):032x}"


class HeaderReader:
    """Reads the headers of requests as the options say. Immutable but for the ids' generator; thread-safe.

    Args:
        options: Which headers are wanted.
    """

    def __init__(self, options: AsgiOptions) -> None:
        """Work the names out once."""
        self.id_name = options.request_id_header.lower().encode("ascii") if options.request_id else b""
        self.accepts_id = options.accept_request_id
        self.ids = Ids()
        shown = sorted({name.lower() for name in options.include_headers})
        self._shown = tuple((name.encode("ascii"), name, is_credential(name)) for name in shown)
        self._proxies = networks(options.trusted_proxies)
        self.shows = bool(self._shown)
        self.trusts_proxies = bool(self._proxies)
        wanted = {USER_AGENT, TRACEPARENT, LEVEL_HEADER, *(name for name, _, _ in self._shown)}
        wanted |= {self.id_name} if self.id_name else set()
        wanted |= {FORWARDED_FOR} if self._proxies else set()
        self._wanted = frozenset(wanted)

    def read(self, headers: Headers) -> dict[bytes, bytes]:
        """Return the wanted headers, repeated ones joined."""
        wanted = self._wanted
        found: dict[bytes, bytes] = {}
        for name, value in headers:
            if name in wanted:
                found[name] = found[name] + b", " + value if name in found else value
        return found

    def shown(self, found: Mapping[bytes, bytes]) -> dict[str, str]:
        """Return the headers that the options ask for, as text; the mask for those that hold credentials."""
        return {name: MASK if secret else text(found[key]) for key, name, secret in self._shown if key in found}

    def client(self, peer: str, found: Mapping[bytes, bytes]) -> str:
        """Return the client's address: the peer, or what trusted proxies say who was before them.

        Read from the right, each trusted hop vouches for the one before it; at most 20 hops. The first address that
        is not a trusted proxy is the client. Something that is no address ends the walk at the last hop that was one.
        """
        client = peer
        for hop in reversed(text(found.get(FORWARDED_FOR, b""), 8 * MAX_TEXT, keep_end=True).split(",")[-MAX_HOPS:]):
            if not self._trusts(client):
                break
            address = _address(hop.strip())
            if address is None:
                break
            client = address
        return client

    def _trusts(self, address: str) -> bool:
        parsed = ip_address(address) if _address(address) else None
        return parsed is not None and any(parsed in network for network in self._proxies)


def is_credential(name: str) -> bool:
    """Tell whether a header of this lower-case name holds a secret: to redaction, or by a word in its name."""
    return (
        _CREDENTIALS.verdict(name) == MASKED
        or any(word in name for word in _SECRET_WORDS)
        or name.endswith(("-auth", "-key"))
        or name == LEVEL_HEADER.decode()
    )


def request_id_of(value: bytes | None) -> str | None:
    """Return a client's request id if it is sane: 1 to 128 ASCII letters, digits, dots, underscores, hyphens.

    Everything else is refused whole: nothing of it is kept, shown or answered.
    """
    if value is None or _REQUEST_ID.fullmatch(value) is None:
        return None
    return value.decode("ascii")


def trace_ids_of(value: bytes | None) -> dict[str, str]:
    """Return the ids of a ``traceparent`` header, or nothing if it is not valid.

    W3C Trace Context, section 3.2: lower-case hexadecimal, version ``ff`` and all-zero ids are invalid, version 00
    has nothing after the flags, a higher one may have more after a hyphen. ``span_id`` is that of the caller's span.
    """
    match = None if value is None else _TRACEPARENT.fullmatch(value)
    if match is None:
        return {}
    version, trace, span, flags, more = match.groups()
    if version == b"ff" or trace == _NO_TRACE or span == _NO_SPAN or (version == b"00" and more is not None):
        return {}
    return {"trace_id": trace.decode(), "span_id": span.decode(), "trace_flags": flags.decode()}


def text(value: bytes, limit: int = MAX_TEXT, *, keep_end: bool = False) -> str:
    """Return a header's value as text, bounded; ``keep_end`` keeps the last part of a long one instead."""
    if keep_end:
        return value[-limit:].decode("latin-1")
    return cut_text(value.decode("latin-1"), limit) if len(value) > limit else value.decode("latin-1")


def with_header(message: Mapping[str, Any], name: bytes, value: str) -> dict[str, Any]:
    """Return a copy of a start message that has this header exactly once. The application's own lists are not touched.

    If the application had set it, ours replaces it: the answer names the id under which the events can be found.
    """
    size = len(name)
    headers = [each for each in message.get("headers", ()) if len(each[0]) != size or each[0].lower() != name]
    headers.append((name, value.encode("latin-1")))
    return {**message, "headers": headers}


def _address(hop: str) -> str | None:
    """Return the address in one hop: bare, with a port, or an IPv6 one in brackets; None if it is none."""
    if hop.startswith("["):
        hop = hop[1:].partition("]")[0]
    elif hop.count(":") == 1:
        hop = hop.partition(":")[0]
    try:
        return str(ip_address(hop))
    except ValueError:
        return None
