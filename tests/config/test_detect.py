"""Which preset ``"auto"`` stands for: a function of the environment and of the terminal, asked only on demand."""

import pytest

import fapilog
from fapilog.config import presets
from fapilog.config.detect import detect
from fapilog.config.presets import PRESETS, preset
from fapilog.config.settings import Settings

LAMBDA = {"AWS_LAMBDA_FUNCTION_NAME": "orders"}
KUBERNETES = {"KUBERNETES_SERVICE_HOST": "10.0.0.1"}


@pytest.mark.parametrize(
    ("environ", "terminal", "expected"),
    [
        ({}, False, "minimal"),
        ({}, True, "dev"),
        ({"HOME": "/root", "PATH": "/bin"}, True, "dev"),
        (LAMBDA, False, "serverless"),
        (LAMBDA, True, "serverless"),
        ({"AWS_LAMBDA_FUNCTION_NAME": ""}, False, "minimal"),
        ({"AWS_REGION": "eu-west-1"}, False, "minimal"),
        ({"K_SERVICE": "orders"}, False, "serverless"),
        ({"CLOUD_RUN_JOB": "nightly"}, False, "serverless"),
        ({"FUNCTION_TARGET": "handle"}, False, "serverless"),
        ({"FUNCTIONS_WORKER_RUNTIME": "python"}, False, "serverless"),
        (KUBERNETES, False, "production"),
        (KUBERNETES, True, "production"),
        ({**KUBERNETES, "K_SERVICE": "orders"}, False, "serverless"),
        ({**KUBERNETES, "CI": "true"}, False, "production"),
        ({"CI": "true"}, True, "minimal"),
        ({"CI": "1"}, True, "minimal"),
        ({"CI": "false"}, True, "dev"),
        ({"CI": ""}, True, "dev"),
    ],
)
def test_where_a_process_runs(environ: dict[str, str], terminal: bool, expected: str) -> None:
    """The platform's own variables first, then the cluster, then CI, then the terminal."""
    assert detect(environ, terminal=terminal) == expected


def test_auto_is_one_of_the_presets(monkeypatch: pytest.MonkeyPatch) -> None:
    """Along each road; the options know which it was."""
    monkeypatch.setenv("AWS_LAMBDA_FUNCTION_NAME", "orders")
    serverless = PRESETS["serverless"]

    assert preset("auto") is serverless
    assert fapilog.LoggerBuilder().with_preset("auto").options() == serverless
    assert Settings(preset="auto").options() == serverless
    monkeypatch.setenv("FAPILOG_PRESET", "auto")
    assert fapilog.LoggerBuilder().options() == serverless
    assert serverless.preset == "serverless"


def test_nothing_is_detected_unless_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    """A service on Lambda that says nothing gets what it gets everywhere."""
    monkeypatch.setenv("AWS_LAMBDA_FUNCTION_NAME", "orders")
    monkeypatch.setattr(presets, "here", None)

    assert fapilog.LoggerBuilder().options() == PRESETS["minimal"]
    assert fapilog.LoggerBuilder().with_preset("minimal").options() == PRESETS["minimal"]
    assert fapilog.LoggerBuilder().with_preset("dev").options() == PRESETS["dev"]


def test_there_may_be_no_standard_output(monkeypatch: pytest.MonkeyPatch) -> None:
    """As under pythonw."""
    monkeypatch.setattr("sys.stdout", None)

    assert preset("auto").preset in PRESETS
