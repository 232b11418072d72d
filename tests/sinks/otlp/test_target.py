"""Where the sink sends: options first, then the variables for logs, then the general ones, then the defaults."""

from typing import Any

import pytest

from fapilog.errors import ConfigError
from fapilog.sinks.otlp.options import OtlpOptions
from fapilog.sinks.otlp.sink import OtlpSink
from fapilog.sinks.otlp.target import PREFIX, Target, target_of

SECRET = "s3cr3t-t0ken"


def target(options: OtlpOptions | None = None, **variables: str) -> Target:
    return target_of(options or OtlpOptions(), {PREFIX + name: value for name, value in variables.items()})


@pytest.mark.parametrize(
    ("options", "variables", "url"),
    [
        ({}, {}, "http://localhost:4318/v1/logs"),
        ({"protocol": "grpc"}, {}, "http://localhost:4317"),
        ({}, {"PROTOCOL": "grpc"}, "http://localhost:4317"),
        ({}, {"ENDPOINT": "http://localhost:1"}, "http://localhost:1/v1/logs"),
        ({}, {"ENDPOINT": "http://localhost:1/"}, "http://localhost:1/v1/logs"),
        ({}, {"ENDPOINT": "http://localhost:1/base"}, "http://localhost:1/base/v1/logs"),
        ({}, {"ENDPOINT": "http://localhost:1", "LOGS_ENDPOINT": "http://localhost:2/x"}, "http://localhost:2/x"),
        ({}, {"ENDPOINT": "http://localhost:1", "LOGS_ENDPOINT": " "}, "http://localhost:1/v1/logs"),
        ({"endpoint": "http://localhost:3"}, {"LOGS_ENDPOINT": "http://localhost:2"}, "http://localhost:3"),
        ({"protocol": "grpc"}, {"ENDPOINT": "http://localhost:1"}, "http://localhost:1"),
        ({"protocol": "grpc"}, {"ENDPOINT": "localhost:1"}, "https://localhost:1"),
        ({"protocol": "grpc"}, {"ENDPOINT": "localhost:1", "INSECURE": "true"}, "http://localhost:1"),
        ({"protocol": "grpc"}, {"ENDPOINT": "localhost:1", "INSECURE": "tRuE"}, "http://localhost:1"),
        ({"protocol": "grpc"}, {"ENDPOINT": "localhost:1", "INSECURE": "1"}, "https://localhost:1"),
        ({"protocol": "grpc"}, {"ENDPOINT": "localhost:1", "LOGS_INSECURE": "true"}, "http://localhost:1"),
        (
            {"protocol": "grpc"},
            {"ENDPOINT": "localhost:1", "INSECURE": "true", "LOGS_INSECURE": "false"},
            "https://localhost:1",
        ),
        ({"protocol": "grpc", "endpoint": "localhost:1", "insecure": True}, {}, "http://localhost:1"),
        ({"protocol": "grpc", "endpoint": "https://localhost:1", "insecure": True}, {}, "https://localhost:1"),
        ({"endpoint": "localhost:1"}, {"PROTOCOL": "grpc"}, "https://localhost:1"),
    ],
)
def test_the_endpoint_follows_the_rules_of_the_specification(
    options: dict[str, Any], variables: dict[str, str], url: str
) -> None:
    """Only the general variable is a base to which the path of logs is appended; everything else is taken as it is."""
    assert target(OtlpOptions(**options), **variables).url == url


def test_the_variables_for_logs_win_over_the_general_ones() -> None:
    """Each setting is read for logs first; an option wins over both."""
    general = {"PROTOCOL": "grpc", "HEADERS": "a=1", "TIMEOUT": "3", "COMPRESSION": "gzip", "CERTIFICATE": "/ca"}
    found = target(**general, CLIENT_CERTIFICATE="/cert", CLIENT_KEY="/key")._replace(secrets=())
    assert found == Target(
        "grpc",
        "http://localhost:4317",
        "http://localhost:4317",
        False,
        {"a": "1"},
        (),
        "gzip",
        3.0,
        "/ca",
        "/cert",
        "/key",
    )
    logs = {
        "LOGS_PROTOCOL": "http/protobuf",
        "LOGS_HEADERS": "b=2",
        "LOGS_TIMEOUT": "4",
        "LOGS_COMPRESSION": "none",
        "LOGS_CERTIFICATE": "/logs",
        "LOGS_CLIENT_CERTIFICATE": "/logs-cert",
        "LOGS_CLIENT_KEY": "/logs-key",
    }
    found = target(**general, CLIENT_CERTIFICATE="/cert", CLIENT_KEY="/key", **logs)
    assert (found.client_cert, found.client_key) == ("/logs-cert", "/logs-key")
    assert (found.protocol, found.headers, found.timeout_seconds) == ("http/protobuf", {"b": "2"}, 4.0)
    assert (found.compression, found.ca_file) == ("none", "/logs")
    options = OtlpOptions(None, "grpc", {}, "gzip", "5s", "/mine")
    found = target(options, **general, **logs)
    assert (found.protocol, found.headers, found.timeout_seconds) == ("grpc", {}, 5.0)
    assert (found.compression, found.ca_file) == ("gzip", "/mine")


