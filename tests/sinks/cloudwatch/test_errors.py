"""What each answer and each failure means for a batch, and that no text of boto3 gets out."""

import traceback

import pytest
from botocore import exceptions
from botocore.exceptions import ClientError

from fapilog.errors import SinkError
from fapilog.sinks.cloudwatch.errors import is_about_credentials, sink_error
from fapilog.sinks.cloudwatch.sink import CloudwatchSink
from fapilog.testing.contracts import make_batch, make_events
from tests.services.cloudwatch import SECRET_ACCESS_KEY
from tests.sinks.cloudwatch.support import opened

SECRET = "x-amz-security-token:IQoJb3JpZ2luX2VjEXAMPLE"


def _answer(code: str, status: int = 400, **headers: str) -> ClientError:
    meta = {"HTTPStatusCode": status, "HTTPHeaders": headers}
    return ClientError({"Error": {"Code": code, "Message": SECRET}, "ResponseMetadata": meta}, "PutLogEvents")


@pytest.mark.parametrize(
    ("code", "status"),
    [
        ("ThrottlingException", 400),
        ("LimitExceededException", 400),
        ("OperationAbortedException", 400),
        ("ServiceUnavailableException", 503),
        ("InternalFailure", 500),
        ("<html>", 502),
        ("", 504),
        ("408", 408),
        ("429", 429),
    ],
)
def test_what_heals_by_itself_is_tried_again(code, status):
    """Throttling, 408, 429 and 5xx are retryable, while opening as well."""
    for opening in (True, False):
        error = sink_error(_answer(code, status), opening=opening)
        assert (error.retryable, error.retry_after, error.failed_indexes) == (True, None, None)


@pytest.mark.parametrize(
    ("code", "status"),
    [
        ("AccessDeniedException", 400),
        ("UnrecognizedClientException", 400),
        ("ExpiredTokenException", 400),
        ("ExpiredToken", 403),
        ("InvalidSignatureException", 400),
        ("403", 403),
        ("401", 401),
    ],
)
def test_refused_credentials_wait_for_their_rotation(code, status):
    """Events wait half a minute at a time; while opening it is a mistake to be said, and a new client is made."""
    answer = _answer(code, status)

    error = sink_error(answer, opening=False)
    assert (error.retryable, error.retry_after) == (True, 30.0)
    assert not sink_error(answer, opening=True).retryable
    assert is_about_credentials(answer)


@pytest.mark.parametrize("code", ["InvalidParameterException", "SerializationException", "413", "UnknownOperation"])
def test_a_refusal_of_the_batch_itself_is_final(code):
    """Sending the same again would give the same: delivery is to split it."""
    error = sink_error(_answer(code, 413 if code == "413" else 400), opening=False)

    assert (error.retryable, error.failed_indexes) == (False, None)


@pytest.mark.parametrize(
    ("header", "seconds"),
    [("2", 2.0), ("0", 0.0), ("999999", 3600.0), ("-1", None), ("1e9", None), ("soon", None), ("²", None), ("", None)],
)
def test_retry_after_is_honoured_within_an_hour(header, seconds):
    """A number of seconds is passed on; anything else leaves the wait to delivery."""
    error = sink_error(_answer("ThrottlingException", **{"retry-after": header}), opening=False)

    assert error.retry_after == seconds


