"""Failed tries: counted by address, so that nobody can guess for long, and told in the log, so that somebody knows."""

import math
from collections import OrderedDict
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from ipaddress import IPv6Address, ip_address, ip_network
from threading import Lock
from typing import Any, NamedTuple

from fapilog.clock import SYSTEM_CLOCK, Clock

REFUSED = "debug_access_refused"
MAX_TRIES = 10
SECONDS = 60.0
MAX_ADDRESSES = 1_024
_PREFIX = 64

Report = Callable[[str, dict[str, Any]], None]


class _Untold(NamedTuple):
    """Failures that were not logged yet, and the latest of them."""

    client: str = ""
    reason: str = ""
    failures: int = 0


_NOTHING = _Untold()


@dataclass
class _Window:
    """The minute of an address."""

    ends: float
    failed: int = 0
    untold: _Untold = _NOTHING


class Tries:
    """Counts failed tries of each address for a minute from its first one on. Thread-safe.

    After ten an address is shut out until its minute is over. An IPv6 network of 64 bits counts as one address: a
    host has that many to choose from. At most 1 024 are remembered; the oldest leaves.

    Args:
        report: Takes what is to be logged: the first failure of an address, and then at most one event a minute with
            the sum of those since; None if somebody else tells them.
        clock: For the minute.
    """

    def __init__(self, report: Report | None, clock: Clock = SYSTEM_CLOCK) -> None:
        """Begin with nobody."""
        self._report = report
        self._clock = clock
        self._windows: OrderedDict[str, _Window] = OrderedDict()
        self._lock = Lock()

    def shut_out(self, client: str) -> int:
        """Return for how many seconds an address is shut out, rounded up; 0 if it is not."""
        now = self._clock.monotonic()
        with self._lock:
            told = self._over(now)
            window = self._windows.get(_key(client))
            seconds = math.ceil(window.ends - now) if window is not None and window.failed >= MAX_TRIES else 0
        self._tell(told)
        return seconds

    def fail(self, client: str, reason: str, *, counts: bool = True) -> None:
        """Note a failed try.

        Args:
            client: Whose.
            reason: Why it failed, for the log.
            counts: Whether it could have been a guess; what could not is told, and shuts nobody out.
        """
        key, now = _key(client), self._clock.monotonic()
        with self._lock:
            former = self._windows.get(key)
            if former is not None and former.ends > now:
                former.failed += counts
                former.untold = _Untold(client, reason, former.untold.failures + 1)
                return
            if former is not None:
                del self._windows[key]
            told = self._over(now)
            if len(self._windows) >= MAX_ADDRESSES:
                told.append(self._windows.popitem(last=False)[1].untold)
            self._windows[key] = _Window(now + SECONDS, int(counts))
            told.append(_Untold(client, reason, 1 + (former.untold.failures if former is not None else 0)))
        self._tell(told)

    def close(self) -> None:
        """Tell what was not told yet: the application stops. Who is shut out stays so."""
        with self._lock:
            told = [window.untold for window in self._windows.values()]
            for window in self._windows.values():
                window.untold = _NOTHING
        self._tell(told)

    def _over(self, now: float) -> list[_Untold]:
        """Forget the addresses whose minute is over; they stand in the order in which it began."""
        told = []
        while self._windows:
            key, window = next(iter(self._windows.items()))
            if window.ends > now:
                break
            del self._windows[key]
            told.append(window.untold)
        return told

    def _tell(self, told: Iterable[_Untold]) -> None:
        """Hand out what is to be logged, outside of the lock."""
        report = self._report
        for client, reason, count in told:
            if count and report is not None:
                report(REFUSED, {"client_ip": client, "reason": reason, "count": count})


def _key(client: str) -> str:
    """Return what an address is counted as."""
    try:
        address = ip_address(client)
    except ValueError:
        return client
    if isinstance(address, IPv6Address) and address.ipv4_mapped is None:
        return str(ip_network((int(address), _PREFIX), strict=False))
    return str(address)
