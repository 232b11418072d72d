"""KafkaOptions: checked when they are made, without secrets in what they show."""

import pytest

from fapilog.errors import ConfigError
from fapilog.sinks.kafka.options import KafkaOptions
from tests.sinks.support import run_program

SECRET = "hunter2-sesame"


@pytest.mark.parametrize(
    ("option", "values"),
    [
        ("servers", ["", "a b", "h:0", "h:99999", "h,", [], [""], None, 5, {"a": 1}, "u:p@h:9092", "kafka://h"]),
        ("topic", ["", "a b", "x" * 250, ".", "..", None, 5, b"x", "ä"]),
        ("key", ["Request", "", None, 5, []]),
        ("compression", ["zip", None, 1]),
        ("tls", ["yes", 1, None]),
        ("ca_file", ["", 5, "ca.pem"]),
        ("sasl_mechanism", ["GSSAPI", "", 5]),
        ("sasl_username", ["me"]),
        ("sasl_password", [SECRET, 5]),
        (
            "config",
            [None, "a=b", {"Linger": "1"}, {1: "x"}, {"acks": "0"}, {"sasl.password": SECRET}, {"debug": "all"}],
        ),
        ("timeout", [0, "999ms", "6 min", None, True]),
        ("name", ["", 5, None]),
    ],
)
def test_a_wrong_value_is_said_with_its_option(option, values):
    """Each value that cannot be used is a ConfigError that names the method and the option, and no secret."""
    for value in values:
        with pytest.raises(ConfigError) as caught:
            KafkaOptions(**{"servers": "localhost", "topic": "logs", option: value})
        assert str(caught.value).startswith(f"add_kafka({option}): "), value
        assert SECRET not in str(caught.value)


def test_a_value_of_config_is_a_text_and_not_shown():
    """Of a wrong value of a property the name is told, and only the type of what was given."""
    with pytest.raises(ConfigError, match=r"add_kafka\(config\['linger\.ms'\]\)") as caught:
        KafkaOptions("h", "t", config={"linger.ms": [SECRET]})

    assert SECRET not in str(caught.value)


@pytest.mark.parametrize("missing", ["sasl_username", "sasl_password"])
def test_a_mechanism_needs_user_and_password(missing):
    """Half a login is a mistake."""
    given = {"sasl_mechanism": "PLAIN", "sasl_username": "me", "sasl_password": SECRET}
    with pytest.raises(ConfigError, match=rf"add_kafka\({missing}\)"):
        KafkaOptions("h", "t", **{**given, missing: None})


def test_servers_are_one_text_or_a_list():
    """Both say the same."""
    servers = ("a:9092", "b", "[::1]:9093")

    assert KafkaOptions("a:9092, b,[::1]:9093", "t").servers == servers
    assert KafkaOptions(list(servers), "t").servers == servers


def test_config_is_taken_by_value():
    """What the caller changes afterwards changes nothing here."""
    given = {"linger.ms": "1"}
    options = KafkaOptions("h", "t", config=given)
    given["linger.ms"] = "2"

    assert options.config == {"linger.ms": "1"}


def test_secrets_are_not_in_the_repr():
    """Password and values of `config` show as ***."""
    login = {"sasl_mechanism": "PLAIN", "sasl_username": "me", "sasl_password": SECRET}
    shown = repr(KafkaOptions("h", "t", config={"ssl.key.password": SECRET}, **login))

    assert SECRET not in shown
    assert "sasl_password='***', config={'ssl.key.password': '***'}" in shown
    assert "sasl_password=None" in repr(KafkaOptions("h", "t"))


def test_options_need_no_confluent_kafka():
    """An application without the extra can still import the options."""
    done = run_program("""
        import sys
        sys.modules["confluent_kafka"] = None
        from fapilog.sinks.kafka.options import KafkaOptions
        KafkaOptions("localhost:9092", "logs")
    """)

    assert done.returncode == 0, done.stderr.decode()
