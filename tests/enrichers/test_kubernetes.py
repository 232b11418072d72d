"""Which pod this is: variables, attributes and files, and nothing where there is no pod."""

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.semconv._incubating.attributes import k8s_attributes

from fapilog.enrichers.kubernetes import (
    _VARIABLES,
    MAX_NAMED,
    MAX_VALUE,
    NAMESPACE_FILE,
    KubernetesOptions,
    kubernetes_fields,
    read_file,
)
from fapilog.errors import ConfigError

POD = {"KUBERNETES_SERVICE_HOST": "10.0.0.1"}
DEFAULT = KubernetesOptions()
Root = Callable[..., Callable[[str], str]]


@pytest.fixture
def root(tmp_path: Path) -> Root:
    """Return a function that fills a folder with files by their absolute path, and gives a reader of that folder."""

    def fill(**files: str) -> Callable[[str], str]:
        for path, text in files.items():
            file = tmp_path / path.lstrip("/")
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text, "utf-8")
        return lambda path: read_file(f"{tmp_path}{path}")

    return fill


def go_quoted(text: str) -> str:
    """Return a text as Go's ``%q`` writes it: what it escapes, and how, is that of ``strconv.Quote``."""
    short = {"\a": r"\a", "\b": r"\b", "\f": r"\f", "\n": r"\n", "\r": r"\r", "\t": r"\t", "\v": r"\v"}
    short |= {"\\": r"\\", '"': r"\""}

    def one(c: str) -> str:
        if c in short:
            return short[c]
        if c < " " or c == "\x7f":
            return f"\\x{ord(c):02x}"
        if c.isprintable():
            return c
        return f"\\u{ord(c):04x}" if ord(c) < 0x10000 else f"\\U{ord(c):08x}"

    return '"' + "".join(map(one, text)) + '"'


@pytest.mark.parametrize(
    ("enabled", "environ", "looks"),
    [
        (None, {}, False),
        (None, {"KUBERNETES_SERVICE_HOST": ""}, False),
        (None, POD, True),
        (True, {}, True),
        (False, POD, False),
    ],
)
def test_it_looks_in_a_pod_unless_told_otherwise(
    root: Root, enabled: bool | None, environ: dict[str, str], looks: bool
) -> None:
    """Outside of one, ``POD_NAME`` is somebody else's variable and no file is opened."""
    asked: list[str] = []
    files = root(**{"/etc/podinfo/labels": 'app="shop"'})
    fields = kubernetes_fields(
        KubernetesOptions(enabled, labels=["app"]),
        {**environ, "POD_NAME": "shop-1"},
        lambda path: asked.append(path) or files(path),  # type: ignore[func-returns-value]
    )

    assert fields == ({"k8s.pod.name": "shop-1", "k8s.pod.label.app": "shop"} if looks else {})
    assert bool(asked) is looks


@pytest.mark.parametrize(
    ("variable", "key"), [(variable, key) for key, variables in _VARIABLES.items() for variable in variables]
)
def test_each_customary_variable_is_read(variable: str, key: str) -> None:
    """By itself."""
    assert kubernetes_fields(DEFAULT, {**POD, variable: " x "}, lambda _: "") == {key: "x"}


def test_every_key_is_one_of_the_conventions() -> None:
    """As OpenTelemetry's own package has them."""
    known = {value for name, value in vars(k8s_attributes).items() if name.startswith("K8S_")}

    assert set(_VARIABLES) | {"k8s.pod.label", "k8s.pod.annotation"} <= known


@pytest.mark.parametrize("variables", [it for it in _VARIABLES.values() if len(it) > 1], ids=lambda it: it[0])
def test_the_first_variable_that_says_something_wins(variables: tuple[str, ...]) -> None:
    """An empty one says nothing."""
    environ = {**POD, **{name: name for name in variables}}
    whole = kubernetes_fields(DEFAULT, environ, lambda _: "")
    without = kubernetes_fields(DEFAULT, {**environ, variables[0]: " "}, lambda _: "")

    assert (*whole.values(), *without.values()) == variables[:2]


def test_variables_come_before_attributes_and_those_before_files(root: Root) -> None:
    """A variable is what the manifest says about this container alone."""
    read = root(**{"/etc/podinfo/name": "file\n", "/etc/podinfo/uid": "file", "/etc/podinfo/namespace": "file"})
    environ = {**POD, "POD_NAME": "variable", "OTEL_RESOURCE_ATTRIBUTES": "k8s.pod.name=x,k8s.pod.uid=attribute,a=b"}

    assert kubernetes_fields(DEFAULT, environ, read) == {
        "k8s.namespace.name": "file",
        "k8s.pod.name": "variable",
        "k8s.pod.uid": "attribute",
    }


def test_of_the_attributes_only_those_of_the_pod_are_taken() -> None:
    """Labels that nobody named stay out, also this way."""
    attributes = "k8s.deployment.name=shop,k8s.pod.label.owner=ann,service.name=shop,k8s.pod.name=%E2%82%AC"

    assert kubernetes_fields(DEFAULT, {**POD, "OTEL_RESOURCE_ATTRIBUTES": attributes}, lambda _: "") == {
        "k8s.pod.name": "€",
        "k8s.deployment.name": "shop",
    }


def test_the_namespace_is_that_of_the_service_account_if_nothing_else_tells_it(root: Root) -> None:
    """Every pod with a token has that file."""
    assert kubernetes_fields(DEFAULT, POD, root(**{NAMESPACE_FILE: "payments"})) == {"k8s.namespace.name": "payments"}


