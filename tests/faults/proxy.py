"""A small TCP proxy on loopback that does what networks and dying servers do.

client ─► proxy ─► server           one thread for each direction of each connection
            │
            mode: "pass", "refuse", "hang", "reset", "slow"; changed at any time, for connections already open, too
"""

import socket
import struct
import threading
import time
from contextlib import suppress
from types import TracebackType
from typing import Literal, Self

Mode = Literal["pass", "refuse", "hang", "reset", "slow"]
_CHUNK = 16_384
_SLOW_BYTES = 4_096
_LINGER_NOT = struct.pack("ii", 1, 0)


class Proxy:
    """Forwards to a port of loopback.

    Args:
        port: The server's.

    Attributes:
        port: Where clients connect.
        mode: ``"pass"``; ``"refuse"`` accepts no connection and ends those there are; ``"hang"`` takes bytes and
            forwards none; ``"reset"`` forwards ``reset_after`` bytes of what the client says and ends by RST;
            ``"slow"`` forwards 4 KiB every 10 ms.
        reset_after: See there. Default 100.
        forwarded: How many bytes of the clients went on to the server.
    """

    def __init__(self, port: int) -> None:
        self._target = port
        self.mode: Mode = "pass"
        self.reset_after = 100
        self.forwarded = 0
        self._closing = False
        self._sockets: set[socket.socket] = set()
        self._threads: list[threading.Thread] = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._start(self._accept)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def set(self, mode: Mode) -> None:
        """Change the mode; "refuse" and "reset" end the connections that are open."""
        self.mode = mode
        if mode in ("refuse", "reset"):
            self.drop()

    def drop(self) -> None:
        """End all connections by RST."""
        for it in list(self._sockets):
            _reset(it)

    def close(self) -> None:
        """End everything."""
        self._closing = True
        # Closing alone does not wake a thread that waits in accept.
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self.drop()
        for thread in self._threads:
            thread.join(10)

    def _start(self, target: object, *args: object) -> None:
        thread = threading.Thread(target=target, args=args, name="proxy", daemon=True)  # type: ignore[arg-type]
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        while not self._closing:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            if self.mode == "refuse":
                _reset(client)
                continue
            try:
                server = socket.create_connection(("127.0.0.1", self._target), 5)
            except OSError:
                _reset(client)
                continue
            self._sockets |= {client, server}
            said = [0]
            self._start(self._forward, client, server, said)
            self._start(self._forward, server, client, None)

    def _forward(self, source: socket.socket, target: socket.socket, said: list[int] | None) -> None:
        with suppress(OSError):
            while data := source.recv(_CHUNK):
                while self.mode == "hang" and not self._closing:
                    time.sleep(0.005)
                if said is not None:
                    if self.mode == "reset" and said[0] + len(data) > self.reset_after:
                        target.sendall(data[: self.reset_after - said[0]])
                        break
                    said[0] += len(data)
                    self.forwarded += len(data)
                if self.mode == "slow":
                    for start in range(0, len(data), _SLOW_BYTES):
                        target.sendall(data[start : start + _SLOW_BYTES])
                        time.sleep(0.01)
                else:
                    target.sendall(data)
        for it in (source, target):
            _reset(it) if self.mode == "reset" else _end(it)
            self._sockets.discard(it)


def _reset(it: socket.socket) -> None:
    with suppress(OSError):
        it.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _LINGER_NOT)
        # Wakes a thread that reads; only the close itself is to be seen on the wire.
        it.shutdown(socket.SHUT_RD)
    it.close()


def _end(it: socket.socket) -> None:
    with suppress(OSError):
        it.shutdown(socket.SHUT_RDWR)
    it.close()
