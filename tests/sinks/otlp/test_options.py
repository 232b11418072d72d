"""The options: checked when they are made, shown without their secrets, importable without a library."""

import subprocess
import sys
from typing import Any

import pytest

from fapilog.errors import ConfigError
from fapilog.sinks.otlp.options import OtlpOptions

SECRET = "s3cr3t-t0ken"
WRONG: list[tuple[str, Any]] = [
    ("endpoint", 7),
    ("endpoint", ""),
    ("endpoint", f"ftp://{SECRET}"),
    ("endpoint", f"http://localhost/{SECRET} x"),
    ("endpoint", f"http://localhost#{SECRET}"),
    ("endpoint", f"{SECRET}@localhost:4317"),
    ("protocol", "http/json"),
    ("protocol", 7),
    ("protocol", ["grpc"]),
    ("headers", f"a={SECRET}"),
    ("headers", [("a", SECRET)]),
    ("headers", {"a b": SECRET}),
    ("headers", {"a": f"{SECRET}\r\n"}),
    ("headers", {"a": 7}),
    ("headers", {"Content-Type": SECRET}),
    ("compression", "zstd"),
    ("compression", True),
    ("timeout", 0),
    ("timeout", "soon"),
    ("timeout", [1]),
    ("ca_file", 7),
    ("ca_file", ""),
    ("client_cert", b"x"),
    ("client_key", "/key.pem"),
    ("insecure", "yes"),
    ("insecure", 1),
    ("resource", SECRET),
    ("resource", {"a": [SECRET]}),
    ("resource", {7: SECRET}),
    ("resource", {"a": 7}),
    ("resource", {"": SECRET}),
    ("name", ""),
    ("name", 7),
]


@pytest.mark.parametrize(("option", "value"), WRONG)
def test_a_wrong_value_is_refused_by_its_name_and_not_shown_if_it_may_be_a_secret(option: str, value: Any) -> None:
    """Each wrong value or type is a ConfigError that names the option."""
    with pytest.raises(ConfigError) as caught:
        OtlpOptions(**{option: value})
    assert str(caught.value).startswith("add_otlp(")
    assert SECRET not in str(caught.value)


def test_an_endpoint_without_scheme_is_one_of_grpc_only() -> None:
    """host:port is refused where HTTP was chosen."""
    assert OtlpOptions("collector:4317", "grpc").endpoint == "collector:4317"
    with pytest.raises(ConfigError, match="endpoint"):
        OtlpOptions("collector:4317", "http/protobuf")


def test_the_repr_shows_everything_but_secrets() -> None:
    """Header values, user, password and path of the endpoint are not in the repr; names and hosts are."""
    options = OtlpOptions(f"https://me:{SECRET}@collector:4318/{SECRET}/v1/logs?{SECRET}", headers={"api-key": SECRET})
    shown = repr(options)
    assert SECRET not in shown
    assert "https://collector:4318" in shown
    assert "{'api-key': '***'}" in shown
    assert "'collector:4317'" in repr(OtlpOptions("collector:4317", "grpc"))


def test_the_options_are_imported_without_a_library() -> None:
    """A configuration can be read where httpx, grpc and protobuf are not installed."""
    code = "import sys, fapilog.sinks.otlp.options; print(*{'httpx', 'grpc', 'google.protobuf'} & {*sys.modules})"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, check=True).stdout.split() == []
