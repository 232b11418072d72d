"""What the tests of the sink share."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import boto3

from fapilog.sinks.cloudwatch.sink import CloudwatchSink
from tests.services.cloudwatch import ACCESS_KEY_ID, REGION, SECRET_ACCESS_KEY, CloudwatchServer


@asynccontextmanager
async def opened(sink: CloudwatchSink) -> AsyncIterator[CloudwatchSink]:
    """Open a sink and close it afterwards."""
    await sink.open()
    try:
        yield sink
    finally:
        await sink.close()


def boto_client(server: CloudwatchServer) -> Any:
    """Return a client of the test's own, to look and to prepare."""
    session = boto3.session.Session(ACCESS_KEY_ID, SECRET_ACCESS_KEY, region_name=REGION)
    return session.client("logs", endpoint_url=server.endpoint_url)
