"""One connection: made with a deadline, and dropped when a statement on it was cancelled or took too long.

asyncpg answers a cancelled call by a request of its own, on another connection and in a task of its own, which nobody
waits for and no timeout ends. Here the connection is dropped instead; the server rolls back when it sees that.
"""

import asyncio
import ssl
from collections.abc import Coroutine
from contextlib import suppress
from typing import Any

import asyncpg  # type: ignore[import-untyped]  # it has no types

from fapilog.offload import Offload
from fapilog.sinks.postgres.errors import FAILURES, WrongTableError

_DROPPED_SECONDS = 1.0
_SERVER_SHARE = 0.9
# How bounds of partitions and times are told must not depend on the server's settings.
_SETTINGS = "SET TimeZone = 'UTC'; SET DateStyle = 'ISO'; SET statement_timeout = {}"


async def connect(dsn: str, ca_file: str | None, timeout: float) -> Any:
    """Return a new connection.

    The server is told to give up a little before we do: what waits there for a lock would else be done after all, some
    time after we have sent it again.

    Raises:
        OSError: If the server or the file of certificates cannot be reached, ``TimeoutError`` included.
        ValueError: If a part of the address cannot be read.
        asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError: If the server refuses.
    """
    options: dict[str, Any] = {}
    if ca_file is not None:
        options["ssl"] = await _tls(ca_file)
    if "application_name" not in dsn:
        options["server_settings"] = {"application_name": "fapilog"}
    async with asyncio.timeout(timeout):
        connection = await asyncpg.connect(dsn, timeout=timeout, **options)
    settings = _SETTINGS.format(max(1, int(timeout * _SERVER_SHARE * 1000)))
    await finish(connection, connection.execute(settings), timeout)
    return connection


async def finish(connection: Any, work: Coroutine[Any, Any, Any], seconds: float) -> Any:
    """Return what work on a connection returns; if it is cancelled or late, drop the connection, which ends it.

    Raises:
        TimeoutError: If it took longer.
        asyncio.CancelledError: If the caller was cancelled.
    """
    task = asyncio.ensure_future(work)
    try:
        await asyncio.wait({task}, timeout=max(0, seconds))
        if task.done():
            return task.result()
    except asyncio.CancelledError:
        await _end(connection, task)
        raise
    await _end(connection, task)
    raise TimeoutError


async def close(connection: Any, seconds: float) -> None:
    """Say good-bye, or drop the connection if that takes too long."""
    with suppress(*FAILURES):
        await finish(connection, connection.close(timeout=seconds), seconds)
    if not connection.is_closed():
        connection.terminate()


async def _end(connection: Any, task: asyncio.Future[Any]) -> None:
    connection.terminate()
    with suppress(*FAILURES, asyncio.CancelledError):
        await asyncio.wait_for(task, _DROPPED_SECONDS)


async def _tls(ca_file: str) -> ssl.SSLContext:
    offload = Offload("fapilog-postgres-tls")
    try:
        context: ssl.SSLContext = await offload.run(_read_tls, ca_file)
    except OSError:
        # A file that is missing, unreadable, or holds no certificate.
        raise WrongTableError("the option ca_file names no readable file of certificates (PEM)") from None
    finally:
        offload.close()
    return context


def _read_tls(ca_file: str) -> ssl.SSLContext:
    return ssl.create_default_context(cafile=ca_file)
