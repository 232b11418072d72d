"""Where the sink sends and how: the options, and the variables of OpenTelemetry for what they leave open.

The variables are those of the specification "OpenTelemetry Protocol Exporter" 1.55, ``OTEL_EXPORTER_OTLP_LOGS_X``
before ``OTEL_EXPORTER_OTLP_X``; an empty one counts as not set. ``…_TIMEOUT`` is in milliseconds there and in seconds
in OpenTelemetry's Python packages: numbers below 1000 are taken as seconds, others as milliseconds.
"""

import re
from collections.abc import Mapping
from typing import NamedTuple
from urllib.parse import unquote

from fapilog.errors import ConfigError
from fapilog.sinks.http.endpoint import authorization, check_headers, check_protected, endpoint_of
from fapilog.sinks.otlp.options import (
    COMPRESSIONS,
    PROTOCOLS,
    RESERVED_HEADERS,
    OtlpOptions,
    check_endpoint,
    one_of,
    with_scheme,
)
from fapilog.units import parse_duration

PREFIX = "OTEL_EXPORTER_OTLP_"
SIGNAL = "LOGS_"
LOGS_PATH = "/v1/logs"
_WHERE = "add_otlp"
_DEFAULTS = {"http/protobuf": "http://localhost:4318/v1/logs", "grpc": "http://localhost:4317"}
_TIMEOUT_SECONDS = 10.0
_MILLISECONDS_FROM = 1000.0
_METADATA = re.compile(r"(?!grpc-)[0-9a-z_.-]+(?<!-bin)", re.ASCII)


class Target(NamedTuple):
    """What a connection is made of; ``headers`` and ``url`` may hold secrets.

    Attributes:
        protocol: ``"http/protobuf"`` or ``"grpc"``.
        url: The URL of the request, or of the gRPC server.
        shown: Scheme, host and port: what errors and health may say.
        secure: Whether TLS is spoken.
        headers: Sent with each request.
        secrets: What no error may show: values of headers, the login of the URL.
        compression: ``"none"`` or ``"gzip"``.
        timeout_seconds: The longest that one request may take.
        ca_file: The certificate authorities to trust, or None for the system's.
        client_cert: The client's certificate, or None.
        client_key: Its key, or None.
    """

    protocol: str
    url: str
    shown: str
    secure: bool
    headers: Mapping[str, str]
    secrets: tuple[str, ...]
    compression: str
    timeout_seconds: float
    ca_file: str | None
    client_cert: str | None
    client_key: str | None

    def __repr__(self) -> str:
        """Show where it is; everything else may be a secret."""
        return f"Target({self.protocol!r}, {self.shown!r})"


class _Environment:
    """Reads the variables, those for logs first."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        self._environ = environ

    def get(self, name: str) -> tuple[str, str] | None:
        """Return the variable's name and its value, or None if it is not set."""
        for variable in (f"{PREFIX}{SIGNAL}{name}", f"{PREFIX}{name}"):
            value = self._environ.get(variable, "").strip()
            if value:
                return variable, value
        return None

    def text(self, name: str) -> str | None:
        """Return the variable's value, or None if it is not set."""
        found = self.get(name)
        return None if found is None else found[1]


def target_of(options: OtlpOptions, environ: Mapping[str, str]) -> Target:
    """Return where to send.

    Args:
        options: What was chosen.
        environ: The environment.

    Raises:
        ConfigError: If a variable cannot be used, or credentials would go where everyone can read them.
    """
    variables = _Environment(environ)
    protocol = options.protocol or _word(variables, "PROTOCOL", PROTOCOLS) or PROTOCOLS[0]
    where, url = _url(options, variables, protocol)
    check_endpoint(url, where, grpc=protocol == "grpc")
    bare = "://" not in url
    if bare:
        insecure = options.insecure or (variables.text("INSECURE") or "").lower() == "true"
        url = f"http://{url}" if insecure else with_scheme(url)
    endpoint = endpoint_of(url, where)
    headers = dict(options.headers) if options.headers is not None else _headers(variables)
    login = authorization(endpoint, headers, None, None, _WHERE)
    check_protected(endpoint, headers, login, _WHERE, allow_insecure=options.insecure)
    secrets = (*headers.values(), login or "", *(endpoint.auth or ()))
    if protocol == "grpc":
        headers = _metadata(headers)
        if login is not None:
            headers["authorization"] = login
    return Target(
        protocol=protocol,
        url=url,
        shown=endpoint.shown,
        secure=url.startswith("https:"),
        headers=headers,
        secrets=secrets,
        compression=options.compression or _word(variables, "COMPRESSION", COMPRESSIONS) or COMPRESSIONS[0],
        timeout_seconds=_timeout(options, variables),
        ca_file=options.ca_file or variables.text("CERTIFICATE"),
        client_cert=options.client_cert or variables.text("CLIENT_CERTIFICATE"),
        client_key=options.client_key or variables.text("CLIENT_KEY"),
    )


def _url(options: OtlpOptions, variables: _Environment, protocol: str) -> tuple[str, str]:
    if options.endpoint is not None:
        return f"{_WHERE}(endpoint)", options.endpoint
    variable, url = variables.get("ENDPOINT") or (f"{_WHERE}(endpoint)", _DEFAULTS[protocol])
    if protocol != "grpc" and variable == f"{PREFIX}ENDPOINT":
        # The general variable is a base for all signals, the others are taken as they are.
        url = url.removesuffix("/") + LOGS_PATH
    return variable, url


def _metadata(headers: Mapping[str, str]) -> dict[str, str]:
    """Return headers as metadata of gRPC, whose names have fewer characters."""
    for name in headers:
        if not _METADATA.fullmatch(name.lower()):
            allowed = 'for gRPC names of letters, digits, ".", "-" and "_", not beginning "grpc-" nor ending "-bin"'
            raise ConfigError.wrong(f"{_WHERE}(headers)", name, allowed)
    return {name.lower(): value for name, value in headers.items()}


def _word(variables: _Environment, name: str, allowed: tuple[str, ...]) -> str | None:
    found = variables.get(name)
    if found is None:
        return None
    variable, value = found[0], found[1].lower()
    one_of(value, variable, allowed)
    return value


def _timeout(options: OtlpOptions, variables: _Environment) -> float:
    if options.timeout is not None:
        return parse_duration(options.timeout, f"{_WHERE}(timeout)")
    found = variables.get("TIMEOUT")
    if found is None:
        return _TIMEOUT_SECONDS
    variable, value = found
    seconds = parse_duration(value, variable)
    plain = value.replace(".", "", 1).isdecimal()
    return seconds / 1000 if plain and seconds >= _MILLISECONDS_FROM else seconds


def _headers(variables: _Environment) -> dict[str, str]:
    """Return the pairs of the variable, ``name=value,…``, percent-decoded."""
    found = variables.get("HEADERS")
    if found is None:
        return {}
    variable, value = found
    headers = {}
    for part in filter(None, map(str.strip, value.split(","))):
        name, equals, text = part.partition("=")
        if not equals:
            raise ConfigError.hidden(variable, value, "pairs such as name=value, with commas between them")
        headers[unquote(name.strip())] = unquote(text.strip())
    return check_headers(headers, variable, RESERVED_HEADERS)
