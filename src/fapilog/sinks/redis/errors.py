"""What an error of the client means for the events, in words of our own.

The client quotes the command that failed, and with it the event; only the code of the server's answer is taken over.
"""

import os
import re
import ssl

from redis.exceptions import (
    AuthenticationError,
    AuthorizationError,
    NoPermissionError,
    RedisError,
    ResponseError,
)

from fapilog.errors import SinkError

CREDENTIALS_RETRY_SECONDS = 30.0
_PERMISSIONS = "XADD, XTRIM, MULTI, EXEC and DISCARD on the key"
# https://redis.io/docs/latest/develop/reference/protocol-spec/#simple-errors: the first word, in capitals.
_CODE = re.compile(r"([A-Z]{2,32}) ", re.ASCII)
_BEFORE_ANSWER = " of pipeline caused error: ('"
_CLASSES = {
    "BusyLoadingError": "LOADING",
    "ReadOnlyError": "READONLY",
    "MasterDownError": "MASTERDOWN",
    "ClusterDownError": "CLUSTERDOWN",
    "TryAgainError": "TRYAGAIN",
    "OutOfMemoryError": "OOM",
    "MovedError": "MOVED",
    "AskError": "ASK",
}
_NOT_NOW = {
    "LOADING": "it is still loading its data",
    "READONLY": "it is a replica that takes no writes",
    "MASTERDOWN": "it has lost its master",
    "CLUSTERDOWN": "its cluster is down",
    "TRYAGAIN": "its cluster is moving the key",
    "OOM": "its memory is used up (maxmemory)",
    "MISCONF": "it cannot write its data to its disk",
    "NOREPLICAS": "too few replicas are connected (min-replicas-to-write)",
    "BUSY": "it is busy with a script",
}
_SETUP = {
    "WRONGTYPE": "the key holds something that is not a stream",
    "MOVED": "the key belongs to another node of its cluster: name that one, or use a key that lies here",
    "ASK": "the key is on its way to another node of its cluster",
    "NOAUTH": "it wants a password",
}


def sink_error(error: Exception, shown: str, *, opening: bool) -> SinkError:
    """Return what to raise instead of an error of the client.

    Args:
        error: A ``RedisError``, ``OSError`` or ``ValueError`` of the client's.
        shown: The server's address without secrets.
        opening: Whether it was raised in ``open``, where what only a person can mend is not retryable. In a write the
            events are not to blame, and wait.
    """
    if isinstance(error, AuthenticationError | AuthorizationError):
        return _setup(f"Redis at {shown} refuses the user name or password", opening=opening)
    if isinstance(error, NoPermissionError):
        return _setup(f"Redis at {shown} does not permit this user {_PERMISSIONS}", opening=opening)
    if not isinstance(error, ResponseError) and _code_of(error) not in _NOT_NOW:
        return _network(error, shown, opening=opening)
    code = _code_of(error)
    if code in _NOT_NOW:
        return SinkError(f"Redis at {shown} takes nothing now: {_NOT_NOW[code]} ({code})", retryable=True)
    reason = _SETUP.get(code, "it refuses a command")
    return _setup(f"Redis at {shown} cannot be used: {reason} ({code or type(error).__name__})", opening=opening)


def _setup(text: str, *, opening: bool) -> SinkError:
    if opening:
        return SinkError(text)
    return SinkError(text, retryable=True, retry_after=CREDENTIALS_RETRY_SECONDS)


def _network(error: Exception, shown: str, *, opening: bool) -> SinkError:
    refused = next((cause for cause in _causes(error) if isinstance(cause, ssl.SSLCertVerificationError)), None)
    if refused is not None:
        return _setup(
            f"Redis at {shown} has a certificate that is not trusted: {refused.verify_message}", opening=opening
        )
    numbers = [cause.errno or 0 for cause in _causes(error) if isinstance(cause, OSError)]
    number = max(numbers, default=0)
    # Those of getaddrinfo are below zero, and strerror does not know them.
    why = os.strerror(number) if number > 0 else type(error).__name__
    return SinkError(f"Redis at {shown} cannot be reached: {why}", retryable=True)


def _causes(error: BaseException) -> list[BaseException]:
    found: list[BaseException] = []
    cause: BaseException | None = error
    while cause is not None and cause not in found:
        found.append(cause)
        cause = cause.__cause__ or cause.__context__
    return found


def _code_of(error: Exception) -> str:
    """Return the code of the server's answer; the client keeps it in a class, apart, or in the text, as it knows it."""
    by_class = _CLASSES.get(type(error).__name__, "")
    # A pipeline puts the command, and with it what was logged, before what the server said.
    said = str(error).rpartition(_BEFORE_ANSWER)[2]
    match = _CODE.match(said) if isinstance(error, RedisError) else None
    return by_class or (match[1] if match else "")
