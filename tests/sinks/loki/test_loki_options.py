"""What can be chosen, what is refused and how it is said."""

import subprocess
import sys

import pytest

from fapilog import LoggerBuilder
from fapilog.errors import ConfigError
from fapilog.sinks.loki.options import LokiOptions, metadata_name
from fapilog.sinks.loki.sink import LokiSink
from tests.sinks.support import SRC

URL = "https://loki.example.com"
SECRET = "hunter2-hunter2"


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("url", "ftp://loki"),
        ("url", 7),
        ("labels", ["app"]),
        ("labels", {"0app": "shop"}),
        ("labels", {"my-app": "shop"}),
        ("labels", {"__name__": "shop"}),
        ("labels", {"äpp": "shop"}),
        ("labels", {7: "shop"}),
        ("labels", {"app": ""}),
        ("labels", {"app": 7}),
        ("labels", {"app": "\ud800"}),
        ("labels", {"app": "x" * 2_049}),
        ("label_fields", "level"),
        ("label_fields", ["request_id"]),
        ("label_fields", ["level", "trace_id"]),
        ("label_fields", ["user"]),
        ("label_fields", []),
        ("label_fields", ["logger"]),
        ("max_streams", 0),
        ("max_streams", True),
        ("structured_metadata", "request_id"),
        ("structured_metadata", ["a.b", "a_b"]),
        ("structured_metadata", [f"f{number}" for number in range(16)]),
        ("protocol", "grpc"),
        ("compression", "zstd"),
        ("compression", None),
        ("tenant", "a/b"),
        ("tenant", 7),
        ("bearer", "a\nb"),
        ("username", "a:b"),
        ("ca_file", 7),
        ("verify", 1),
        ("timeout", 0),
        ("timeout", "soon"),
        ("allow_insecure", "no"),
        ("name", ""),
    ],
)
def test_a_wrong_value_names_its_option(option, value) -> None:
    """Each wrong value or type is a ConfigError that begins with the method and the option."""
    with pytest.raises(ConfigError, match=rf"^add_loki\({option}"):
        LokiOptions(**{"url": URL, option: value})


def test_a_field_of_many_values_is_refused_as_label_with_the_reason() -> None:
    """The error says that each value is a stream, and where ids belong instead."""
    with pytest.raises(ConfigError, match=r"'request_id' cannot be used.*stream of its own.*structured_metadata"):
        LokiOptions(URL, label_fields=["request_id"])


def test_a_label_may_not_be_static_and_dynamic() -> None:
    """Which of the two would win is left to nobody."""
    with pytest.raises(ConfigError, match=r"'env' cannot be used"):
        LokiOptions(URL, {"env": "prod"})


def test_more_labels_than_loki_takes_are_refused() -> None:
    """Twelve static ones and four fields make sixteen."""
    with pytest.raises(ConfigError, match="16 cannot be used; allowed: at most 15"):
        LokiOptions(URL, {f"l{n}": "x" for n in range(12)}, label_fields=["level", "logger", "host", "version"])


def test_protobuf_is_not_compressed_twice() -> None:
    """A push in protobuf is sent in snappy."""
    with pytest.raises(ConfigError, match=r"^add_loki\(compression\): 'gzip' cannot be used"):
        LokiOptions(URL, protocol="protobuf", compression="gzip")


def test_a_password_without_a_name_is_refused() -> None:
    """Basic authentication needs both, and the error shows neither."""
    with pytest.raises(ConfigError, match=r"^add_loki\(username\)") as caught:
        LokiOptions(URL, password=SECRET)
    assert SECRET not in str(caught.value)


def test_credentials_do_not_go_over_plain_http_to_others() -> None:
    """Only to this machine, over TLS, or where it is asked for."""
    with pytest.raises(ConfigError, match=r"^add_loki\(url\)"):
        LokiOptions("http://loki.example.com", bearer=SECRET)
    LokiOptions("http://loki.example.com", bearer=SECRET, allow_insecure=True)
    LokiOptions("http://127.0.0.1:3100", bearer=SECRET)


@pytest.mark.parametrize(
    ("url", "push_url"),
    [
        (URL, f"{URL}/loki/api/v1/push"),
        (f"{URL}/", f"{URL}/loki/api/v1/push"),
        (f"{URL}/loki/api/v1/push", f"{URL}/loki/api/v1/push"),
        (f"{URL}/behind/a/proxy", f"{URL}/behind/a/proxy"),
        ("http://me:pw@127.0.0.1:3100", "http://me:pw@127.0.0.1:3100/loki/api/v1/push"),
    ],
)
def test_the_path_is_added_where_there_is_none(url, push_url) -> None:
    """A base URL is enough; a path is taken as it is."""
    assert LokiOptions(url).push_url == push_url


def test_nothing_secret_is_shown() -> None:
    """The repr of options and sink shows where to, not how to log in."""
    options = LokiOptions(f"https://me:{SECRET}@loki.example.com/{SECRET}", {"app": "shop"})
    others = LokiOptions(URL, username="me", password=SECRET)
    shown = f"{options!r} {others!r} {LokiSink(options)!r} {LokiSink(others)!r} {LokiSink(others).health()}"

    assert SECRET not in shown
    assert "https://loki.example.com" in shown


def test_names_of_metadata_are_names_that_loki_takes() -> None:
    """Other characters are `_`."""
    assert [metadata_name(name) for name in ("request_id", "http.route", "0day")] == [
        "request_id",
        "http_route",
        "_0day",
    ]


def test_the_builder_takes_the_same_options() -> None:
    """`add_loki` keeps a LokiOptions with the defaults of the class."""
    built = LoggerBuilder().add_loki(URL, {"app": "shop"})._sinks
    assert [repr(options) for options in built] == [repr(LokiOptions(URL, {"app": "shop"}))]
    assert built == [LokiOptions(URL, {"app": "shop"})]


@pytest.mark.parametrize("protocol", ["json", "protobuf"])
def test_only_protobuf_needs_its_libraries(protocol) -> None:
    """Without protobuf and cramjam JSON works, and protobuf says what to install."""
    program = f"""
import sys
sys.modules["cramjam"] = sys.modules["google.protobuf"] = None
from fapilog.sinks.loki.options import LokiOptions
assert "httpx" not in sys.modules
from fapilog.sinks.loki.sink import LokiSink
LokiSink(LokiOptions("{URL}", protocol="{protocol}"))
"""
    environ = {"PYTHONPATH": str(SRC)}
    done = subprocess.run([sys.executable, "-c", program], env=environ, capture_output=True, text=True, check=False)

    if protocol == "json":
        assert (done.returncode, done.stderr) == (0, "")
    else:
        assert "pip install 'fapilog[loki]'" in done.stderr
