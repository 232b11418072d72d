"""The documentation is code: every Python block of README.md and docs/ runs as it stands."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.docs.blocks import PAGES, Block, blocks
from tests.e2e.server import Server

ALL = [block for page in PAGES for block in blocks(page)]
PYTHON = [block for block in ALL if block.language == "python"]
KINDS = ("script", "server", "wsgi", "fragment")
HTTPX2 = "ignore:Using `httpx` with"  # Starlette's test client would rather have another client: not our warning
VARIES = {
    "timestamp", "host", "pid", "request_id", "duration_ms", "total_ms", "request_bytes", "response_bytes",
    "user_agent", "exception", "version",
}  # fmt: skip


def test_every_python_block_says_how_it_is_run() -> None:
    """There is no Python in the documentation that nobody runs."""
    assert [block.name for block in PYTHON if block.kind not in KINDS] == []
    assert {block.page for block in PYTHON} >= {"README.md", "docs/start.md", "docs/recipes.md"}


@pytest.mark.parametrize("block", [b for b in PYTHON if b.kind == "script"], ids=lambda block: block.name)
def test_a_script_runs(block: Block, tmp_path: Path) -> None:
    """It ends with status 0, warns of nothing, and writes what the page shows."""
    file = tmp_path / "example.py"
    file.write_text(block.text, "utf-8")
    lines = _run(tmp_path, "-W", "error", "-W", HTTPX2, str(file))

    _check_output(block, lines)


@pytest.mark.parametrize("block", [b for b in PYTHON if b.kind == "wsgi"], ids=lambda block: block.name)
def test_a_wsgi_application_runs(block: Block, tmp_path: Path) -> None:
    """A Flask or Django view logs, and the process flushes at its end."""
    file = tmp_path / "example.py"
    file.write_text(block.text, "utf-8")
    [(method, path)] = block.requests
    lines = _run(tmp_path, str(Path(__file__).with_name("call_wsgi.py")), method, path)

    _check_output(block, lines)


@pytest.mark.parametrize("block", [b for b in PYTHON if b.kind == "server"], ids=lambda block: block.name)
def test_a_server_runs(block: Block, tmp_path: Path) -> None:
    """Uvicorn serves it, every request is answered and has its completion event, and SIGTERM loses nothing."""
    (tmp_path / "example.py").write_text(block.text, "utf-8")
    with Server(tmp_path, "example:app") as server:
        ids = []
        for method, path in block.requests:
            response = server.client.request(method, path)
            assert response.status_code == 200, response.text
            ids.append(response.headers["x-request-id"])
        stopped = server.stop()

    events = stopped.events()
    completed = [event["request_id"] for event in events if event["message"] == "request_completed"]
    assert sorted(completed) == sorted(ids)
    _check_output(block, stopped.stdout.splitlines())


@pytest.mark.parametrize("block", [b for b in PYTHON if b.kind == "fragment"], ids=lambda block: block.name)
def test_a_fragment_is_python(block: Block) -> None:
    """What cannot stand alone is at least no typing error."""
    compile(block.text, block.name, "exec")


def _run(folder: Path, *arguments: str) -> list[str]:
    done = subprocess.run(
        [sys.executable, *arguments], cwd=folder, capture_output=True, text=True, check=False, timeout=60
    )
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout.splitlines()


def _check_output(block: Block, lines: list[str]) -> None:
    """Every line is JSON, and each line that the page shows is there: the same keys and values."""
    actual = [json.loads(line) for line in lines]
    for shown in map(json.loads, block.output):
        close = [event for event in actual if event["message"] == shown["message"]]
        assert set(shown) in [set(event) for event in close], (shown, close)
        assert _stable(shown) in [_stable(event) for event in close]


def _stable(event: dict[str, object]) -> dict[str, object]:
    return {key: value for key, value in event.items() if key not in VARIES}