@pytest.mark.parametrize(
    "error",
    [
        exceptions.EndpointConnectionError(endpoint_url=SECRET),
        exceptions.ConnectTimeoutError(endpoint_url=SECRET),
        exceptions.ReadTimeoutError(endpoint_url=SECRET),
        exceptions.ConnectionClosedError(endpoint_url=SECRET),
        exceptions.SSLError(endpoint_url=SECRET, error=SECRET),
        exceptions.ProxyConnectionError(proxy_url=SECRET),
        exceptions.HTTPClientError(error=SECRET),
        exceptions.CredentialRetrievalError(provider=SECRET, error_msg=SECRET),
        ConnectionResetError(SECRET),
    ],
    ids=lambda error: type(error).__name__,
)
def test_what_does_not_reach_the_service_is_tried_again(error):
    """Networks and providers of credentials come back; the text is our own."""
    for opening in (True, False):
        told = sink_error(error, opening=opening)
        assert told.retryable
        assert SECRET not in str(told)


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (exceptions.NoCredentialsError(), "no AWS credentials"),
        (exceptions.PartialCredentialsError(provider="env", cred_var="x"), "incomplete AWS credentials"),
        (exceptions.NoRegionError(), "no AWS region"),
        (exceptions.ProfileNotFound(profile=SECRET), "ProfileNotFound"),
        (exceptions.ConfigParseError(path=SECRET), "ConfigParseError"),
        (ValueError(SECRET), "ValueError"),
    ],
    ids=lambda value: type(value).__name__,
)
def test_what_is_configured_wrongly_is_said_at_open(error, text):
    """Not retryable while opening, with a text that says what to do, and without boto3's own."""
    told = sink_error(error, opening=True)

    assert not told.retryable
    assert text in str(told)
    assert SECRET not in str(told)


def test_codes_that_are_no_names_are_not_repeated():
    """A proxy may answer anything, also what it was sent."""
    assert SECRET not in str(sink_error(_answer(SECRET), opening=False))
    assert "an unknown error" in str(sink_error(_answer(SECRET), opening=False))


@pytest.mark.requires_service("moto", module="moto")
@pytest.mark.asyncio
async def test_no_text_of_an_answer_gets_out(server, group):
    """A signature error quotes headers: neither the error, its causes, the health nor the repr hold them."""
    body = {"__type": "InvalidSignatureException", "message": SECRET}
    async with opened(CloudwatchSink(server.options(group))) as sink:
        server.order({"operation": "PutLogEvents", "status": 400, "body": body})
        with pytest.raises(SinkError) as caught:
            await sink.write(make_batch(make_events(1)))

        shown = "".join(traceback.format_exception(caught.value)) + repr(sink.health()) + repr(sink._options)
        assert "InvalidSignatureException" in str(caught.value)
        assert SECRET not in shown
        assert SECRET_ACCESS_KEY not in shown
        chain = caught.value
        while chain is not None:
            assert isinstance(chain, SinkError)
            chain = chain.__cause__ or chain.__context__
        await sink.write(make_batch(make_events(1)))


@pytest.mark.requires_service("moto", module="moto")
@pytest.mark.asyncio
@pytest.mark.parametrize("content_type", ["text/html", ""])
async def test_a_page_with_status_200_is_not_an_acknowledgement(server, group, content_type):
    """A captive proxy that answers everything with a page has not taken the events."""
    page = {"operation": "PutLogEvents", "status": 200, "body": "<html>", "headers": {"Content-Type": content_type}}
    async with opened(CloudwatchSink(server.options(group))) as sink:
        server.order(page)
        with pytest.raises(SinkError, match="did not come from CloudWatch") as caught:
            await sink.write(make_batch(make_events(1)))

        assert caught.value.retryable
        assert sink.figures["events"] == 0


@pytest.mark.asyncio
@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"region": "eu-central-1"}, "no AWS credentials"),
        ({"access_key_id": "AKID", "secret_access_key": "x"}, "no AWS region"),
    ],
)
async def test_without_credentials_or_region_open_fails_at_once(options, text):
    """It is a mistake of the configuration, said as one, without a call over the network."""
    from fapilog.sinks.cloudwatch.options import CloudwatchOptions

    sink = CloudwatchSink(CloudwatchOptions("g", **options))
    with pytest.raises(SinkError, match=text) as caught:
        await sink.open()

    assert not caught.value.retryable
    assert text in sink.health()["last_error"]
    assert sink.health()["status"] == "failing"
