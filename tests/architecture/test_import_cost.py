"""``import fapilog`` is cheap and does nothing: no framework, no thread, no file."""

import json
import subprocess
import sys

HEAVY = (
    "asyncio", "fastapi", "httpx", "litestar", "multiprocessing", "opentelemetry", "orjson", "pydantic",
    "pydantic_settings", "starlette",
)  # fmt: skip
PROBE = """
import json, sys, threading
opened = []
def watch(event, args):
    if event == "open" and not str(args[0]).endswith((".py", ".pyc", ".so")) and "__pycache__" not in str(args[0]):
        opened.append(str(args[0]))
    if event in ("subprocess.Popen", "socket.connect", "os.fork"):
        opened.append(event)
before = set(sys.modules)
sys.addaudithook(watch)
import fapilog
from fapilog import get_logger
logger = get_logger(__name__)
print(json.dumps({
    "modules": sorted(set(sys.modules) - before),
    "threads": threading.active_count(),
    "opened": opened,
}))
"""


def test_import_brings_in_nothing_heavy_and_starts_nothing() -> None:
    """A process that only imports fapilog and gets a module-level logger has paid for no more than that."""
    done = subprocess.run([sys.executable, "-c", PROBE], capture_output=True, text=True, check=True, timeout=60)
    seen = json.loads(done.stdout)

    assert [name for name in seen["modules"] if name.partition(".")[0] in HEAVY] == []
    assert seen["threads"] == 1
    assert seen["opened"] == []
    assert done.stderr == ""
