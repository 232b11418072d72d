"""Advisory locks on open files (``flock``). Where the system or the file system has none, all is granted."""

import sys
from contextlib import suppress

if sys.platform != "win32":
    import fcntl


def try_lock(fd: int, *, exclusive: bool) -> bool:
    """Take the lock, or change the one that is held, without waiting; False if another holder is in the way.

    True also where locks do not exist (Windows, some network file systems): one process is then assumed.
    """
    if sys.platform == "win32":
        return True
    try:
        fcntl.flock(fd, (fcntl.LOCK_EX if exclusive else fcntl.LOCK_SH) | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:
        return True
    return True


def unlock(fd: int) -> None:
    """Give up the lock for all copies of the descriptor, those that a forked child has inherited included."""
    if sys.platform != "win32":
        with suppress(OSError):
            fcntl.flock(fd, fcntl.LOCK_UN)
