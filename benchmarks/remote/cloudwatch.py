"""To CloudWatch Logs: a receiver that costs nothing, and moto, which is what limits both.

Two receivers because each hides something: with the one the senders' own work is all there is, with the other it
hardly shows.
"""

import os
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

import boto3
import orjson
import watchtower

import fapilog
from benchmarks.receiver import free_port, receiving, wait_for
from benchmarks.remote import Sending, Start
from benchmarks.remote.senders import Ours, handled

GROUP = "/bench/shop"
STREAM = "one"
REGION = "eu-central-1"
KEY_ID = "AKIDEXAMPLEEXAMPLE00"
SECRET = "example" * 6
SETUP = {
    "ours_cloudwatch": "add_cloudwatch, batches of 500, to a receiver that only answers",
    "watchtower": "logging, watchtower's CloudWatchLogHandler with its own queue and batches, the JSON formatter",
    "ours_cloudwatch_moto": "add_cloudwatch, batches of 500, to moto",
    "watchtower_moto": "watchtower as above, to moto",
}
Place = tuple[str, Callable[[], Iterable[int]]]
"""The address of the service, and what asks it for the numbers of the events it has."""


@contextmanager
def _answering() -> Iterator[Place]:
    with receiving() as remote:
        yield remote.url, remote.sequences


@contextmanager
def _moto() -> Iterator[Place]:
    port = free_port()
    command = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=_environment()) as process:  # noqa: S603 - ours
        try:
            wait_for(port)
            url = f"http://127.0.0.1:{port}"
            yield url, lambda: _stored(url)
        finally:
            process.kill()


def _environment() -> dict[str, str]:
    # What the machine has of AWS is nobody's business here.
    kept = {key: value for key, value in os.environ.items() if not key.startswith("AWS_")}
    nowhere = {"AWS_CONFIG_FILE": os.devnull, "AWS_SHARED_CREDENTIALS_FILE": os.devnull}
    return kept | nowhere | {"AWS_EC2_METADATA_DISABLED": "true"}


def _stored(url: str) -> Iterator[int]:
    client, token = _client(url), ""
    while True:
        more = {"nextToken": token} if token else {}
        page = client.get_log_events(logGroupName=GROUP, logStreamName=STREAM, startFromHead=True, limit=10_000, **more)
        yield from (orjson.loads(event["message"])["seq"] for event in page["events"])
        if not page["events"] or page["nextForwardToken"] == token:
            return
        token = page["nextForwardToken"]


def _client(url: str) -> Any:
    os.environ.update(_environment())
    session = boto3.session.Session(aws_access_key_id=KEY_ID, aws_secret_access_key=SECRET, region_name=REGION)
    return session.client("logs", endpoint_url=url)


def _ours(place: Callable[[], AbstractContextManager[Place]]) -> Start:
    @contextmanager
    def start(_folder: Path) -> Iterator[Sending]:
        with place() as (url, sequences):

            def add(builder: fapilog.LoggerBuilder) -> fapilog.LoggerBuilder:
                return builder.add_cloudwatch(
                    GROUP, STREAM, url, region=REGION, access_key_id=KEY_ID, secret_access_key=SECRET
                )

            logger = Ours(add)
            yield Sending(logger.emit, logger.settle, sequences)
            logger.stop()

    return start


def _watchtower(place: Callable[[], AbstractContextManager[Place]]) -> Start:
    @contextmanager
    def start(_folder: Path) -> Iterator[Sending]:
        with place() as (url, sequences):
            client = _client(url)
            # Made before the first event: while watchtower makes a stream it drops what is logged.
            client.create_log_group(logGroupName=GROUP)
            client.create_log_stream(logGroupName=GROUP, logStreamName=STREAM)
            handler = watchtower.CloudWatchLogHandler(
                log_group_name=GROUP,
                log_stream_name=STREAM,
                boto3_client=client,
                create_log_group=False,
                create_log_stream=False,
            )
            yield Sending(handled(handler), handler.flush, sequences)
            handler.close()

    return start


STARTS = {
    "ours_cloudwatch": _ours(_answering),
    "watchtower": _watchtower(_answering),
    "ours_cloudwatch_moto": _ours(_moto),
    "watchtower_moto": _watchtower(_moto),
}
