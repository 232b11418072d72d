"""Batches, sinks that are closed again, and peers between the sink and the server, or in the server's place."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

from fapilog.protocols import Batch
from fapilog.sinks.redis.options import RedisOptions
from fapilog.sinks.redis.sink import RedisSink

Peer = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


def events_batch(count: int, start: int = 0, **fields: Any) -> Batch:
    """Return a batch of numbered events with their ids."""
    events = [
        {"level": "INFO", "message": "paid", "event_id": f"id-{number}", "sequence": number, **fields}
        for number in range(start, start + count)
    ]
    return Batch([json.dumps(event).encode() + b"\n" for event in events], lambda: events)


@asynccontextmanager
async def opened(url: str, clock: Any = None, **options: Any) -> AsyncIterator[RedisSink]:
    """Return an open sink, which is closed at the end."""
    made = RedisOptions(url, **options)
    sink = RedisSink(made) if clock is None else RedisSink(made, clock)
    try:
        await sink.open()
        yield sink
    finally:
        await sink.close()


@asynccontextmanager
async def peer(serve: Peer) -> AsyncIterator[str]:
    """Serve connections; return the address of it."""
    serving: set[asyncio.Task[Any]] = set()

    async def guarded(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        serving.add(asyncio.current_task())  # type: ignore[arg-type]
        try:
            await serve(reader, writer)
        except (OSError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(guarded, "127.0.0.1", 0)
    try:
        yield f"redis://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    finally:
        server.close()
        for task in serving:
            task.cancel()
        await asyncio.gather(*serving, return_exceptions=True)


async def read_command(reader: asyncio.StreamReader) -> list[bytes]:
    """Return one command of a client.

    Raises:
        asyncio.IncompleteReadError: At the end of the connection.
    """
    count = int((await reader.readuntil(b"\r\n"))[1:])
    parts = []
    for _ in range(count):
        size = int((await reader.readuntil(b"\r\n"))[1:])
        parts.append((await reader.readexactly(size + 2))[:-2])
    return parts


def answering(answers: Callable[[list[bytes]], bytes | None]) -> Peer:
    """Return a peer that answers each command as told, one of None never, and the client's own greetings with OK."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            command = await read_command(reader)
            answer = b"+OK\r\n" if command[0] == b"CLIENT" else answers(command)
            if answer is None:
                await reader.read()
                return
            writer.write(answer)

    return serve


def forwarding(port: int, *limits: int, lose_transaction: bool = False) -> Peer:
    """Return a peer between client and server that breaks connections off.

    Args:
        port: The server's.
        limits: How many bytes it passes on for the first connections; then it breaks off. Later ones are not limited.
        lose_transaction: Whether the answer to the first transaction that is applied is lost, with its connection.
    """
    left = list(limits)
    losing = [lose_transaction]

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        room = left.pop(0) if left else None
        there, back = await asyncio.open_connection("127.0.0.1", port)

        async def answer() -> None:
            while data := await there.read(65536):
                # The only array that is answered is that of EXEC.
                if losing[0] and b"*" in data:
                    losing[0] = False
                    writer.transport.abort()
                    return
                writer.write(data)

        answers = asyncio.create_task(answer())
        try:
            await _pass_on(reader, back, room)
            back.write_eof()
            await answers
        finally:
            answers.cancel()
            back.transport.abort()
            writer.transport.abort()

    return serve


async def _pass_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, room: int | None) -> None:
    while room is None or room > 0:
        data = await reader.read(65536 if room is None else min(room, 65536))
        if not data:
            return
        writer.write(data)
        await writer.drain()
        room = None if room is None else room - len(data)
