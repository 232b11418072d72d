"""Events a second from one thread into a file, from the first call to the closed file.

Context and trace ids on, a full queue waits. Afterwards every line is counted and the order checked.
"""

import time

from benchmarks.contenders import load
from benchmarks.harness import NS, SEQUENCE, Lines, arguments, report, scratch, span

CHUNK = 2_000


def main() -> None:
    """Run one contender."""
    args = arguments()
    seconds = args.pick(1.5, 0.5)
    with scratch() as directory, span():
        running = load(args.contender).start(directory)
        sent = 0
        began = time.perf_counter_ns()
        deadline = began + int(seconds * NS)
        while time.perf_counter_ns() < deadline:
            for number in range(sent, sent + CHUNK):
                running.emit(number)
            sent += CHUNK
        called = time.perf_counter_ns()
        running.stop()
        ended = time.perf_counter_ns()
        written = [int(number) for number in SEQUENCE.findall(Lines(directory).read())]
    if written != list(range(sent)):
        message = f"{args.contender}: {sent} events sent, {len(written)} written, or not in order"
        raise SystemExit(message)
    report(events_per_second=sent * NS / (ended - began), caller_ns=(called - began) / sent, events=sent)


if __name__ == "__main__":
    main()
