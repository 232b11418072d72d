"""What the import costs: ``-X importtime``'s own figure, and wall time over an interpreter that imports nothing."""

import statistics
import subprocess
import sys
import time

from benchmarks.harness import NS, arguments, report

MODULES = {
    "ours": "fapilog",
    "published": "fapilog",
    "structlog_json": "structlog,orjson",
    "stdlib_json": "logging,orjson",
    "loguru_json": "loguru",
}


def main() -> None:
    """Run one contender in many fresh interpreters, by turns with the empty one."""
    args = arguments()
    modules = MODULES[args.contender].split(",")
    statement = f"import {', '.join(modules)}"
    _wall(statement)  # writes the byte code
    runs = [(_wall("pass"), _wall(statement), _traced(statement, modules)) for _ in range(int(args.pick(7, 3)))]
    empty, wall, traced = (statistics.median(column) for column in zip(*runs, strict=True))
    report(importtime_ns=traced, wall_ns=wall - empty)


def _wall(statement: str) -> int:
    began = time.perf_counter_ns()
    subprocess.run([sys.executable, "-c", statement], check=True)  # noqa: S603 - ourselves
    return time.perf_counter_ns() - began


def _traced(statement: str, modules: list[str]) -> int:
    command = [sys.executable, "-X", "importtime", "-c", statement]
    done = subprocess.run(command, check=True, capture_output=True, text=True)  # noqa: S603 - ourselves
    total = 0
    for line in done.stderr.splitlines():
        _, cumulative, name = line.split("|")
        # No indentation: imported by the statement itself. A submodule's own package comes as a line beside it.
        if name[1:].split(".")[0] in {module.split(".")[0] for module in modules}:
            total += int(cumulative) * (NS // 1_000_000)
    return total


if __name__ == "__main__":
    main()
