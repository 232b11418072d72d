"""Writing to a file descriptor until all is written, or nothing more can be."""

import errno
import os
import select
from collections.abc import Sequence
from itertools import accumulate

from fapilog.errors import SinkError
from fapilog.protocols import Batch


def write_all(fd: int, data: bytes | memoryview) -> tuple[int, OSError | None]:
    """Write ``data`` and return how many bytes were taken, with the error that ended it, if one did.

    One ``write`` call when the system takes all at once, which it does for regular files. A descriptor that
    somebody has made non-blocking is waited for, without limit, just as a blocking one would be: the flag
    belongs to everyone who shares the descriptor, so it is neither set nor cleared here.
    """
    size = len(data)
    done = 0
    rest = data
    while True:
        try:
            count = os.write(fd, rest)
        except BlockingIOError as error:
            if not _wait_until_writable(fd):
                return done, error
            continue
        except OSError as error:
            return done, error
        done += count
        if done >= size:
            return done, None
        if count == 0:
            return done, OSError(errno.EIO, os.strerror(errno.EIO))
        rest = memoryview(data)[done:]


def ends_of(batch: Batch) -> list[int]:
    """Return for each event the offset in ``batch.lines`` where its line ends."""
    return list(accumulate(len(batch.line(index)) for index in range(len(batch))))


def refusal(where: str, error: OSError, *, retryable: bool, taken: int, ends: Sequence[int]) -> SinkError:
    """Return the error of a batch of which only the first ``taken`` events were taken."""
    text = f"{where}: {error.strerror or error}"
    return SinkError(text, retryable=retryable, failed_indexes=range(taken, len(ends)) if taken else None)


def _wait_until_writable(fd: int) -> bool:
    """Wait; a descriptor whose reader is gone counts as writable, and the next write says so."""
    if not hasattr(select, "poll"):  # Windows, where descriptors of files do not return EAGAIN
        return False
    poll = select.poll()
    poll.register(fd, select.POLLOUT)
    poll.poll()
    return True
