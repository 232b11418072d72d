"""What can be chosen about an application's edge: requests, the debug route, records of ``logging``.

Values only, without any import of the edges themselves: ``config/`` reads them from the environment, ``asgi/`` and the
hosts act on them.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network
from urllib.parse import urlsplit

from fapilog import checks
from fapilog.errors import ConfigError
from fapilog.units import parse_size

DEBUG_PATH = "/debug/logging"
Network = IPv4Network | IPv6Network
_HEADER = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
# Of unreserved characters (RFC 3986), which nobody on the way spells in two ways; dot segments never get here.
_PATH = re.compile(r"(/(?!\.{1,2}(/|$))[A-Za-z0-9._~-]+)+")
_PLAIN_PATH = f'a path such as "{DEBUG_PATH}", of letters, digits and - . _ ~ between slashes, none at the end'
_LEVEL = "a level's name or number"
_LEAST_KEPT = 100_000
_HOST = re.compile(r"[a-z0-9_-]+(\.[a-z0-9_-]+)*")
_PLACE = "{trace_id}"
_TRACE_URL = f'an http or https link without a password, such as "https://jaeger.internal/trace/{_PLACE}"'


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
        flush_each_request: Let a request end only when its events are with the sinks, two seconds at most: for
            platforms that freeze the process between requests. The answer has been sent by then. Default False.
    """

    request_id: bool = True
    request_id_header: str = "X-Request-ID"
    accept_request_id: bool = True
    access_log: bool = True
    skip_paths: Sequence[str] = ()
    include_headers: Sequence[str] = ()
    sample_rate: float = 1.0
    trusted_proxies: Sequence[str] = ()
    level: str | int = "INFO"
    error_level: str | int = "ERROR"
    flush_each_request: bool = False

    def __post_init__(self) -> None:
        """Check the values and keep the lists as tuples.

        Raises:
            ConfigError: If one cannot be used.
        """
        for name, where in (
            ("include_headers", "include_headers(*names)"),
            ("trusted_proxies", "with_trusted_proxies(*networks)"),
        ):
            object.__setattr__(self, name, checks.texts(getattr(self, name), where))
        object.__setattr__(self, "skip_paths", checks.paths(self.skip_paths, "skip_paths(*paths)"))
        checks.flag(self.request_id, "with_request_id(enabled)")
        checks.flag(self.accept_request_id, "with_request_id(accept)")
        checks.flag(self.access_log, "with_access_log(enabled)")
        checks.flag(self.flush_each_request, "flush_each_request(enabled)")
        _check_headers("with_request_id(header)", (self.request_id_header,))
        _check_headers("include_headers(*names)", self.include_headers)
        checks.share(self.sample_rate, "sample_rate(rate)")
        networks(self.trusted_proxies)
        _check_level(self.level, "with_access_log(level)")
        _check_level(self.error_level, "with_access_log(error_level)")


@dataclass(frozen=True)
class DebugRouteOptions:
    """The console of the running process: where it stands, who may read it, and how much it keeps.

    Attributes:
        path: Where it stands, below the application's root path. Default ``/debug/logging``.
        token: What a reader has to show, printable ASCII; never shown in a ``repr`` or an error. Default: one is
            generated and printed to standard error when the application starts.
        hosts: Names by which it may be asked for on this machine beside ``localhost`` and ``127.0.0.1``: that of a
            proxy that passes on the ``Host`` of its clients. Without a port. Default none.
        keep: How much of the latest events is kept in memory to be looked at. Default 8 MB, at least 100 KB.
        max_tails: How many may watch events arrive at a time. Default 8; 0 for none.
        spans: How many ended spans are kept to be looked at, where OpenTelemetry's SDK is. Default 2 000; 0 for none.
        trace_url: Where a trace can be looked at, ``http`` or ``https``, with ``{trace_id}`` in its path, query or
            fragment: ``"https://jaeger.internal/trace/{trace_id}"``. Default none.
    """

    path: str = DEBUG_PATH
    token: str | None = field(default=None, repr=False)
    hosts: Sequence[str] = ()
    keep: int | str = "8 MB"
    max_tails: int = 8
    spans: int = 2_000
    trace_url: str | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        """Check the values and keep the hosts as a tuple, in lower case.

        Raises:
            ConfigError: If one cannot be used.
        """
        path = self.path
        if not isinstance(path, str):
            raise ConfigError.hidden("with_debug_route(path)", path, _PLAIN_PATH)
        if not _PATH.fullmatch(path):
            raise ConfigError.wrong("with_debug_route(path)", path, _PLAIN_PATH)
        check_token(self.token)
        hosts = checks.texts(self.hosts, "with_debug_route(hosts)")
        object.__setattr__(self, "hosts", tuple(_host(host) for host in hosts))
        if self.keep_bytes < _LEAST_KEPT:
            raise ConfigError.wrong("with_debug_route(keep)", self.keep, 'a size of at least "100 KB"')
        checks.whole(self.max_tails, "with_debug_route(max_tails)", 0)
        checks.whole(self.spans, "with_debug_route(spans)", 0)
        if self.trace_url is not None and not _is_template(self.trace_url):
            # A link may have credentials in it, so it is not repeated.
            raise ConfigError.hidden("with_debug_route(trace_url)", self.trace_url, _TRACE_URL)

    @property
    def keep_bytes(self) -> int:
        """``keep`` as a number."""
        return parse_size(self.keep, "with_debug_route(keep)")


