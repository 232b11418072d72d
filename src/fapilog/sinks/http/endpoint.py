"""Checks of URLs, headers and credentials. What is wrong is said without showing it: any of these may be a secret."""

import re
from base64 import b64encode
from collections.abc import Mapping
from ipaddress import ip_address
from typing import Any, NamedTuple
from urllib.parse import SplitResult, unquote, urlsplit

from fapilog import checks
from fapilog.errors import ConfigError

COMPRESSIONS = ("none", "gzip", "zstd")
_URL = 'an http or https URL such as "https://logs.example.com/ingest", without a fragment'
_HEADERS = "texts by name: names of letters, digits and hyphens, values of printable ASCII on one line"
_CREDENTIAL = "a text of printable ASCII on one line that is not empty"
_BASIC = "a user name without a colon, and a password, both without control characters"
_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_VALUE = re.compile(r"[\x21-\x7e](?:[\x20-\x7e]*[\x21-\x7e])?")
_NO_URL = re.compile(r"[\x00-\x20\x7f\\]")
_SECRET_NAME = re.compile(r"auth|cookie|credential|key|pass|secret|signature|token", re.IGNORECASE)
_FRAMING = frozenset({
    "accept-encoding", "connection", "content-encoding", "content-length", "expect", "host", "keep-alive", "te",
    "trailer", "transfer-encoding", "upgrade",
})  # fmt: skip


class Endpoint(NamedTuple):
    """A URL taken apart.

    Attributes:
        url: The URL without user name and password.
        auth: User name and password out of the URL, percent-decoded, or None.
        shown: Scheme, host and port: what errors and health may say. Paths and queries are often secrets themselves.
        protected: Whether nobody on the way can read what is sent: TLS, or this machine.
    """

    url: str
    auth: tuple[str, str] | None
    shown: str
    protected: bool


def endpoint_of(url: Any, where: str) -> Endpoint:
    """Return a checked URL taken apart.

    Raises:
        ConfigError: If it is no http or https URL.
    """
    if not isinstance(url, str) or _NO_URL.search(url):
        raise ConfigError.hidden(where, url, _URL)
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError:
        # What urlsplit says quotes the URL.
        raise ConfigError.hidden(where, url, _URL) from None
    if parts.scheme not in ("http", "https") or not host or port == 0 or "#" in url:
        raise ConfigError.hidden(where, url, _URL)
    auth = None if parts.username is None else (unquote(parts.username), unquote(parts.password or ""))
    if auth is not None:
        check_basic(auth, where)
    shown = f"{parts.scheme}://{_bracketed(host)}{'' if port is None else f':{port}'}"
    return Endpoint(_plain(parts), auth, shown, parts.scheme == "https" or _is_local(host))


def check_headers(headers: Any, where: str, reserved: frozenset[str] = frozenset()) -> dict[str, str]:
    """Return headers as a dict.

    Args:
        headers: A mapping of names to values.
        where: The method and parameter, for the error.
        reserved: Names in lower case that the sink itself sets, beside those that frame a message.

    Raises:
        ConfigError: If one cannot be sent, or is not the user's to set. Values are not shown.
    """
    if not isinstance(headers, Mapping):
        raise ConfigError.hidden(where, headers, _HEADERS)
    for name, value in headers.items():
        if not isinstance(name, str) or not _NAME.fullmatch(name):
            raise ConfigError.hidden(where, name, _HEADERS)
        if name.lower() in _FRAMING | reserved:
            raise ConfigError.wrong(where, name, "headers that neither frame the message nor are set by the sink")
        if not isinstance(value, str) or not _VALUE.fullmatch(value):
            raise ConfigError.hidden(f"{where}[{name!r}]", value, _HEADERS)
    if len({name.lower() for name in headers}) < len(headers):
        raise ConfigError.wrong(where, sorted(headers), "each header once")
    return dict(headers)


def check_bearer(bearer: Any, where: str) -> None:
    """Refuse a token that no header can carry.

    Raises:
        ConfigError: If it is one. It is not shown.
    """
    if not isinstance(bearer, str) or not _VALUE.fullmatch(bearer):
        raise ConfigError.hidden(where, bearer, _CREDENTIAL)


