"""What is known of the server around a request. The real ones are in ``tests/e2e/test_tail.py``."""

import signal
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest

from fapilog.asgi.debug.server import ServerWatch


class Exchange:
    """Stand for the object behind a server's ``receive`` and ``send``."""

    def __init__(self, **attributes: Any) -> None:
        self.__dict__.update(attributes)

    async def receive(self) -> Any:
        raise AssertionError

    async def send(self, message: Any) -> None:
        raise AssertionError


class Server:
    """Stand for an object whose method handles a signal."""

    def __init__(self) -> None:
        self.should_exit: Any = False

    def handle_exit(self, *_: Any) -> None:
        raise AssertionError


def watch(exchange: Exchange) -> ServerWatch:
    return ServerWatch(exchange.receive, exchange.send)


@pytest.fixture
def server() -> Iterator[Server]:
    server = Server()
    before = signal.signal(signal.SIGTERM, server.handle_exit)
    yield server
    signal.signal(signal.SIGTERM, before)


def test_a_connection_that_is_not_to_be_used_again() -> None:
    """uvicorn takes ``keep_alive`` away from open answers when it stops, for whatever reason."""
    exchange = Exchange(keep_alive=True)
    watching = watch(exchange)
    assert not watching.is_stopping()
    exchange.keep_alive = False  # type: ignore[attr-defined]

    assert watching.is_stopping()


@pytest.mark.parametrize("keep_alive", [False, None, 1])
def test_a_connection_that_never_was_to_be_used_again(keep_alive: Any) -> None:
    """A client may ask for that itself; it says nothing of the server."""
    assert not watch(Exchange(keep_alive=keep_alive)).is_stopping()


def test_a_server_that_was_sent_a_signal(server: Server) -> None:
    """The handler of SIGTERM is a method of the server, which knows."""
    watching = watch(Exchange())
    assert not watching.is_stopping()
    server.should_exit = True

    assert watching.is_stopping()


@pytest.mark.parametrize("should_exit", [1, SimpleNamespace(), "yes"])
def test_another_handler_is_not_asked(server: Server, should_exit: Any) -> None:
    """An attribute of that name may be anything, as the event of a supervisor."""
    server.should_exit = should_exit

    assert not watch(Exchange()).is_stopping()


def test_a_server_with_a_context() -> None:
    """hypercorn's knows that it is terminated."""
    terminated = [False]
    context = SimpleNamespace(terminated=SimpleNamespace(is_set=lambda: terminated[0]))
    watching = watch(Exchange(context=context))
    assert not watching.is_stopping()
    terminated[0] = True

    assert watching.is_stopping()


def test_an_unknown_server_is_not_stopping() -> None:
    """Plain functions, and objects that raise when they are looked at."""

    async def receive() -> Any:
        raise AssertionError

    async def send(_message: Any) -> None:
        raise AssertionError

    def broken() -> bool:
        raise RuntimeError

    assert not ServerWatch(receive, send).is_stopping()
    context = SimpleNamespace(terminated=SimpleNamespace(is_set=broken))
    assert not watch(Exchange(context=context)).is_stopping()
    assert not watch(Exchange(context=SimpleNamespace(terminated=7))).is_stopping()


def test_hanging_up() -> None:
    """The transport, if it can be reached, is aborted: what is buffered is not waited for."""
    aborted: list[bool] = []

    def fail() -> None:
        raise OSError

    assert watch(Exchange(transport=SimpleNamespace(abort=lambda: aborted.append(True)))).hang_up()
    assert aborted == [True]
    assert not watch(Exchange(transport=SimpleNamespace(abort=fail))).hang_up()
    assert not watch(Exchange(transport=object())).hang_up()
    assert not watch(Exchange()).hang_up()
