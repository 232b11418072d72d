"""What can be chosen about the CloudWatch sink; importing this imports no ``boto3``."""

import os
import re
import socket
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from fapilog import checks
from fapilog.errors import ConfigError
from fapilog.units import parse_duration

DEFAULT_STREAM = "{host}/{pid}"
RETENTION_DAYS = (
    1,
    3,
    5,
    7,
    14,
    30,
    60,
    90,
    120,
    150,
    180,
    365,
    400,
    545,
    731,
    1096,
    1827,
    2192,
    2557,
    2922,
    3288,
    3653,
)
_GROUP = re.compile(r"[-./_#A-Za-z0-9]{1,512}")
_REGION = re.compile(r"[a-z0-9](?:[-a-z0-9]{0,61}[a-z0-9])?")
_PLACEHOLDER = re.compile(r"\{[^{}]*\}|[{}]")
_NOT_IN_A_STREAM = re.compile(r"[:*\x00-\x1f\x7f]")
_LONGEST_STREAM = 512
_SECRETS = ("access_key_id", "secret_access_key", "session_token")


@dataclass(frozen=True, repr=False)
class CloudwatchOptions:
    """A log group of CloudWatch Logs; see :class:`fapilog.sinks.cloudwatch.sink.CloudwatchSink`.

    Attributes:
        group: The log group; required. Letters, digits and ``. - _ / #``.
        stream: The log stream. Default None, which is ``"{host}/{pid}"``: every process has its own. ``{host}`` is the
            host's name, ``{pid}`` the process id, both as they are when the sink is opened.
        region: The AWS region. Default None: what boto3 finds in the environment or in its files.
        endpoint_url: Another address of the service, such as that of a VPC endpoint. Default None, AWS's own.
        create: Whether to create the group and the stream where they are missing. Default True.
        retention_days: How long the group keeps events, one of the numbers of days that AWS allows; set at every
            open. Default None: as it is; what AWS creates never expires.
        access_key_id: An access key, together with ``secret_access_key``. Default None: what boto3 finds, such as the
            role of the task or the instance. Never shown.
        secret_access_key: Its secret, never shown.
        session_token: The token of temporary credentials, never shown. Default None.
        timeout: How long one batch may take, and each connection. Default ``"10s"``.
        name: The sink's name in routes, figures and diagnostics. Default ``"cloudwatch"``.
    """

    group: str
    stream: str | None = None
    region: str | None = None
    endpoint_url: str | None = None
    create: bool = True
    retention_days: int | None = None
    access_key_id: str | None = None
    secret_access_key: str | None = field(default=None, repr=False)
    session_token: str | None = field(default=None, repr=False)
    timeout: float | str = "10s"
    name: str = "cloudwatch"

    def __post_init__(self) -> None:
        """Check the values; whether the group is there is checked by ``open``.

        Raises:
            ConfigError: If one cannot be used.
        """
        _check_group(self.group)
        if self.stream is not None:
            _check_stream(self.stream)
        if self.region is not None and not (isinstance(self.region, str) and _REGION.fullmatch(self.region)):
            raise _unusable("add_cloudwatch(region)", self.region, 'a region such as "eu-central-1"')
        if self.endpoint_url is not None:
            _check_endpoint(self.endpoint_url)
        checks.flag(self.create, "add_cloudwatch(create)")
        days = self.retention_days
        if days is not None and (isinstance(days, bool) or not isinstance(days, int) or days not in RETENTION_DAYS):
            allowed = f"None, or one of {', '.join(map(str, RETENTION_DAYS))}"
            raise ConfigError.wrong("add_cloudwatch(retention_days)", days, allowed)
        self._check_credentials()
        parse_duration(self.timeout, "add_cloudwatch(timeout)")
        checks.text(self.name, "add_cloudwatch(name)")

    def _check_credentials(self) -> None:
        for option in _SECRETS:
            value = getattr(self, option)
            if value is not None and not (isinstance(value, str) and value and all("!" <= c <= "~" for c in value)):
                raise ConfigError.hidden(f"add_cloudwatch({option})", value, "None, or printable ASCII without blanks")
        if (self.access_key_id is None) != (self.secret_access_key is None):
            missing = "access_key_id" if self.access_key_id is None else "secret_access_key"
            raise ConfigError.wrong(f"add_cloudwatch({missing})", None, "both parts of an access key, or neither")
        if self.session_token is not None and self.access_key_id is None:
            allowed = "a token only together with access_key_id and secret_access_key"
            raise ConfigError.hidden("add_cloudwatch(session_token)", self.session_token, allowed)

    def __repr__(self) -> str:
        """Show the options, and of the secrets only whether there is one."""
        shown = {key: "***" if key in _SECRETS and value is not None else value for key, value in vars(self).items()}
        return f"CloudwatchOptions({', '.join(f'{key}={value!r}' for key, value in shown.items())})"


def stream_name(stream: str | None) -> str:
    """Return the stream of this process, the placeholders filled; a host's name that is too long for that is cut."""
    text = (stream or DEFAULT_STREAM).replace("{pid}", str(os.getpid()))
    room = max(0, _LONGEST_STREAM - len(text.replace("{host}", ""))) // max(1, text.count("{host}"))
    host = _NOT_IN_A_STREAM.sub("-", socket.gethostname()) or "localhost"
    return text.replace("{host}", host[:room])[:_LONGEST_STREAM]


def _unusable(where: str, value: object, allowed: str) -> ConfigError:
    """Return the error to raise; what is no text is not shown, it may hold a secret."""
    return (ConfigError.wrong if isinstance(value, str) else ConfigError.hidden)(where, value, allowed)


def _check_group(group: object) -> None:
    # AWS keeps the prefix "aws/" for itself.
    if not isinstance(group, str) or not _GROUP.fullmatch(group) or group.startswith("aws/"):
        allowed = 'a log group such as "/shop/api": 1 to 512 of letters, digits and . - _ / #, not beginning with aws/'
        raise _unusable("add_cloudwatch(group)", group, allowed)


def _check_stream(stream: object) -> None:
    allowed = "a log stream of 1 to 512 characters without : and *, with {host} and {pid} as the only placeholders"
    usable = isinstance(stream, str) and 0 < len(stream) <= _LONGEST_STREAM and not _NOT_IN_A_STREAM.search(stream)
    if not usable or any(found not in ("{host}", "{pid}") for found in _PLACEHOLDER.findall(str(stream))):
        raise _unusable("add_cloudwatch(stream)", stream, allowed)


def _check_endpoint(url: object) -> None:
    allowed = 'None, or an address such as "https://logs.eu-central-1.amazonaws.com", without user name and password'
    try:
        parts = urlsplit(url) if isinstance(url, str) and url.isprintable() and " " not in url else None
        usable = parts is not None and parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        parts, usable = None, False
    if parts is None or not usable or "@" in parts.netloc or parts.query or parts.fragment:
        raise ConfigError.hidden("add_cloudwatch(endpoint_url)", url, allowed)
