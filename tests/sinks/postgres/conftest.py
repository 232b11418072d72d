"""One server for the tests of the folder that leave it running, and a schema for each test."""

from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import pytest

from tests.services.postgres import BINARIES, PostgresServer
from tests.sinks.postgres.support import Place


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PostgresServer]:
    """Return the running server."""
    if find_spec("asyncpg") is None or not list(Path("/").glob(BINARIES[1:])):
        pytest.skip("needs asyncpg and PostgreSQL")
    with PostgresServer(tmp_path_factory.mktemp("postgres")) as running:
        yield running


@pytest.fixture
def place(server: PostgresServer) -> Iterator[Place]:
    """Return an empty schema, dropped afterwards."""
    server.execute("DROP SCHEMA IF EXISTS audit CASCADE", "CREATE SCHEMA audit")
    yield Place(server, "audit")
    server.execute("DROP SCHEMA audit CASCADE")
