"""What a flush waits for."""

from collections.abc import Callable

from fapilog.delivery.accounts import Accounts
from fapilog.engine.queue import EventQueue


def flush_mark(queue: EventQueue, accounts: Accounts) -> Callable[[], bool]:
    """Return a function that tells whether everything submitted before this call is settled at every sink.

    By places in the queue and in each sink's line, not by how many events there were: events that are dropped
    meanwhile say nothing about those that wait.
    """
    target = queue.position()
    marks: dict[str, int] | None = None

    def reached() -> bool:
        nonlocal marks
        with accounts.lock, queue.lock:
            if marks is None:
                # Nothing may be left to wait for although the target was not reached: a wait in line can expire.
                idle = not queue.items and not queue.waiting() and accounts.handed == queue.taken
                if not idle and accounts.handed + queue.abandoned < target:
                    return False
                marks = {name: account.mark for name, account in accounts.sinks.items()}
            return accounts.reached(marks)

    return reached
