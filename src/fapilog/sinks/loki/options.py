"""What can be chosen about pushes to Loki."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal
from urllib.parse import urlsplit

from fapilog import checks
from fapilog.errors import ConfigError
from fapilog.sinks.http.endpoint import (
    authorization,
    check_headers,
    check_protected,
    check_tls,
    endpoint_of,
    login_of,
)
from fapilog.sinks.http.showing import show_options
from fapilog.units import parse_duration

LABEL_FIELDS = ("level", "logger", "service", "env", "version", "host")
METADATA = ("request_id", "trace_id", "span_id", "event_id")
PROTOCOLS = ("json", "protobuf")
COMPRESSIONS = ("none", "gzip")
TENANT_HEADER = "x-scope-orgid"
PUSH_PATH = "/loki/api/v1/push"
MOST_LABELS = 15
MOST_METADATA = 15
_LONGEST_NAME = 1_024
_LONGEST_VALUE = 2_048
_SECRETS = frozenset({"bearer", "username", "password"})
_NAME = re.compile(r"[a-zA-Z_][a-zA-Z0-9_]*", re.ASCII)
_NO_NAME = re.compile(r"[^a-zA-Z0-9_]", re.ASCII)
_TENANT = re.compile(r"[a-zA-Z0-9!._*'()|-]{1,150}", re.ASCII)


@dataclass(frozen=True, repr=False)
class LokiOptions:
    """A Grafana Loki to push to; see :class:`fapilog.sinks.loki.sink.LokiSink`. Immutable; checked when made.

    Attributes:
        url: Where Loki is, ``http`` or ``https``; ``/loki/api/v1/push`` is added if there is no path. A user name and
            password in it are sent as basic authentication. Only scheme, host and port are ever shown.
        labels: Labels of all events, by name, such as ``{"app": "shop"}``. Default none.
        label_fields: Which fields become labels, of ``level``, ``logger``, ``service``, ``env``, ``version`` and
            ``host``. Default ``level``, ``service``, ``env``. No others: each value of a label is a stream of its own.
        max_streams: Into how many streams the labels of ``label_fields`` may part the events of a process. Default
            100. Events beyond it keep the static labels and their level.
        structured_metadata: Which fields go beside the line as structured metadata, at most 15. Default
            ``request_id``, ``trace_id``, ``span_id``, ``event_id``. Empty for a Loki before 3.0 that does not take it.
        protocol: ``"json"`` (default), or ``"protobuf"``: smaller bodies, compressed by snappy.
        compression: Of JSON: ``"none"`` (default) or ``"gzip"``.
        tenant: Sent as ``X-Scope-OrgID``. Default none.
        bearer: A token, sent as ``Authorization: Bearer``. Default none.
        username: For basic authentication. Default none.
        password: For basic authentication. Default none.
        ca_file: A PEM file of the certificate authorities to trust instead of the system's. Default the system's.
        verify: Check Loki's certificate and host name. Default True.
        client_cert: A PEM file with the client's certificate. Default none.
        client_key: A PEM file with its key. Default: it is in ``client_cert``.
        timeout: The longest that a batch may take, all in all. Default ``"10s"``.
        allow_insecure: Let credentials go over plain http to another machine. Default False.
        name: The sink's name in routes, figures and diagnostics. Default ``"loki"``.
    """

    url: str
    labels: Mapping[str, str] = field(default_factory=dict)
    label_fields: Sequence[str] = ("level", "service", "env")
    max_streams: int = 100
    structured_metadata: Sequence[str] = METADATA
    protocol: Literal["json", "protobuf"] = "json"
    compression: Literal["none", "gzip"] = "none"
    tenant: str | None = None
    bearer: str | None = None
    username: str | None = None
    password: str | None = None
    ca_file: str | None = None
    verify: bool = True
    client_cert: str | None = None
    client_key: str | None = None
    timeout: float | str = "10s"
    allow_insecure: bool = False
    name: str = "loki"

    def __post_init__(self) -> None:
        """Check the values; the files are read when the sink is opened.

        Raises:
            ConfigError: If one cannot be used.
        """
        endpoint = endpoint_of(self.url, "add_loki(url)")
        object.__setattr__(self, "labels", _labels(self.labels))
        object.__setattr__(self, "label_fields", _label_fields(self.label_fields, self.labels))
        checks.whole(self.max_streams, "add_loki(max_streams)", 1)
        metadata = checks.texts(self.structured_metadata, "add_loki(structured_metadata)")
        object.__setattr__(self, "structured_metadata", metadata)
        _check_metadata(metadata)
        for option, allowed in (("protocol", PROTOCOLS), ("compression", COMPRESSIONS)):
            if getattr(self, option) not in allowed:
                raise ConfigError.unknown(f"add_loki({option})", getattr(self, option), allowed)
        if self.protocol == "protobuf" and self.compression != "none":
            raise ConfigError.wrong("add_loki(compression)", self.compression, "none: protobuf is sent in snappy")
        if self.tenant is not None and not (isinstance(self.tenant, str) and _TENANT.fullmatch(self.tenant)):
            allowed_tenant = "a tenant's id: at most 150 letters, digits and !-_.*'()|"
            raise ConfigError.hidden("add_loki(tenant)", self.tenant, allowed_tenant)
        login = authorization(endpoint, {}, self.auth, self.bearer, "add_loki")
        checks.flag(self.allow_insecure, "add_loki(allow_insecure)")
        check_protected(endpoint, {}, login, "add_loki", allow_insecure=self.allow_insecure)
        tls = {name: getattr(self, name) for name in ("ca_file", "verify", "client_cert", "client_key")}
        check_tls("add_loki", **tls)
        parse_duration(self.timeout, "add_loki(timeout)")
        checks.text(self.name, "add_loki(name)")

    def __repr__(self) -> str:
        """Show what differs from the defaults, no secrets, and of the URL only where it leads."""
        return show_options(self, _SECRETS)

    @property
    def auth(self) -> tuple[str, str] | None:
        """``username`` and ``password``, or None.

        Raises:
            ConfigError: If one of them cannot be used, or there is a password without a user name.
        """
        return login_of(self.username, self.password, "add_loki")

    @property
    def push_url(self) -> str:
        """The URL that batches are pushed to."""
        parts = urlsplit(self.url)
        return parts._replace(path=PUSH_PATH).geturl() if parts.path in ("", "/") else self.url

    @property
    def headers(self) -> dict[str, str]:
        """The headers of each push beside those of HTTP."""
        return {} if self.tenant is None else check_headers({TENANT_HEADER: self.tenant}, "add_loki(tenant)")


def metadata_name(name: str) -> str:
    """Return the name that a field has in structured metadata: what Loki does not take in a name is ``_``."""
    plain = _NO_NAME.sub("_", name)
    return f"_{plain}" if plain[:1].isdecimal() else plain


def _labels(labels: Any) -> dict[str, str]:
    where = "add_loki(labels)"
    allowed = "names of ASCII letters, digits and _, that begin with no digit and not with __"
    if not isinstance(labels, Mapping):
        raise ConfigError.hidden(where, labels, 'texts by name, such as {"app": "shop"}')
    for name, value in labels.items():
        if not isinstance(name, str) or not _NAME.fullmatch(name) or name[:2] == "__" or len(name) > _LONGEST_NAME:
            raise ConfigError.wrong(where, name, allowed)
        if not isinstance(value, str) or not value or _length(value) > _LONGEST_VALUE:
            raise ConfigError.wrong(f"{where}[{name!r}]", value, f"a text of 1 to {_LONGEST_VALUE} bytes in UTF-8")
    return dict(labels)


def _length(text: str) -> int:
    try:
        return len(text.encode())
    except UnicodeEncodeError:
        return _LONGEST_VALUE + 1


def _label_fields(fields: Any, labels: Mapping[str, str]) -> tuple[str, ...]:
    where = "add_loki(label_fields)"
    found = tuple(dict.fromkeys(checks.texts(fields, where)))
    for name in found:
        if name not in LABEL_FIELDS:
            allowed = (
                f"{', '.join(LABEL_FIELDS)}. Each value of a label is a stream of its own in Loki, so fields of many "
                "values, such as ids, belong in structured_metadata"
            )
            raise ConfigError.wrong(where, name, allowed)
        if name in labels:
            raise ConfigError.wrong(where, name, "fields that are not among the labels")
    if not labels and "level" not in found:
        raise ConfigError.wrong(where, found, "level among them, or labels: Loki takes no stream without a label")
    if len(labels) + len(found) > MOST_LABELS:
        raise ConfigError.wrong(where, len(labels) + len(found), f"at most {MOST_LABELS} with those of labels")
    return found


def _check_metadata(fields: tuple[str, ...]) -> None:
    where = "add_loki(structured_metadata)"
    if len(fields) > MOST_METADATA:
        raise ConfigError.wrong(where, len(fields), f"at most {MOST_METADATA} fields")
    if len({metadata_name(name) for name in fields}) < len(fields):
        raise ConfigError.wrong(where, fields, "fields whose names differ in more than what becomes _")
