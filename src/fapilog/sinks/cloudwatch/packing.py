"""Which events go into which call of PutLogEvents, and what its answer says about them. Pure: no I/O, no clock.

Limits and answer: the reference of the operation ``PutLogEvents`` (API version 2014-03-28) and of its structure
``RejectedLogEventsInfo``. A single event was limited to 256 KiB before April 2025 and is to 1 MiB since; its 26 bytes
count there, too: the service's own refusal compares message and overhead with the limit.
"""

from collections.abc import Mapping, Sequence
from typing import Any

MAX_EVENTS = 10_000
MAX_BYTES = 1_048_576
OVERHEAD = 26
MAX_MESSAGE = MAX_BYTES - OVERHEAD
SPAN_MS = 24 * 3_600_000

TOO_LARGE = f"larger than the {MAX_MESSAGE} bytes that CloudWatch takes"
TOO_OLD = "older than the 14 days that CloudWatch takes"
EXPIRED = "older than the log group's retention"
TOO_NEW = "more than 2 hours in the future of CloudWatch's clock"


def pack(times: Sequence[int], sizes: Sequence[int]) -> tuple[list[list[int]], dict[int, str]]:
    """Return the events of each call, by their positions, and the events that no call can take, with the reason.

    All calls one after the other are in the order of time; events of the same time keep theirs. As few calls as that
    order allows: each takes the longest run that all limits let it take.

    Args:
        times: Milliseconds since 1970 of each event.
        sizes: The bytes of each message in UTF-8.
    """
    rejected = {index: TOO_LARGE for index, size in enumerate(sizes) if size > MAX_MESSAGE}
    calls: list[list[int]] = []
    call: list[int] = []
    total = first = 0
    for index in sorted(range(len(times)), key=times.__getitem__):
        if index in rejected:
            continue
        size, time = sizes[index] + OVERHEAD, times[index]
        if not call or len(call) == MAX_EVENTS or total + size > MAX_BYTES or time - first >= SPAN_MS:
            call = []
            calls.append(call)
            total, first = 0, time
        call.append(index)
        total += size
    return calls, rejected


def rejected_of(answer: Mapping[str, Any], call: Sequence[int]) -> dict[int, str]:
    """Return which events of a call the service has refused for good, by their positions in the batch, with reasons.

    The answer counts in the call's order: both ends are exclusive, the start is inclusive. The other events of the
    call were taken.
    """
    info = answer.get("rejectedLogEventsInfo") or {}
    too_old, expired = info.get("tooOldLogEventEndIndex") or 0, info.get("expiredLogEventEndIndex") or 0
    too_new = info.get("tooNewLogEventStartIndex")
    rejected = dict.fromkeys(call[: max(expired, 0)], EXPIRED)
    rejected |= dict.fromkeys(call[: max(too_old, 0)], TOO_OLD)
    if too_new is not None:
        rejected |= dict.fromkeys(call[max(too_new, 0) :], TOO_NEW)
    return rejected
