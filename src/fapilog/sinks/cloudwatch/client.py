"""The blocking calls of boto3, all made in the one thread of the sink's ``Offload``."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import orjson
from boto3.session import Session
from botocore.config import Config
from botocore.exceptions import ClientError, NoCredentialsError

from fapilog._version import __version__
from fapilog.errors import SinkError
from fapilog.sinks.cloudwatch.errors import EXISTS, MISSING, OLD_TOKEN, TAKEN_BEFORE, code_of
from fapilog.sinks.cloudwatch.options import CloudwatchOptions

Event = Mapping[str, Any]
"""An event as the service takes it: ``timestamp`` in milliseconds, ``message`` as text."""

_DENIED = ("AccessDeniedException", "AccessDenied")
_PUT = "PutLogEvents"


class LogsClient:
    """A boto3 client and the stream that it writes to.

    It makes no call before the first method, sends nothing twice by itself, and has one connection. Making it reads
    boto3's models and files, and may ask the metadata service of the instance for a role: use it in a thread.

    Args:
        options: Where to and with which credentials.
        stream: The log stream's name.
        timeout: Seconds for a connection, and for each wait for bytes.
        figures: Where it counts groups and streams ``created``, and retentions that were refused.
    """

    def __init__(self, options: CloudwatchOptions, stream: str, timeout: float, figures: Counter[str]) -> None:
        """Find credentials and region.

        Raises:
            NoCredentialsError: If there are no credentials.
            BotoCoreError: If there is no region, or a file of AWS cannot be read.
        """
        self._options = options
        self._figures = figures
        self._names = {"logGroupName": options.group, "logStreamName": stream}
        # What the service demanded when it still had sequence tokens; those that imitate it may still have.
        self._token: str | None = None
        self._body = b""
        self._client: Any = _boto_client(options, timeout)
        # botocore validates and copies each event three times on the way to JSON, holding the interpreter for
        # milliseconds. The operation is its own, only the body is ours.
        self._own_body = self._client.meta.service_model.metadata.get("protocol") == "json"
        self._client.meta.events.register(f"before-call.cloudwatch-logs.{_PUT}", self._set_body)

    def prepare(self) -> None:
        """Make sure that group and stream exist, or with ``create=False`` look whether they do.

        Raises:
            ClientError: What the service refused.
            SinkError: If the stream is missing and is not to be created.
        """
        if not self._options.create:
            self._look()
            return
        try:
            self._create("create_log_stream", **self._names)
        except ClientError as error:
            if code_of(error) != MISSING:
                raise
            self._create("create_log_group", logGroupName=self._options.group)
            self._create("create_log_stream", **self._names)
        self._retain()

    def put(self, events: Sequence[Event]) -> Mapping[str, Any]:
        """Send the events of one call and return the answer.

        A stream that has gone is created again if it may be, and the call made once more.

        Raises:
            ClientError: What the service refused.
            BotoCoreError: If it could not be reached.
            SinkError: If something else has answered.
        """
        try:
            return self._put(events)
        except ClientError as error:
            code = code_of(error)
            if code == TAKEN_BEFORE:
                return {}
            if code == OLD_TOKEN:
                self._token = _answer_token(error)
            elif code == MISSING and self._options.create:
                self.prepare()
            else:
                raise
        return self._put(events)

    def close(self) -> None:
        """Close the connection; the one of a call that is still running when it ends."""
        self._client.close()

    def _put(self, events: Sequence[Event]) -> Mapping[str, Any]:
        token = {"sequenceToken": self._token} if self._token is not None else {}
        self._body = orjson.dumps({**self._names, **token, "logEvents": events}) if self._own_body else b""
        try:
            sent = [] if self._own_body else events
            answer: Mapping[str, Any] = self._client.put_log_events(**self._names, **token, logEvents=sent)
        finally:
            self._body = b""
        if not _is_of_the_service(answer):
            # boto3 takes any answer with status 200 for a success, also the page of a proxy.
            raise SinkError("the answer did not come from CloudWatch", retryable=True)
        if self._token is not None:
            self._token = answer.get("nextSequenceToken")
        return answer

    def _set_body(self, params: dict[str, Any], **_: Any) -> None:
        if self._body:
            params["body"] = self._body

    def _create(self, operation: str, **names: str) -> None:
        try:
            getattr(self._client, operation)(**names)
        except ClientError as error:
            if code_of(error) != EXISTS:
                raise
        else:
            self._figures["created"] += 1

    def _retain(self) -> None:
        days = self._options.retention_days
        if days is None:
            return
        try:
            self._client.put_retention_policy(logGroupName=self._options.group, retentionInDays=days)
        except ClientError as error:
            if code_of(error) not in _DENIED:
                raise
            # Events need not wait for that.
            self._figures["retention_refused"] += 1

    def _look(self) -> None:
        group, stream = self._names["logGroupName"], self._names["logStreamName"]
        try:
            # Sorted by name: the stream itself comes before all that begin with its name.
            found = self._client.describe_log_streams(logGroupName=group, logStreamNamePrefix=stream, limit=1)
        except ClientError as error:
            # Who may only write cannot look; the first batch tells.
            if code_of(error) in _DENIED:
                return
            raise
        if stream not in [entry.get("logStreamName") for entry in found.get("logStreams", [])]:
            raise SinkError(f"the log stream {stream!r} does not exist in {group!r}, and create=False was given")


def _boto_client(options: CloudwatchOptions, timeout: float) -> Any:
    session = Session(
        aws_access_key_id=options.access_key_id,
        aws_secret_access_key=options.secret_access_key,
        aws_session_token=options.session_token,
        region_name=options.region,
    )
    if session.get_credentials() is None:
        raise NoCredentialsError
    config = Config(
        connect_timeout=timeout,
        read_timeout=timeout,
        retries={"total_max_attempts": 1, "mode": "standard"},
        max_pool_connections=1,
        parameter_validation=False,
        tcp_keepalive=True,
        user_agent_extra=f"fapilog/{__version__}",
    )
    return session.client("logs", endpoint_url=options.endpoint_url, config=config)


def _is_of_the_service(answer: Mapping[str, Any]) -> bool:
    """Return whether an answer has a mark of the service, or of what imitates it: moto gives no id and says text."""
    meta = answer.get("ResponseMetadata", {})
    content_type = meta.get("HTTPHeaders", {}).get("content-type", "")
    return "RequestId" in meta or "nextSequenceToken" in answer or "json" in content_type


def _answer_token(error: ClientError) -> str | None:
    token = error.response.get("expectedSequenceToken")
    return token if isinstance(token, str) else None
