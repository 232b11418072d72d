"""PostgreSQL for the tests: Debian's own, in a data folder of its own, on a loopback port that stays the same.

PostgreSQL refuses to run as root; it then runs as the user ``postgres``. ``kill`` sends SIGKILL to every process of the
server, so that the next start recovers from the write-ahead log as after a crash. ``fsync`` is off: a killed process
loses nothing that the kernel has, and the machine stays up.
"""

import asyncio
import json
import os
import shutil
import signal
import subprocess
import tempfile
import time
import weakref
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, Self

from tests.services.process import free_port

BINARIES = "/usr/lib/postgresql/*/bin/postgres"
"""Where Debian puts it: not on the path."""
DEADLINE_SECONDS = 20.0
PASSWORD = "s3cret-of-the-tests"
_HBA = """\
host all postgres 127.0.0.1/32 trust
host all all 127.0.0.1/32 scram-sha-256
"""
_SETTINGS = {
    "fsync": "off",
    "autovacuum": "off",  # an order of rows that nothing shuffles
    "listen_addresses": "127.0.0.1",
    "max_connections": "30",
    "shared_buffers": "16MB",
    "max_wal_size": "256MB",
    "log_min_messages": "warning",
    "timezone": "Asia/Kolkata",  # nobody's: what depends on it shows
    "datestyle": "German",
}


def binaries() -> Path:
    """Return the folder of the newest version's programs."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/postgres"), key=lambda path: int(path.parts[-3]))
    if not found:
        raise FileNotFoundError(BINARIES)
    return found[-1].parent


class PostgresServer:
    """The server. ``postgres`` gets in without a password, everybody else by one.

    Args:
        folder: Where it writes what it says.
    """

    def __init__(self, folder: Path) -> None:
        """Choose a port."""
        self.folder = folder
        self.port = free_port()
        self.dsn = f"postgresql://postgres@127.0.0.1:{self.port}/postgres"
        self._process: subprocess.Popen[bytes] | None = None
        self._user = "postgres" if os.geteuid() == 0 else None
        # Not in the folder: pytest's are for nobody but their owner, and too long for the path of a socket.
        self._home = Path(tempfile.mkdtemp(prefix="fapilog-postgres-"))
        self._data = self._home / "data"
        weakref.finalize(self, shutil.rmtree, self._home, ignore_errors=True)

    def dsn_of(self, user: str = "postgres", password: str = "", database: str = "postgres") -> str:
        """Return the address for somebody."""
        return f"postgresql://{user}{password and ':' + password}@127.0.0.1:{self.port}/{database}"

    def start(self) -> None:
        """Start it, after making its data folder the first time, and wait until it answers."""
        if not self._data.exists():
            self._init()
        options = [word for key, value in _SETTINGS.items() for word in ("-c", f"{key}={value}")]
        options += ["-p", str(self.port), "-k", str(self._home)]
        # A killed server leaves it behind; its number may be another process by now.
        (self._data / "postmaster.pid").unlink(missing_ok=True)
        with (self.folder / "server.log").open("ab") as log:
            self._process = subprocess.Popen(
                [binaries() / "postgres", "-D", self._data, *options],
                stdout=log, stderr=log, cwd="/", user=self._user, start_new_session=True,
            )  # fmt: skip
        deadline = time.monotonic() + DEADLINE_SECONDS
        while self._run("pg_isready", "-q", "-h", "127.0.0.1", "-p", self.port).returncode:
            if self._process.poll() is not None or time.monotonic() > deadline:
                self.stop()
                raise RuntimeError(f"PostgreSQL did not start: {(self.folder / 'server.log').read_text()[-2000:]}")
            time.sleep(0.05)

    def kill(self) -> None:
        """End all its processes at once, as a machine that fails; what was committed stays."""
        if self._process is None:
            return
        # Stopped first, it starts no other and notices no death.
        self._process.send_signal(signal.SIGSTOP)
        for child in _children(self._process.pid):
            with suppress(ProcessLookupError):
                os.kill(child, signal.SIGKILL)
        self._process.kill()
        self._process.wait()
        self._process = None

    def stop(self) -> None:
        """End it in order: a killed one leaves a segment of shared memory behind."""
        if self._process is not None:
            self._process.send_signal(signal.SIGINT)
            with suppress(subprocess.TimeoutExpired):
                self._process.wait(DEADLINE_SECONDS / 2)
                self._process = None
        self.kill()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def execute(self, *statements: str, database: str = "postgres") -> None:
        """Run statements by a connection of the test's own, each in its own transaction."""
        asyncio.run(_execute(self.dsn_of(database=database), statements))

    def fetch(self, query: str, *args: Any) -> list[dict[str, Any]]:
        """Return the rows of a query."""
        return asyncio.run(_fetch(self.dsn, query, args))

    def received(self, table: str = "logs") -> list[dict[str, Any]]:
        """Return all events of a table, given as SQL, in the order in which their rows are stored."""
        rows = self.fetch(f"SELECT * FROM {table} ORDER BY tableoid, ctid")
        return [_event_of(row) for row in rows]

    def _init(self) -> None:
        if self._user:
            shutil.chown(self._home, self._user)
        made = self._run(
            "initdb", "-D", self._data, "-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C.UTF-8", "-N"
        )
        if made.returncode:
            raise RuntimeError(f"initdb: {made.stdout.decode()[-2000:]}")
        (self._data / "pg_hba.conf").write_text(_HBA)

    def _run(self, program: str, *arguments: object) -> subprocess.CompletedProcess[bytes]:
        return subprocess.run(
            [binaries() / program, *map(str, arguments)],
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, cwd="/", user=self._user, check=False,
        )  # fmt: skip


def _event_of(row: dict[str, Any]) -> dict[str, Any]:
    data = json.loads(row["data"])
    ids = {key: row[key] for key in ("request_id", "trace_id", "span_id", "event_id") if row[key] is not None}
    return {**{key: row[key] for key in ("time", "level", "logger", "message")}, **ids, **data}


async def _execute(dsn: str, statements: Sequence[str]) -> None:
    # Only here: a test that is skipped for want of asyncpg must be able to import this module.
    import asyncpg

    connection = await asyncpg.connect(dsn)
    try:
        for statement in statements:
            await connection.execute(statement)
    finally:
        await connection.close()


async def _fetch(dsn: str, query: str, args: Sequence[Any]) -> list[dict[str, Any]]:
    import asyncpg

    connection = await asyncpg.connect(dsn)
    try:
        return [dict(row) for row in await connection.fetch(query, *args)]
    finally:
        await connection.close()


def _children(pid: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
