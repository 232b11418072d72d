"""A cluster for each test: the topic is empty, and what one test breaks is whole in the next."""

from collections.abc import Iterator
from importlib.util import find_spec

import pytest

from tests.services.kafka import KafkaServer


@pytest.fixture
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[KafkaServer]:
    """Return a running cluster with an empty topic."""
    if find_spec("confluent_kafka") is None:
        pytest.skip("needs confluent_kafka")
    with KafkaServer(tmp_path_factory.mktemp("kafka")) as running:
        yield running
