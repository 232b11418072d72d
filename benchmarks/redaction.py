"""Events a second from one thread into a file while secrets are looked for, in three kinds of events.

``flat`` has the four fields of every scenario, ``nested`` 30 values in containers, ``secret`` one more that is to be
hidden. A secret that reaches the file fails the run, unless the contender does not redact.
"""

import time

from benchmarks.contenders import Running, load
from benchmarks.harness import NS, SECRET, SEQUENCE, Lines, arguments, report, scratch, span

CHUNK = 500
REDACTING = ("ours_production", "structlog_redacting")


def main() -> None:
    """Run one contender."""
    args = arguments()
    seconds = args.pick(1.5, 0.5)
    rates = {}
    for kind in ("flat", "nested", "secret"):
        with scratch() as directory, span():
            running = load(args.contender).start(directory)
            sent, took = _run(running, kind, seconds)
            text = Lines(directory).read()
        written = [int(number) for number in SEQUENCE.findall(text)]
        if written != list(range(sent)) or (SECRET.encode() in text and args.contender in REDACTING):
            message = f"{args.contender}, {kind}: lines missing or not in order, or a secret in the file"
            raise SystemExit(message)
        rates[f"{kind}_per_second"] = sent * NS / took
    report(**rates)


def _run(running: Running, kind: str, seconds: float) -> tuple[int, int]:
    emit = {"nested": running.nested, "secret": running.secret}.get(kind) or running.emit
    sent = 0
    began = time.perf_counter_ns()
    deadline = began + int(seconds * NS)
    while time.perf_counter_ns() < deadline:
        for number in range(sent, sent + CHUNK):
            emit(number)
        sent += CHUNK
    running.stop()
    return sent, time.perf_counter_ns() - began


if __name__ == "__main__":
    main()
