"""Writing to a descriptor until all is written."""

import errno
import os
import threading

import pytest

from fapilog.sinks.descriptor import ends_of, write_all
from tests.sinks.support import batch_of


def _drain(fd: int, chunks: list[bytes]) -> None:
    while chunk := os.read(fd, 1000):
        chunks.append(chunk)


@pytest.mark.parametrize("blocking", [True, False])
def test_a_slow_reader_gets_every_byte_in_order(blocking):
    """More than a pipe holds arrives whole, and the descriptor's flag, which others share, is as it was."""
    source, target = os.pipe()
    os.set_blocking(target, blocking)
    data = bytes(range(256)) * 2000
    chunks: list[bytes] = []
    reader = threading.Thread(target=_drain, args=(source, chunks))
    reader.start()

    assert write_all(target, data) == (len(data), None)

    assert os.get_blocking(target) is blocking
    os.close(target)
    reader.join()
    os.close(source)
    assert b"".join(chunks) == data


@pytest.mark.parametrize("blocking", [True, False])
def test_a_reader_that_goes_away_ends_the_write(blocking):
    """A pipe without a reader is an error, also while it is being waited for."""
    source, target = os.pipe()
    os.set_blocking(target, blocking)
    reader = threading.Thread(target=lambda: (os.read(source, 10), os.close(source)))
    reader.start()

    done, error = write_all(target, b"x" * 1_000_000)

    reader.join()
    os.close(target)
    assert done < 1_000_000
    assert error is not None
    assert error.errno == errno.EPIPE


def test_a_full_device_takes_nothing():
    """What the system refuses is returned, not raised."""
    fd = os.open("/dev/full", os.O_WRONLY)
    done, error = write_all(fd, b"x\n")
    os.close(fd)

    assert done == 0
    assert error is not None
    assert error.errno == errno.ENOSPC


def test_a_device_that_takes_nothing_without_an_error_is_one(monkeypatch):
    """No endless loop over a write that returns zero."""
    monkeypatch.setattr(os, "write", lambda fd, data: 0)

    done, error = write_all(1, b"x\n")

    assert done == 0
    assert error is not None
    assert error.errno == errno.EIO


def test_ends():
    """An event's end counts its newline."""
    assert ends_of(batch_of([b"a", b"bcd", b""])) == [2, 6, 7]
