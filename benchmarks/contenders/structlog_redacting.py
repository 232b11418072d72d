"""structlog with a processor that redacts: a set of field names, and one regular expression over every text."""

import re
from collections.abc import MutableMapping
from pathlib import Path
from typing import Any

from benchmarks.contenders import Running
from benchmarks.contenders.structlog_json import configured, start_slow

DISTRIBUTION = "structlog"
SETUP = "the same with a processor that walks the event: 20 names in a set, one compiled pattern of eight kinds"
__all__ = ["start", "start_slow"]

_NAMES = frozenset((
    "password", "passwd", "pwd", "secret", "client_secret", "token", "access_token",
    "refresh_token", "id_token", "api_key", "apikey", "authorization", "proxy_authorization",
    "cookie", "set_cookie", "private_key", "access_key", "session_token", "credentials", "x_api_key",
))  # fmt: skip
_CONTENT = re.compile(
    r"(?i:bearer|basic) [A-Za-z0-9._~+/=-]{8,}|eyJ[\w-]{8,}\.[\w-]+|-----BEGIN [A-Z ]*PRIVATE KEY"
    r"|\b(?:AKIA|ASIA)[0-9A-Z]{16}\b|\bgh[pousr]_[A-Za-z0-9]{36}\b|://[^/\s:@]+:[^/\s@]+@"
    r"|[?&](?:sig|[Ss]ignature|token|X-Amz-Signature)=[^&\s]+|\b(?:\d[ -]?){13,19}\b|\b\d{3}-\d{2}-\d{4}\b"
)


def start(directory: Path) -> Running:
    """Log into a file."""
    return configured((directory / "structlog.jsonl").open("wb"), _redact)


def _redact(_logger: object, _name: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    return {key: "***" if key.lower() in _NAMES else _redacted(value) for key, value in event.items()}


def _redacted(value: Any) -> Any:
    if isinstance(value, str):
        return _CONTENT.sub("***", value)
    if isinstance(value, dict):
        return {key: "***" if key.lower() in _NAMES else _redacted(item) for key, item in value.items()}
    return [_redacted(item) for item in value] if isinstance(value, list) else value
