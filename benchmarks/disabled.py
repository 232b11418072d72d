"""A call below the threshold, beside a method of the same signature that does nothing.

Both are called through the same kind of wrapper, whose own cost is taken off.
"""

import statistics
import time
from typing import Any

from benchmarks.contenders import load
from benchmarks.harness import MESSAGE, Emit, arguments, report, scratch

CALLS = 20_000
BLOCKS = 21


class Nothing:
    """A logger that does not log."""

    def debug(
        self,
        message: str,
        /,
        *args: Any,
        exc_info: Any = None,
        stack_info: bool = False,
        **fields: Any,
    ) -> None:
        """Do nothing."""


_NOTHING = Nothing()


def main() -> None:
    """Run one contender."""
    args = arguments()
    with scratch() as directory:
        running = load(args.contender).start(directory)
        blocks = [(_block(_empty), _block(_no_op), _block(running.quiet)) for _ in range(BLOCKS)]
        running.stop()
    empty, no_op, quiet = (statistics.median(column) / CALLS for column in zip(*blocks, strict=True))
    report(disabled_ns=quiet - empty, no_op_ns=no_op - empty, ratio=(quiet - empty) / (no_op - empty))


def _empty(seq: int) -> None:
    del seq


def _no_op(seq: int) -> None:
    _NOTHING.debug(MESSAGE, seq=seq, path="/orders", status=200, duration_ms=1.5)


def _block(call: Emit) -> int:
    began = time.perf_counter_ns()
    for number in range(CALLS):
        call(number)
    return time.perf_counter_ns() - began


if __name__ == "__main__":
    main()