@pytest.mark.parametrize(
    ("value", "seconds"),
    [("10", 10), ("0.5", 0.5), ("999", 999), ("1000", 1), ("10000", 10), ("2s", 2), ("5 min", 300)],
)
def test_the_timeout_is_understood_in_seconds_and_in_milliseconds(value: str, seconds: float) -> None:
    """Python's own packages read seconds, the specification says milliseconds: below 1000 it is seconds."""
    assert target(TIMEOUT=value).timeout_seconds == seconds


def test_headers_of_the_environment_are_percent_decoded() -> None:
    """The form is that of the specification: pairs with commas between, values percent-encoded."""
    found = target(HEADERS="api-key=a%20b%3Dc, X-Scope = tenant=1 ,")
    assert found.headers == {"api-key": "a b=c", "X-Scope": "tenant=1"}


def test_metadata_of_grpc_has_names_in_lower_case_and_the_login_of_the_url() -> None:
    """gRPC refuses upper case; a user name in the URL is sent as it would be over HTTP."""
    options = OtlpOptions("https://me:pass@localhost:1", "grpc", {"X-Scope": "t"})
    found = target(options)
    assert found.headers == {"x-scope": "t", "authorization": "Basic bWU6cGFzcw=="}
    assert found.shown == "https://localhost:1"
    assert "pass" not in repr(found)


@pytest.mark.parametrize("name", ["grpc-status", "token-bin", "a!b"])
def test_a_header_that_grpc_cannot_send_is_found_when_the_sink_is_made(name: str) -> None:
    """Metadata of gRPC takes fewer names than HTTP does."""
    assert target(OtlpOptions(headers={name: SECRET})).headers
    with pytest.raises(ConfigError, match=name) as caught:
        target(OtlpOptions(None, "grpc", {name: SECRET}))
    assert SECRET not in str(caught.value)


@pytest.mark.parametrize(
    "variables",
    [
        {"PROTOCOL": "http/json"},
        {"COMPRESSION": "snappy"},
        {"TIMEOUT": "soon"},
        {"TIMEOUT": "0"},
        {"ENDPOINT": f"ftp://{SECRET}@localhost"},
        {"ENDPOINT": f"localhost/{SECRET}"},
        {"HEADERS": SECRET},
        {"HEADERS": f"a b={SECRET}"},
        {"HEADERS": f"a={SECRET}%0a"},
        {"LOGS_HEADERS": f"content-type={SECRET}"},
    ],
)
def test_a_wrong_variable_is_named_and_its_secret_is_not_shown(variables: dict[str, str]) -> None:
    """What cannot be used is found when the sink is made, by the variable's name."""
    with pytest.raises(ConfigError) as caught:
        OtlpSink(OtlpOptions(), environ={PREFIX + name: value for name, value in variables.items()})
    assert PREFIX + next(iter(variables)) in str(caught.value)
    assert SECRET not in str(caught.value)


def test_a_token_goes_to_another_machine_only_under_tls() -> None:
    """A header that is named like a credential is not sent over plain HTTP to a host that is not this one."""
    headers = {"api-key": SECRET}
    for endpoint in ("http://collector:4318/v1/logs", "http://10.0.0.1"):
        with pytest.raises(ConfigError, match="insecure") as caught:
            target(OtlpOptions(endpoint, headers=headers))
        assert SECRET not in str(caught.value)
        assert target(OtlpOptions(endpoint, headers=headers, insecure=True)).headers == headers
    assert target(OtlpOptions("https://collector:4318/v1/logs", headers=headers)).secure
    assert target(OtlpOptions("http://127.0.0.1:4318/v1/logs", headers=headers)).headers == headers


def test_the_resource_of_the_environment_is_sent_along() -> None:
    """All of OTEL_RESOURCE_ATTRIBUTES reaches the resource; an option of the same name wins."""
    environ = {"OTEL_RESOURCE_ATTRIBUTES": "team=shop,zone=a"}
    sink = OtlpSink(OtlpOptions(resource={"zone": "b"}), environ=environ)
    assert sink._resource == {"team": "shop", "zone": "b"}
