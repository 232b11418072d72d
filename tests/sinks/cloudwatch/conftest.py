"""One server for all tests of the folder, standing at the time of the fake clock; a group for each test."""

from collections.abc import Iterator
from importlib.util import find_spec

import pytest

from fapilog.testing.fakes import EPOCH_NS
from tests.services.cloudwatch import CloudwatchServer

NOW_MS = EPOCH_NS // 1_000_000


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[CloudwatchServer]:
    """Return the running server."""
    if find_spec("moto") is None:
        pytest.skip("needs moto")
    with CloudwatchServer(tmp_path_factory.mktemp("cloudwatch"), NOW_MS) as running:
        yield running


@pytest.fixture
def group(request: pytest.FixtureRequest) -> str:
    """Return the name of a log group that no other test has."""
    return "/test/" + "".join(c if c.isalnum() else "-" for c in request.node.name)


@pytest.fixture(autouse=True)
def _no_aws_of_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep boto3 from what the machine has of AWS: files, environment, the metadata service."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_REGION", "AWS_DEFAULT_REGION"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_CONFIG_FILE", "/dev/null")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", "/dev/null")
