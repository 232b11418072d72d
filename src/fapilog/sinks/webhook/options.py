"""What can be chosen about signed calls to a URL."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from fapilog import checks
from fapilog.errors import ConfigError
from fapilog.sinks.http.endpoint import authorization, check_headers, check_protected, check_tls, endpoint_of
from fapilog.sinks.http.showing import show_options
from fapilog.sinks.webhook.signing import ID_HEADER, SHORTEST_KEY, SIGNATURE_HEADER, TIMESTAMP_HEADER, key_of
from fapilog.units import parse_duration

RESERVED = frozenset({ID_HEADER, TIMESTAMP_HEADER, SIGNATURE_HEADER})
_SECRETS = frozenset({"secret", "previous_secret"})
_SECRET = f"a text of at least {SHORTEST_KEY} bytes, or whsec_ and the base64 of as many"


@dataclass(frozen=True, repr=False)
class WebhookOptions:
    """A receiver of signed calls; see :class:`fapilog.sinks.webhook.sink.WebhookSink`. Immutable; checked when made.

    Attributes:
        url: Where calls go, ``http`` or ``https``. A user name and password in it are sent as basic authentication.
            Only scheme, host and port are ever shown.
        secret: The key of the signatures, known to the receiver: at least 16 bytes, or ``whsec_`` and their base64.
        previous_secret: While the key is changed, the one before it: calls are signed with both. Default none.
        batch: One call for the events of a batch, as a JSON array; else one call for each event. Default False.
        min_level: Events below it are not sent; they count as delivered, and in ``below_level``. A level's name or
            number. Default ``"WARNING"``.
        headers: More headers, by name. Default none. Values are never shown.
        ca_file: A PEM file of the certificate authorities to trust instead of the system's. Default the system's.
        verify: Check the receiver's certificate and host name. Default True.
        timeout: The longest that a call may take, all in all. Default ``"10s"``.
        allow_insecure: Let credentials in ``url`` or ``headers`` go over plain http to another machine. Default
            False.
        name: The sink's name in routes, figures and diagnostics. Default ``"webhook"``.
    """

    url: str
    secret: str
    previous_secret: str | None = None
    batch: bool = False
    min_level: str | int = "WARNING"
    headers: Mapping[str, str] = field(default_factory=dict)
    ca_file: str | None = None
    verify: bool = True
    timeout: float | str = "10s"
    allow_insecure: bool = False
    name: str = "webhook"

    def __post_init__(self) -> None:
        """Check the values.

        Raises:
            ConfigError: If one cannot be used.
        """
        endpoint = endpoint_of(self.url, "add_webhook(url)")
        _check_secret(self.secret, "add_webhook(secret)")
        if self.previous_secret is not None:
            _check_secret(self.previous_secret, "add_webhook(previous_secret)")
        checks.flag(self.batch, "add_webhook(batch)")
        if isinstance(self.min_level, bool) or not isinstance(self.min_level, str | int):
            raise ConfigError.wrong("add_webhook(min_level)", self.min_level, "a level's name or number")
        headers = check_headers(self.headers, "add_webhook(headers)", RESERVED)
        object.__setattr__(self, "headers", headers)
        login = authorization(endpoint, headers, None, None, "add_webhook")
        checks.flag(self.allow_insecure, "add_webhook(allow_insecure)")
        check_protected(endpoint, headers, login, "add_webhook", allow_insecure=self.allow_insecure)
        check_tls("add_webhook", ca_file=self.ca_file, verify=self.verify, client_cert=None, client_key=None)
        parse_duration(self.timeout, "add_webhook(timeout)")
        checks.text(self.name, "add_webhook(name)")

    def __repr__(self) -> str:
        """Show what differs from the defaults, no secrets, and of the URL only where it leads."""
        return show_options(self, _SECRETS)

    @property
    def keys(self) -> tuple[bytes, ...]:
        """The active keys, the newest first."""
        return tuple(key_of(secret) for secret in (self.secret, self.previous_secret) if secret is not None)


def _check_secret(secret: object, where: str) -> None:
    if not isinstance(secret, str):
        raise ConfigError.hidden(where, secret, _SECRET)
    try:
        key_of(secret)
    except ValueError:
        raise ConfigError.hidden(where, secret, _SECRET) from None
