"""What can be chosen about a sink that sends batches to a URL."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from fapilog import checks
from fapilog.errors import ConfigError
from fapilog.sinks.http.endpoint import (
    COMPRESSIONS,
    authorization,
    check_headers,
    check_protected,
    check_tls,
    endpoint_of,
    login_of,
)
from fapilog.sinks.http.showing import show_options
from fapilog.units import parse_duration

METHODS = ("POST", "PUT")
FORMATS = ("jsonl", "array")
_SECRETS = frozenset({"bearer", "username", "password"})
_RESERVED = frozenset({"idempotency-key"})


@dataclass(frozen=True, repr=False)
class HttpOptions:
    """A receiver of batches over HTTP; see :class:`fapilog.sinks.http.sink.HttpSink`. Immutable; checked when made.

    Attributes:
        url: Where batches are sent, ``http`` or ``https``. A user name and password in it are sent as basic
            authentication. Only scheme, host and port are ever shown.
        method: ``"POST"`` (default) or ``"PUT"``.
        format: ``"jsonl"`` (default): a JSON object a line, ``application/x-ndjson``; ``"array"``: one JSON array,
            ``application/json``.
        compression: ``"none"`` (default), ``"gzip"`` or ``"zstd"``, told in ``Content-Encoding``.
        headers: More headers, by name. Default none. A ``Content-Type`` replaces that of the format. Values are never
            shown.
        bearer: A token, sent as ``Authorization: Bearer``. Default none.
        username: For basic authentication. Default none.
        password: For basic authentication. Default none.
        ca_file: A PEM file of the certificate authorities to trust instead of the system's. Default the system's.
        verify: Check the receiver's certificate and host name. Default True; False lets anyone on the way read and
            change everything.
        client_cert: A PEM file with the client's certificate. Default none.
        client_key: A PEM file with its key. Default: it is in ``client_cert``.
        timeout: The longest that a request may take, all in all. Default ``"10s"``.
        allow_insecure: Let credentials go over plain http to another machine. Default False.
        name: The sink's name in routes, figures and diagnostics. Default ``"http"``.
    """

    url: str
    method: Literal["POST", "PUT"] = "POST"
    format: Literal["jsonl", "array"] = "jsonl"
    compression: Literal["none", "gzip", "zstd"] = "none"
    headers: Mapping[str, str] = field(default_factory=dict)
    bearer: str | None = None
    username: str | None = None
    password: str | None = None
    ca_file: str | None = None
    verify: bool = True
    client_cert: str | None = None
    client_key: str | None = None
    timeout: float | str = "10s"
    allow_insecure: bool = False
    name: str = "http"

    def __post_init__(self) -> None:
        """Check the values; the files are read when the sink is opened.

        Raises:
            ConfigError: If one cannot be used.
        """
        endpoint = endpoint_of(self.url, "add_http(url)")
        for option, allowed in (("method", METHODS), ("format", FORMATS), ("compression", COMPRESSIONS)):
            if getattr(self, option) not in allowed:
                raise ConfigError.unknown(f"add_http({option})", getattr(self, option), allowed)
        headers = check_headers(self.headers, "add_http(headers)", _RESERVED)
        object.__setattr__(self, "headers", headers)
        login = authorization(endpoint, headers, self.auth, self.bearer, "add_http")
        checks.flag(self.allow_insecure, "add_http(allow_insecure)")
        check_protected(endpoint, headers, login, "add_http", allow_insecure=self.allow_insecure)
        tls = {name: getattr(self, name) for name in ("ca_file", "verify", "client_cert", "client_key")}
        check_tls("add_http", **tls)
        parse_duration(self.timeout, "add_http(timeout)")
        checks.text(self.name, "add_http(name)")

    def __repr__(self) -> str:
        """Show what differs from the defaults, no secrets, and of the URL only where it leads."""
        return show_options(self, _SECRETS)

    @property
    def auth(self) -> tuple[str, str] | None:
        """``username`` and ``password``, or None.

        Raises:
            ConfigError: If one of them cannot be used, or there is a password without a user name.
        """
        return login_of(self.username, self.password, "add_http")
