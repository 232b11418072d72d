"""What error codes mean for the events."""

import pytest

pytest.importorskip("confluent_kafka")

from confluent_kafka import KafkaError

from fapilog.sinks.kafka import codes
from fapilog.sinks.kafka.errors import configuration_error, error_of

SECRET = "canary-sesame"


def test_our_codes_are_librdkafkas():
    """The numbers are those of the library that is installed."""
    own = {name: value for name, value in vars(codes).items() if name.isupper()}

    assert own == {name: getattr(KafkaError, f"_{name}") for name in own}
    assert len(own) > 10


@pytest.mark.parametrize("opening", [True, False])
@pytest.mark.parametrize(
    "code", [codes.AUTHENTICATION, codes.SSL, KafkaError.TOPIC_AUTHORIZATION_FAILED, KafkaError.POLICY_VIOLATION]
)
def test_what_a_person_must_mend(code, opening):
    """At the start it is a mistake, later events wait for it; also where it is only the reason of being late."""
    for error in (
        error_of(code, "t", None, opening=opening),
        error_of(codes.MSG_TIMED_OUT, "t", code, opening=opening),
    ):
        assert (error.retryable, error.retry_after) == ((False, None) if opening else (True, 30))


@pytest.mark.parametrize("code", [codes.UNKNOWN_TOPIC, codes.UNKNOWN_PARTITION, KafkaError.UNKNOWN_TOPIC_OR_PART])
def test_a_topic_that_is_missing_is_named(code):
    """It may be created, so it is asked for again, half a minute later."""
    error = error_of(code, "shop.logs", codes.TRANSPORT)

    assert (error.retryable, error.retry_after) == (True, 30)
    assert "'shop.logs'" in str(error)


@pytest.mark.parametrize("code", [*range(-1, 120), *range(-200, -140)])
def test_no_code_blames_the_events_of_a_batch(code):
    """Whatever a broker says, in a write the batch can be sent again: nothing goes to the dead letters unasked."""
    error = error_of(code, "t", None)

    assert error.retryable
    assert error.failed_indexes is None


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('No such configuration property: "a.b"', "librdkafka has no property 'a.b'"),
        (f'Invalid value "{SECRET}" for configuration property "c.d"', "librdkafka refuses the value of 'c.d'"),
        (f"Failed to create producer: ssl.key.location failed: {SECRET}", "refuses the value of 'ssl.key.location'"),
        (SECRET, "librdkafka refuses the configuration"),
    ],
)
def test_a_refused_property_is_named_without_its_value(text, words):
    """Names of properties are told, and nothing else of what librdkafka says."""
    error = configuration_error(ValueError(text), {"ssl.key.location": "x"})

    assert not error.retryable
    assert words in str(error)
    assert SECRET not in str(error)