def check_basic(auth: Any, where: str) -> None:
    """Refuse user names and passwords that basic authentication (RFC 7617) cannot carry.

    Raises:
        ConfigError: If they are such. They are not shown.
    """
    fine = isinstance(auth, tuple) and len(auth) == 2 and all(isinstance(text, str) for text in auth)  # noqa: PLR2004
    if not fine or not auth[0] or ":" in auth[0] or not all(text.isprintable() for text in auth):
        raise ConfigError.hidden(where, auth, _BASIC)


def login_of(username: Any, password: Any, where: str) -> tuple[str, str] | None:
    """Return a user name and its password, which may be left out; None if there is neither.

    Args:
        username: The option of that name.
        password: The option of that name.
        where: The builder's method, for the error.

    Raises:
        ConfigError: If basic authentication cannot carry one, or there is only a password. Neither is shown.
    """
    if username is not None:
        _check_login_text(username, f"{where}(username)", usable=username != "" and ":" not in str(username))
    if password is not None:
        _check_login_text(password, f"{where}(password)", usable=True)
        if username is None:
            raise ConfigError.wrong(f"{where}(username)", None, "the user name that belongs to the password")
    return None if username is None else (username, password or "")


def _check_login_text(text: Any, where: str, *, usable: bool) -> None:
    if not isinstance(text, str) or not text.isprintable() or not usable:
        raise ConfigError.hidden(where, text, _BASIC)


def authorization(
    endpoint: Endpoint, headers: Mapping[str, str], auth: tuple[str, str] | None, bearer: str | None, where: str
) -> str | None:
    """Return the value of ``Authorization``, or None if there is none or it is among the headers.

    Raises:
        ConfigError: If one cannot be sent, or there is more than one.
    """
    if bearer is not None:
        check_bearer(bearer, f"{where}(bearer)")
    if auth is not None:
        check_basic(auth, f"{where}(username)")
    own = any(name.lower() == "authorization" for name in headers)
    if sum((bearer is not None, auth is not None, endpoint.auth is not None, own)) > 1:
        allowed = "one way to log in: bearer, username and password, those of the URL, or an Authorization header"
        raise ConfigError.hidden(f"{where}(bearer)", None if bearer is None else "", allowed)
    if bearer is not None:
        return f"Bearer {bearer}"
    pair = auth or endpoint.auth
    return None if pair is None else f"Basic {b64encode(':'.join(pair).encode()).decode('ascii')}"


def check_protected(
    endpoint: Endpoint, headers: Mapping[str, str], login: str | None, where: str, *, allow_insecure: bool
) -> None:
    """Refuse to send credentials where everyone on the way can read them.

    Raises:
        ConfigError: If a login, or a header that is named like one, would go over plain http to another machine.
    """
    secret = login is not None or any(_SECRET_NAME.search(name) for name in headers)
    if secret and not endpoint.protected and not allow_insecure:
        allowed = "an https URL where credentials are sent, or allow_insecure=True"
        raise ConfigError.hidden(f"{where}(url)", endpoint.url, allowed)


def check_tls(where: str, *, ca_file: Any, client_cert: Any, client_key: Any, verify: Any) -> None:
    """Check the types of the TLS options; the files are read when the sink is opened.

    Raises:
        ConfigError: If one cannot be used.
    """
    checks.flag(verify, f"{where}(verify)")
    for name, value in (("ca_file", ca_file), ("client_cert", client_cert), ("client_key", client_key)):
        if value is not None and (not isinstance(value, str) or not value or "\0" in value):
            raise ConfigError.hidden(f"{where}({name})", value, "the path of a PEM file")
    if client_key is not None and client_cert is None:
        raise ConfigError.wrong(f"{where}(client_cert)", None, "the certificate that belongs to client_key")


def _plain(parts: SplitResult) -> str:
    return parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl()


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host else host


def _is_local(host: str) -> bool:
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False
