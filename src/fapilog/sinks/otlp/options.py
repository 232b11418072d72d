"""What can be chosen about the OTLP sink; importing this imports neither ``httpx`` nor ``grpc``."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from fapilog import checks
from fapilog.errors import ConfigError
from fapilog.sinks.http.endpoint import check_headers, check_tls, endpoint_of
from fapilog.units import parse_duration

PROTOCOLS = ("http/protobuf", "grpc")
COMPRESSIONS = ("none", "gzip")
RESERVED_HEADERS = frozenset({"content-type", "grpc-timeout"})
_WHERE = "add_otlp"
_RESOURCE = "texts by the names of the attributes"


@dataclass(frozen=True, repr=False)
class OtlpOptions:
    """A receiver of OpenTelemetry logs; see :class:`fapilog.sinks.otlp.sink.OtlpSink`.

    What is None is read from the environment when the sink is made, ``OTEL_EXPORTER_OTLP_LOGS_…`` before
    ``OTEL_EXPORTER_OTLP_…``.

    Attributes:
        endpoint: Where to send. For ``http/protobuf`` the whole URL, ``"https://collector:4318/v1/logs"``; for ``grpc``
            a URL without a path, or ``"host:port"``. Default None: ``…_LOGS_ENDPOINT``, or ``…_ENDPOINT`` (with
            ``/v1/logs`` appended for HTTP), or ``http://localhost:4318/v1/logs`` and ``http://localhost:4317``.
        protocol: ``"http/protobuf"`` or ``"grpc"``. Default None: ``…_PROTOCOL``, or ``"http/protobuf"``.
        headers: Sent with each request, such as a token; for gRPC as metadata. Default None: ``…_HEADERS``, or none.
        compression: ``"none"`` or ``"gzip"``. Default None: ``…_COMPRESSION``, or ``"none"``.
        timeout: The longest that one request may take. Default None: ``…_TIMEOUT``, or 10 s.
        ca_file: A PEM file of the certificate authorities to trust instead of the system's. Default None:
            ``…_CERTIFICATE``, or the system's.
        client_cert: A PEM file with the client's certificate. Default None: ``…_CLIENT_CERTIFICATE``, or none.
        client_key: A PEM file with its key. Default None: ``…_CLIENT_KEY``, or none.
        insecure: True speaks gRPC without TLS to an endpoint that has no scheme, and lets headers that are named like
            credentials go to another machine without TLS. Default False.
        resource: More attributes of the resource, by their names. Default none.
        name: The sink's name in routes, figures and diagnostics. Default ``"otlp"``.
    """

    endpoint: str | None = None
    protocol: Literal["http/protobuf", "grpc"] | None = None
    headers: Mapping[str, str] | None = None
    compression: Literal["none", "gzip"] | None = None
    timeout: float | str | None = None
    ca_file: str | None = None
    client_cert: str | None = None
    client_key: str | None = None
    insecure: bool = False
    resource: Mapping[str, str] = field(default_factory=dict)
    name: str = "otlp"

    def __post_init__(self) -> None:
        """Check the values; what the environment says is checked when the sink is made.

        Raises:
            ConfigError: If one cannot be used.
        """
        if self.protocol is not None:
            one_of(self.protocol, f"{_WHERE}(protocol)", PROTOCOLS)
        if self.endpoint is not None:
            # Without a protocol of its own an endpoint may still be one for gRPC, by the environment.
            check_endpoint(self.endpoint, f"{_WHERE}(endpoint)", grpc=self.protocol != "http/protobuf")
        if self.headers is not None:
            check_headers(self.headers, f"{_WHERE}(headers)", RESERVED_HEADERS)
        if self.compression is not None:
            one_of(self.compression, f"{_WHERE}(compression)", COMPRESSIONS)
        if self.timeout is not None:
            parse_duration(self.timeout, f"{_WHERE}(timeout)")
        check_tls(_WHERE, ca_file=self.ca_file, client_cert=self.client_cert, client_key=self.client_key, verify=True)
        checks.flag(self.insecure, f"{_WHERE}(insecure)")
        _check_resource(self.resource)
        checks.text(self.name, f"{_WHERE}(name)")

    def __repr__(self) -> str:
        """Show the options; of headers only the names, and of the endpoint neither user nor password nor path."""
        endpoint = None if self.endpoint is None else shown_endpoint(self.endpoint)
        headers = None if self.headers is None else dict.fromkeys(self.headers, "***")
        return (
            f"OtlpOptions(endpoint={endpoint!r}, protocol={self.protocol!r}, headers={headers!r}, "
            f"compression={self.compression!r}, timeout={self.timeout!r}, ca_file={self.ca_file!r}, "
            f"client_cert={self.client_cert!r}, client_key={self.client_key!r}, insecure={self.insecure}, "
            f"resource={dict(self.resource)!r}, name={self.name!r})"
        )


def one_of(value: Any, where: str, allowed: tuple[str, ...]) -> None:
    """Refuse what is not among the allowed words.

    Raises:
        ConfigError: If it is not.
    """
    if not isinstance(value, str) or value not in allowed:
        raise ConfigError.unknown(where, value, allowed)


def check_endpoint(value: Any, where: str, *, grpc: bool) -> None:
    """Refuse what is no endpoint: a URL, or for gRPC also ``host:port``.

    Raises:
        ConfigError: If it is none. It is not shown: a URL may hold a secret.
    """
    endpoint = endpoint_of(with_scheme(value) if grpc else value, where)
    if grpc and endpoint.auth is not None and "://" not in value:
        raise ConfigError.hidden(where, value, "host:port, or a URL")


def with_scheme(endpoint: Any) -> Any:
    """Return ``host:port`` as an https URL, and anything else as it is."""
    return f"https://{endpoint}" if isinstance(endpoint, str) and "://" not in endpoint else endpoint


def shown_endpoint(endpoint: str) -> str:
    """Return what may be shown of an endpoint that has been checked."""
    shown = endpoint_of(with_scheme(endpoint), "endpoint").shown
    return shown if "://" in endpoint else shown.partition("://")[2]


def _check_resource(resource: Any) -> None:
    where = f"{_WHERE}(resource)"
    if not isinstance(resource, Mapping):
        raise ConfigError.hidden(where, resource, _RESOURCE)
    for key, value in resource.items():
        if not isinstance(key, str) or not key or not isinstance(value, str):
            raise ConfigError.hidden(where, value, _RESOURCE)