@dataclass(frozen=True)
class StdlibOptions:
    """Which records of ``logging`` go through fapilog while the application runs.

    Attributes:
        level: What is taken, by name or number. Default INFO; None takes what the loggers' own levels let through.
        loggers: Names of loggers. Default ``root``, which stands for all.
        source: Add the place of each call. Default False.
    """

    level: str | int | None = "INFO"
    loggers: Sequence[str] = ("root",)
    source: bool = False

    def __post_init__(self) -> None:
        """Check the values and keep the names as a tuple.

        Raises:
            ConfigError: If one cannot be used.
        """
        if self.level is not None:
            _check_level(self.level, "capture_stdlib(level)")
        names = (self.loggers,) if isinstance(self.loggers, str) else self.loggers
        object.__setattr__(self, "loggers", checks.texts(names, "capture_stdlib(loggers)"))
        checks.flag(self.source, "capture_stdlib(source)")


def check_token(token: object) -> None:
    """Refuse a token that is empty, blank, or not printable ASCII without blanks; the error does not show it.

    Raises:
        ConfigError: If it is one of these.
    """
    if token is not None and not (isinstance(token, str) and token and all("!" <= c <= "~" for c in token)):
        # What was given may be a secret with a stray newline, so it is not repeated.
        given = "an empty string" if token == "" else f"a {type(token).__name__} of another form"
        raise ConfigError(
            f"{given} cannot be used; allowed: None for a generated token, or printable ASCII without blanks."
        ).at("with_debug_route(token)")


def _host(host: str) -> str:
    """Return a host as it is compared: a name in lower case, or an address without brackets.

    Raises:
        ConfigError: If it is neither; one with a scheme, a port or a wildcard is not.
    """
    name = host.lower()
    bare = name[1:-1] if name.startswith("[") and name.endswith("]") else name
    try:
        return str(ip_address(bare))
    except ValueError:
        if _HOST.fullmatch(name):
            return name
    allowed = 'names or addresses without scheme, port or wildcard, such as "logs.internal"'
    raise ConfigError.wrong("with_debug_route(hosts)", host, allowed)


def _is_template(url: object) -> bool:
    """Tell whether a link can be opened once the trace id is in its place."""
    if not isinstance(url, str) or url.count(_PLACE) != 1 or not all("!" <= c <= "~" for c in url):
        return False
    plain = url.replace(_PLACE, "")
    try:
        parts = urlsplit(plain)
        host, _ = parts.hostname, parts.port
    except ValueError:
        return False
    usable = parts.scheme in {"http", "https"} and bool(host) and "@" not in parts.netloc
    return usable and _PLACE not in url.partition("//")[2].partition("/")[0] and not set('{}<>"\\^`|') & set(plain)


def networks(proxies: Iterable[str]) -> tuple[Network, ...]:
    """Return addresses and networks as those of :mod:`ipaddress`.

    Raises:
        ConfigError: If one is neither.
    """
    return tuple(_network(proxy) for proxy in proxies)


def _network(proxy: str) -> Network:
    try:
        return ip_network(proxy)
    except ValueError:
        allowed = 'an address or network such as "10.0.0.1" or "10.0.0.0/8"'
        raise ConfigError.wrong("with_trusted_proxies(*networks)", proxy, allowed) from None


def _check_headers(where: str, names: Iterable[str]) -> None:
    for name in names:
        checks.text(name, where)
        if not _HEADER.fullmatch(name):
            raise ConfigError.wrong(where, name, "a header's name: letters, digits and hyphens (RFC 9110)")


def _check_level(level: object, where: str) -> None:
    """Check the type; which names there are only the process's table knows."""
    if isinstance(level, bool) or not isinstance(level, str | int):
        raise ConfigError.wrong(where, level, _LEVEL)