def test_only_labels_and_annotations_that_are_named_are_taken(root: Root) -> None:
    """In the order of the options; one that the pod lacks is no field, an empty one is."""
    read = root(
        **{
            "/mnt/labels": 'app="shop"\napp.kubernetes.io/name="shop-api"\nempty=""\nowner="ann"',
            "/mnt/annotations": 'note="two\\nlines \\"quoted\\" \\u202e"\nowner="ben"\n',
        }
    )
    options = KubernetesOptions(
        labels=["empty", "app.kubernetes.io/name", "missing"], annotations=["note"], path="/mnt"
    )

    assert list(kubernetes_fields(options, POD, read).items()) == [
        ("k8s.pod.label.empty", ""),
        ("k8s.pod.label.app.kubernetes.io/name", "shop-api"),
        ("k8s.pod.annotation.note", 'two\nlines "quoted" \u202e'),
    ]


@given(st.dictionaries(st.from_regex(r"[a-z0-9./_-]{1,20}", fullmatch=True), st.text(), max_size=5))
def test_what_the_kubelet_writes_is_read_back(labels: dict[str, str]) -> None:
    """Whatever a value holds."""
    text = "\n".join(f"{key}={go_quoted(value)}" for key, value in sorted(labels.items()))
    named = [name for name in labels if name[0].isalnum() and name[-1].isalnum()]

    fields = kubernetes_fields(KubernetesOptions(labels=named), POD, lambda path: text if "labels" in path else "")

    cut = {key: value if len(value) <= MAX_VALUE else value[: MAX_VALUE - 1] + "…" for key, value in labels.items()}
    assert fields == {f"k8s.pod.label.{name}": cut[name] for name in named}


@given(st.text(alphabet='ab="\\ux \n0dD8\r', max_size=60) | st.text())
def test_no_file_raises(text: str) -> None:
    """A malformed line is passed over; what comes out is text that can be written."""
    options = KubernetesOptions(labels=["a", "b"], annotations=["ab"])

    for value in kubernetes_fields(options, POD, lambda _: text).values():
        assert len(value) <= MAX_VALUE


@pytest.mark.parametrize(
    ("escaped", "value"),
    [
        (r"\ud800", "\ufffd"),
        (r"\UFFFFFFFF", "\ufffd"),
        (r"\U0001F600", "😀"),
        (r"\x1b[0m", "\x1b[0m"),
        (r"\q\u12", "qu12"),
    ],
)
def test_an_escape_that_go_would_not_write_does_no_harm(escaped: str, value: str) -> None:
    """No lone surrogate, nothing over the last code point."""
    read = {"/etc/podinfo/labels": f'a="{escaped}"'}

    fields = kubernetes_fields(KubernetesOptions(labels=["a"]), POD, lambda path: read.get(path, ""))

    assert fields == {"k8s.pod.label.a": value}
    json.dumps(fields).encode()


def test_long_values_are_cut(root: Root) -> None:
    """An annotation may have 256 KiB; it would be on every event."""
    read = root(**{"/etc/podinfo/annotations": f'a="{"x" * 300_000}"', "/etc/podinfo/name": "y" * 5_000})

    fields = kubernetes_fields(KubernetesOptions(annotations=["a"]), POD, read)

    assert fields == {"k8s.pod.name": "y" * 255 + "…", "k8s.pod.annotation.a": "x" * 255 + "…"}


def test_a_file_that_cannot_be_read_is_empty(tmp_path: Path) -> None:
    """Missing, a folder, no UTF-8, without the right to read: no reason not to start."""
    (tmp_path / "binary").write_bytes(b"a\xffb")
    closed = tmp_path / "closed"
    closed.write_text("x")
    closed.chmod(0)

    assert read_file(str(tmp_path / "missing")) == ""
    assert read_file(str(tmp_path)) == ""
    assert read_file(f"{tmp_path}/binary/below") == ""
    assert read_file(str(tmp_path / "binary")) == "a\ufffdb"
    assert read_file(str(closed)) == ("x" if os.access(closed, os.R_OK) else "")


def test_a_huge_file_is_read_in_part(tmp_path: Path) -> None:
    """A path set by mistake does not fill the memory."""
    (tmp_path / "big").write_bytes(b"x" * 3_000_000)

    assert len(read_file(str(tmp_path / "big"))) == 1_048_576


@pytest.mark.parametrize(
    ("option", "value"),
    [
        *[("enabled", value) for value in (1, 0, "yes", [])],
        *[(name, value) for name in ("labels", "annotations") for value in (
            None, "app", 7, [7], [""], ["two words"], ["{not this]"], ["-a"], ["a" * 400], ["a"] * (MAX_NAMED + 1)
        )],
        *[("path", value) for value in (None, "", " ", 7, b"/etc", "a\0b")],
    ],
    ids=lambda value: repr(value)[:30],
)  # fmt: skip
def test_a_wrong_value_names_the_method(option: str, value: Any) -> None:
    """And what is allowed, never by a ``TypeError``."""
    with pytest.raises(ConfigError, match=rf"^with_kubernetes\({option}\): .*allowed: "):
        KubernetesOptions(**{option: value})


def test_options_are_kept_as_tuples() -> None:
    """Whatever sequence they came in, equal options are equal."""
    names = ["app"]
    options = KubernetesOptions(labels=names)
    names.append("other")

    assert options == KubernetesOptions(labels=("app",))
