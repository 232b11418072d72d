"""A disk that fills up under the spool: counted, said once, the application unharmed, and gone on with afterwards."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

PROGRAM = """
import asyncio, json, os, sys, threading, time
from pathlib import Path
from fapilog import LoggerBuilder, _runtime
from fapilog.errors import SinkError

place = Path(sys.argv[1])
filler = place / "filler"
filler.write_bytes(b"x" * int(sys.argv[2]))

class Remote:
    name = "remote"
    format = "json"
    event_ids = True
    down = True
    def __init__(self):
        self.numbers = []
    async def open(self): pass
    async def close(self): pass
    async def write(self, batch):
        if self.down:
            raise SinkError("down", retryable=True)
        self.numbers += [event["number"] for event in batch.flat]

remote = Remote()
logger = (
    LoggerBuilder().add_sink(remote).with_spool(place / "spool", max_bytes="100 MB", segment_bytes="64 KB")
    .with_retry(first_seconds=0.01, max_seconds=0.02).with_queue(capacity=20_000).build()
)
(engine,) = _runtime._state.engines
own = lambda: engine.snapshot()["sinks"]["remote"]["own"]

def until(done):
    deadline = time.monotonic() + 30
    while not done():
        assert time.monotonic() < deadline, engine.snapshot()
        time.sleep(0.005)

number = 0
def log(count):
    global number
    for _ in range(count):
        logger.info("m" * 200, number=number)
        number += 1

deadline = time.monotonic() + 30
while not own()["spool_paused"]:
    assert time.monotonic() < deadline
    log(100)
    time.sleep(0.01)
log(2_000)
full = engine.snapshot()["sinks"]["remote"]
filler.unlink()
remote.down = False
until(lambda: len(remote.numbers) == number)
log(10)
until(lambda: len(remote.numbers) == number)
result = logger.drain(10)
print(json.dumps({
    "logged": number, "in_order": remote.numbers == list(range(number)), "paused": own()["spool_paused"],
    "lost_while_full": sum(full["dropped"].values()) + sum(full["failed"].values()), "result": result._asdict(),
}))
"""


@pytest.mark.skipif(shutil.which("unshare") is None, reason="needs unshare to mount a file system of its own")
def test_a_full_tmpfs_loses_nothing(tmp_path: Path) -> None:
    """Behind a backend that is down events wait in memory while the disk is full; all arrive when it is not."""
    (tmp_path / "program.py").write_text(PROGRAM)
    (tmp_path / "disk").mkdir()
    command = 'mount -t tmpfs -o size=1m none "$1" || exit 77; exec "$2" "$3" "$1" 700000'
    done = subprocess.run(
        ["unshare", "-rm", "sh", "-c", command, "sh", tmp_path / "disk", sys.executable, tmp_path / "program.py"],
        capture_output=True, text=True, check=False, timeout=100,
    )  # fmt: skip
    if done.returncode == 77 or "unshare failed" in done.stderr:
        pytest.skip("this machine lets nobody mount a tmpfs")
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)

    assert told["in_order"]
    assert told["paused"] > 0
    assert told["lost_while_full"] == 0
    assert told["result"]["delivered"] == told["result"]["submitted"] == told["logged"]
    full = [line for line in done.stderr.splitlines() if "No space left on device" in line]
    assert len(full) == 1, done.stderr


def test_a_limit_on_file_sizes_is_no_worse(tmp_path: Path) -> None:
    """EFBIG in the middle of a segment: what was written stays whole, a smaller segment is begun, all arrive."""
    program = PROGRAM.replace(
        "remote = Remote()",
        "import resource\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (40_000, resource.RLIM_INFINITY))\n"
        "remote = Remote()",
    ).replace('while not own()["spool_paused"]:', "while number < 2_000:")
    (tmp_path / "program.py").write_text(program)
    done = subprocess.run(
        [sys.executable, tmp_path / "program.py", tmp_path, "1"],
        capture_output=True,
        text=True,
        check=False,
        timeout=100,
    )
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)

    assert told["in_order"]
    assert told["result"]["delivered"] == told["logged"]
