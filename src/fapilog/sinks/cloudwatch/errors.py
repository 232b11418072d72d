"""What an exception of boto3 means for a batch. Its texts are not repeated: they may quote headers and tokens."""

from typing import Any

from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    ConfigParseError,
    CredentialRetrievalError,
    HTTPClientError,
    InvalidConfigError,
    InvalidRegionError,
    NoCredentialsError,
    NoRegionError,
    PartialCredentialsError,
    ProfileNotFound,
    SSOError,
    TokenRetrievalError,
)
from botocore.exceptions import ConnectionError as BotoConnectionError

from fapilog.errors import SinkError

MISSING = "ResourceNotFoundException"
EXISTS = "ResourceAlreadyExistsException"
TAKEN_BEFORE = "DataAlreadyAcceptedException"
OLD_TOKEN = "InvalidSequenceTokenException"  # noqa: S105 - the name of an exception
REFUSED_SECONDS = 30.0
_LONGEST_WAIT = 3_600.0
_SERVER_ERROR = 500
_REFUSED_STATUS = (401, 403)
_LATER_STATUS = (408, 429)
THROTTLED = frozenset(
    (
        *("ThrottlingException", "Throttling", "ThrottledException", "TooManyRequestsException"),
        *("RequestLimitExceeded", "LimitExceededException", "SlowDown"),
    )
)
_LATER = THROTTLED | {
    *("OperationAbortedException", "ServiceUnavailableException", "ServiceUnavailable", "InternalFailure"),
    *("InternalServerException", "RequestTimeout", "RequestTimeoutException"),
}
_REFUSED = frozenset(
    (
        *("AccessDeniedException", "AccessDenied", "UnrecognizedClientException", "InvalidClientTokenId"),
        *("ExpiredToken", "ExpiredTokenException", "InvalidSignatureException", "SignatureDoesNotMatch"),
        *("IncompleteSignature", "MissingAuthenticationToken", "MissingAuthenticationTokenException", "OptInRequired"),
        *("RequestExpired", "NotAuthorized", "InvalidAccessKeyId", "RequestTimeTooSkewed", "KMSAccessDeniedException"),
    )
)
_MISCONFIGURED = (
    *(NoCredentialsError, PartialCredentialsError, NoRegionError, InvalidRegionError, ProfileNotFound),
    *(ConfigParseError, InvalidConfigError),
)
_NO_NEW_CREDENTIALS = (CredentialRetrievalError, TokenRetrievalError, SSOError)
_SAID = {
    "NoCredentialsError": "no AWS credentials: neither options nor environment, files or a role give any",
    "PartialCredentialsError": "incomplete AWS credentials: a part of the access key is missing",
    "NoRegionError": 'no AWS region: give region="…" or set AWS_REGION',
}


def code_of(error: BaseException) -> str:
    """Return the service's name of an error, or nothing if it is no answer of the service."""
    return str(_answer(error).get("Error", {}).get("Code", "")) if isinstance(error, ClientError) else ""


def is_about_credentials(error: Exception) -> bool:
    """Return whether other credentials might help."""
    if isinstance(error, ClientError):
        status = _answer(error).get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
        return code_of(error) in _REFUSED or status in _REFUSED_STATUS
    return isinstance(error, (NoCredentialsError, PartialCredentialsError, *_NO_NEW_CREDENTIALS))


def sink_error(error: Exception, *, opening: bool) -> SinkError:
    """Return what delivery is to be told.

    Refused credentials and permissions, and a group or stream that is missing, heal without a restart, so a batch waits
    for them, half a minute at a time; while opening they are mistakes of the configuration.

    Args:
        error: What a call has raised.
        opening: Whether the sink was being opened.
    """
    if isinstance(error, ClientError):
        return _of_answer(error, opening)
    name = type(error).__name__
    if isinstance(error, _MISCONFIGURED):
        # In a batch's way this is a role that is gone for a while.
        wait = None if opening else REFUSED_SECONDS
        return SinkError(_SAID.get(name, f"AWS configuration: {name}"), retryable=not opening, retry_after=wait)
    if isinstance(error, _NO_NEW_CREDENTIALS):
        return SinkError(f"AWS credentials: {name}", retryable=True, retry_after=REFUSED_SECONDS)
    if isinstance(error, HTTPClientError | BotoConnectionError | OSError):
        return SinkError(f"CloudWatch cannot be reached: {name}", retryable=True)
    return SinkError(f"CloudWatch: {name}", retryable=not opening and isinstance(error, BotoCoreError))


def _of_answer(error: ClientError, opening: bool) -> SinkError:  # noqa: FBT001 - see above
    meta = _answer(error).get("ResponseMetadata", {})
    code, status = code_of(error), meta.get("HTTPStatusCode", 0)
    text = f"CloudWatch refused {error.operation_name}: {_plain(code)} (status {status})"
    if code in _LATER or status >= _SERVER_ERROR or status in _LATER_STATUS:
        return SinkError(text, retryable=True, retry_after=_wait_of(meta.get("HTTPHeaders", {})))
    if is_about_credentials(error):
        return SinkError(text, retryable=not opening, retry_after=None if opening else REFUSED_SECONDS)
    if code == MISSING:
        missing = "the log group or stream does not exist, and create=True was not given or did not help"
        return SinkError(f"{text}: {missing}", retryable=not opening, retry_after=None if opening else REFUSED_SECONDS)
    return SinkError(text, retryable=code == OLD_TOKEN)


def _answer(error: ClientError) -> dict[str, Any]:
    answer: Any = error.response
    return answer if isinstance(answer, dict) else {}


def _plain(code: str) -> str:
    """Return a code that is a name; a proxy's error page is none."""
    return code if code.isascii() and code.isalnum() and len(code) <= 100 else "an unknown error"  # noqa: PLR2004


def _wait_of(headers: Any) -> float | None:
    text = str(headers.get("retry-after", "")) if isinstance(headers, dict) else ""
    if not (text.isascii() and text.isdigit() and len(text) < 10):  # noqa: PLR2004
        return None
    return min(float(text), _LONGEST_WAIT)
