"""A stub for what the name rules say; the redactor's own are in :mod:`fapilog.redaction.names`."""

_WHOLE = frozenset(
    {"authorization", "cookie", "setcookie", "proxyauthorization", "pwd", "pass", "pin", "secrets", "dsn"}
)
_ENDINGS = ("password", "passwd", "secret", "token", "apikey", "privatekey", "secretkey", "accesskey", "secrettoken")


def is_secret_name(name: str) -> bool:
    """Tell whether a name, in any spelling, is that of a secret."""
    plain = "".join(filter(str.isalnum, name)).lower()
    return plain in _WHOLE or plain.endswith(_ENDINGS)
