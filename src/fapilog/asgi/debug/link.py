"""The ready link to the debug route, as far as the process knows its own address."""

import asyncio
import sys
from typing import Any
from urllib.parse import quote

from fapilog.diagnostics import attempt

_EVERYWHERE = {"0.0.0.0": "127.0.0.1", "::": "[::1]", "": "127.0.0.1"}  # noqa: S104 - compared with, not bound to

_AS_THEY_ARE = "/:@!$()*+="
"""What a root path may have that browsers leave as it is; nothing that means something in HTML or in a cookie."""


def tell(*lines: str) -> None:
    """Print lines to standard error.

    Where there is none, or nobody at its other end, nobody is told: that is no reason for an application not to start.
    """
    stream = sys.stderr
    if stream is not None:
        attempt(stream.write, "".join(f"{line}\n" for line in lines))
        attempt(stream.flush)


def base_url() -> str:
    """Return what stands before the path in a link: scheme, host and port under uvicorn, else nothing.

    Must be called from within the lifespan: uvicorn's lifespan task is where its configuration can be read.
    """
    config = _uvicorn_config()
    # Under gunicorn the sockets are the arbiter's and uvicorn's own host and port are unused defaults.
    if config is None or "gunicorn" in sys.modules or not isinstance(config.port, int) or not config.port:
        return ""
    if config.uds is not None or config.fd is not None:
        return ""
    host = str(config.host)
    host = _EVERYWHERE.get(host) or (f"[{host}]" if ":" in host else host)
    return f"{'https' if config.is_ssl else 'http'}://{host}:{config.port}{config.root_path}"


def base_of(root_path: str, path: str) -> str:
    """Return the console's path as a browser asks for it: percent-encoded, and never another host's.

    Args:
        root_path: The application's, as the server gave it; not encoded.
        path: The console's below it, with its slash.
    """
    root = root_path.strip("/")
    return quote(f"/{root}{path}" if root else path, safe=_AS_THEY_ARE, errors="replace")


def _uvicorn_config() -> Any:
    """Return uvicorn's ``Config`` if this task is its lifespan task: no public name leads from the scope to it."""
    task = asyncio.current_task()
    frame = getattr(task.get_coro() if task is not None else None, "cr_frame", None)
    owner = frame.f_locals.get("self") if frame is not None else None
    config = getattr(owner, "config", None)
    return config if type(config).__module__ == "uvicorn.config" else None
