"""What the ASGI edge does with a request: its options, and which completion events are worth emitting."""

import random
import re
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from ipaddress import IPv4Network, IPv6Network, ip_network

from fapilog.errors import ConfigError

Network = IPv4Network | IPv6Network
SKIPPED = "skip_paths"
SAMPLED_OUT = "sample_rate"
_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")


@dataclass(frozen=True)
class AsgiOptions:
    """What the middleware does for each request. Immutable; checked when it is made.

    Attributes:
        request_id: Give each request an id, bind it and answer it in a header. Default True.
        request_id_header: The header's name, in requests and answers. Default ``X-Request-ID``.
        accept_request_id: Take a client's id if it is sane. Default True. If False the id is always our own, and the
            client's is on the completion event as ``client_request_id``.
        access_log: Emit completion events. Default True. Off means none at all, failures included: the server's own
            lines tell those.
        skip_paths: Paths whose requests give no completion event unless they fail: exact, or a prefix ended by
            ``*`` (``"/static/*"``). With or without the application's root path.
        include_headers: Names of request headers to put on the completion event, as ``request_headers``. Of one that
            holds credentials (``Authorization``, ``Cookie``, …) only the mask is written.
        sample_rate: The share of successes whose completion event is emitted, 0 to 1. Default 1. Client errors,
            failures, and requests whose client left are always emitted.
        trusted_proxies: Addresses and networks (``"10.0.0.0/8"``) whose ``X-Forwarded-For`` is believed. Default
            none: the client is whoever connected to the server.
        level: The level of ``request_completed`` below status 500. Default INFO.
        error_level: Its level from 500 on. Default ERROR. ``request_failed`` is always ERROR.
    """

    request_id: bool = True
    request_id_header: str = "X-Request-ID"
    accept_request_id: bool = True
    access_log: bool = True
    skip_paths: Iterable[str] = ()
    include_headers: Iterable[str] = ()
    sample_rate: float = 1.0
    trusted_proxies: Iterable[str] = ()
    level: str | int = "INFO"
    error_level: str | int = "ERROR"

    def __post_init__(self) -> None:
        """Check the values and keep the lists as tuples.

        Raises:
            ConfigError: If one cannot be used.
        """
        for name in ("skip_paths", "include_headers", "trusted_proxies"):
            object.__setattr__(self, name, _texts(name, getattr(self, name)))
        for name in ("request_id", "accept_request_id", "access_log"):
            if not isinstance(getattr(self, name), bool):
                raise ConfigError.wrong(name, getattr(self, name), "True or False")
        for header in (self.request_id_header, *self.include_headers):
            if not (isinstance(header, str) and _TOKEN.fullmatch(header)):
                raise ConfigError.wrong("a header name", header, "letters, digits and hyphens (RFC 9110)")
        for path in self.skip_paths:
            if not path.startswith(("/", "*")):
                raise ConfigError.wrong("skip_paths", path, 'a path such as "/health" or a prefix such as "/static/*"')
        rate = self.sample_rate
        if isinstance(rate, bool) or not isinstance(rate, int | float) or not 0 <= rate <= 1:
            raise ConfigError.wrong("sample_rate", rate, "a number from 0 to 1")
        for proxy in self.trusted_proxies:
            _network(proxy)


class Rules:
    """Decides which completion events are emitted. What is held back is counted in ``withheld``.

    For one event loop: the counts are not locked.

    Args:
        options: Where the rules are taken from.
        chance: Returns a number from 0 up to 1; the dice of the sampling.
    """

    def __init__(self, options: AsgiOptions, chance: Callable[[], float] = random.random) -> None:
        """Sort the paths into exact ones and prefixes."""
        paths = tuple(options.skip_paths)
        self._exact = frozenset(path for path in paths if not path.endswith("*"))
        self._prefixes = tuple(path[:-1] for path in paths if path.endswith("*"))
        self._has_paths = bool(paths)
        self._rate = options.sample_rate
        self._chance = chance
        self.withheld: Counter[str] = Counter()

    def emits(self, path: str, root_path: str, *, success: bool) -> bool:
        """Tell whether a request that did not fail gives its completion event.

        Args:
            path: The decoded path, root path included.
            root_path: What the server says the application stands under.
            success: Whether the answer was below 400 and went out whole.
        """
        if self._has_paths and self._skips(path, root_path):
            self.withheld[SKIPPED] += 1
            return False
        if success and self._rate < 1 and self._chance() >= self._rate:
            self.withheld[SAMPLED_OUT] += 1
            return False
        return True

    def _skips(self, path: str, root_path: str) -> bool:
        if path in self._exact or (self._prefixes and path.startswith(self._prefixes)):
            return True
        root = root_path.rstrip("/")
        return bool(root) and path.startswith(root + "/") and self._skips(path[len(root) :], "")


def networks(options: AsgiOptions) -> tuple[Network, ...]:
    """Return the trusted proxies as networks of :mod:`ipaddress`."""
    return tuple(_network(proxy) for proxy in options.trusted_proxies)


def _network(proxy: str) -> Network:
    try:
        return ip_network(proxy)
    except ValueError:
        raise ConfigError.wrong(
            "trusted_proxies", proxy, 'an address or network such as "10.0.0.1" or "10.0.0.0/8"'
        ) from None


def _texts(name: str, values: Iterable[str]) -> tuple[str, ...]:
    if isinstance(values, str) or not isinstance(values, Iterable):
        raise ConfigError.wrong(name, values, "a list of texts, not one text")
    found = tuple(values)
    for value in found:
        if not isinstance(value, str) or not value:
            raise ConfigError.wrong(name, value, "texts that are not empty")
    return found
