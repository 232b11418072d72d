"""What can be chosen about the Redis sink; importing this imports no ``redis``."""

import re
from dataclasses import dataclass
from typing import Any, NamedTuple
from urllib.parse import SplitResult, unquote, urlsplit

from fapilog import checks
from fapilog.errors import ConfigError
from fapilog.units import parse_duration

_SCHEMES = ("redis", "rediss", "unix")
_DEFAULT_PORT = 6379
_DATABASE = re.compile(r"/?|/[0-9]{1,9}", re.ASCII)
_DATABASE_QUERY = re.compile(r"|db=[0-9]{1,9}", re.ASCII)
_URL = (
    'an address such as "redis://localhost:6379/0", "rediss://user:password@cache.example.com:6380" '
    'or "unix:///run/redis.sock?db=0"'
)


class Address(NamedTuple):
    """Where a Redis server is, taken from a URL.

    Attributes:
        shown: The URL without user name and password.
    """

    shown: str
    tls: bool
    host: str
    port: int
    path: str
    database: int
    username: str | None
    password: str | None


@dataclass(frozen=True, repr=False)
class RedisOptions:
    """A stream of a Redis server; see :class:`fapilog.sinks.redis.sink.RedisSink`.

    Attributes:
        url: The server: ``redis://host:port/db``, ``rediss://`` for TLS, or ``unix:///path?db=0``; required. A user
            name and a password may be in it, percent-encoded, and are never shown.
        key: The stream. Default ``"fapilog"``.
        max_length: About how many entries the stream keeps, the oldest leaving first; never fewer, a few more, because
            Redis removes whole nodes. Default 1 000 000; None never trims by length.
        max_age: About how long it keeps them, by the clock of this machine, at least a second; for a text such as
            ``"7d"`` see durations. Default None: as long as there is room.
        username: The ACL user, where the URL names none. Default None, Redis's ``default``.
        password: The password, where the URL has none; never shown. Default None.
        ca_file: A PEM file of the certificate authorities to trust instead of the system's, with ``rediss``. Default
            None.
        timeout: How long one batch may take, connecting included. Default ``"10s"``.
        name: The sink's name in routes, figures and diagnostics. Default ``"redis"``.
    """

    url: str
    key: str = "fapilog"
    max_length: int | None = 1_000_000
    max_age: float | str | None = None
    username: str | None = None
    password: str | None = None
    ca_file: str | None = None
    timeout: float | str = "10s"
    name: str = "redis"

    def __post_init__(self) -> None:
        """Check the values; whether the server is there is checked by ``open``.

        Raises:
            ConfigError: If one cannot be used.
        """
        address = address_of(self.url)
        checks.text(self.key, "add_redis(key)")
        _check_encodable(self.key, "add_redis(key)")
        if self.max_length is not None:
            checks.whole(self.max_length, "add_redis(max_length)", 1)
        if self.max_age is not None and parse_duration(self.max_age, "add_redis(max_age)") < 1:
            raise ConfigError.wrong("add_redis(max_age)", self.max_age, "None, or at least one second")
        for option, in_url in (("username", address.username), ("password", address.password)):
            value = getattr(self, option)
            if value is None:
                continue
            if not isinstance(value, str) or not value:
                raise ConfigError.hidden(f"add_redis({option})", value, "None, or a text that is not empty")
            if in_url is not None:
                raise ConfigError.hidden(f"add_redis({option})", value, "one in the URL or one here, not both")
            _check_encodable(value, f"add_redis({option})")
        if self.username is not None and self.password is None and address.password is None:
            raise ConfigError.wrong("add_redis(password)", None, "the password that belongs to the user name")
        if self.ca_file is not None:
            checks.text(self.ca_file, "add_redis(ca_file)")
            if not address.tls:
                raise ConfigError.wrong("add_redis(ca_file)", self.ca_file, "a file only together with rediss://")
        parse_duration(self.timeout, "add_redis(timeout)")
        checks.text(self.name, "add_redis(name)")

    def __repr__(self) -> str:
        """Show the options, without the secrets in them."""
        hidden = {"url": address_of(self.url).shown, "password": None if self.password is None else "***"}
        return f"RedisOptions({', '.join(f'{key}={hidden.get(key, value)!r}' for key, value in vars(self).items())})"


def address_of(url: Any) -> Address:
    """Take a URL apart.

    Raises:
        ConfigError: If it is none of a Redis server; the URL is not shown, for it may hold a password.
    """
    parts, port = _split(url)
    if parts is None or port == 0:
        raise ConfigError.hidden("add_redis(url)", url, _URL)
    if parts.scheme == "unix":
        usable = not parts.hostname and parts.path not in ("", "/") and bool(_DATABASE_QUERY.fullmatch(parts.query))
        shown, database = f"unix://{parts.path}", parts.query[3:]
    else:
        usable = bool(parts.hostname and _DATABASE.fullmatch(parts.path) and not parts.query)
        host = parts.hostname or ""
        database = parts.path[1:]
        shown = f"{parts.scheme}://{f'[{host}]' if ':' in host else host}:{port or _DEFAULT_PORT}/{database or 0}"
    if not usable:
        raise ConfigError.hidden("add_redis(url)", url, _URL)
    return Address(
        shown=shown,
        tls=parts.scheme == "rediss",
        host=parts.hostname or "",
        port=port or _DEFAULT_PORT,
        path=unquote(parts.path) if parts.scheme == "unix" else "",
        database=int(database or 0),
        username=unquote(parts.username) if parts.username else None,
        password=unquote(parts.password) if parts.password else None,
    )


def _split(url: Any) -> tuple[SplitResult | None, int | None]:
    if not isinstance(url, str) or not url.isprintable() or " " in url:
        return None, None
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return None, None
    return (parts if parts.scheme in _SCHEMES and not parts.fragment else None), port


def _check_encodable(value: str, where: str) -> None:
    try:
        value.encode()
    except UnicodeEncodeError:
        raise ConfigError.hidden(where, value, "a text that can be written as UTF-8") from None
