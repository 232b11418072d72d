"""One server for all tests of the folder, a stream for each test, and sinks that are closed again."""

import shutil
from collections.abc import Iterator

import pytest

from tests.services.redis import COMMAND, RedisServer


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    """Return the running server, which knows the user `writer`."""
    if shutil.which(COMMAND) is None:
        pytest.skip("needs redis-server")
    with RedisServer(tmp_path_factory.mktemp("redis")) as running:
        yield running


@pytest.fixture
def key(request: pytest.FixtureRequest) -> str:
    """Return the name of a stream that no other test has."""
    return f"test:{request.node.name}"
