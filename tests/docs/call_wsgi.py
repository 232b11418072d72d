"""Calls the WSGI application ``app`` of the module ``example`` once: ``call_wsgi.py METHOD PATH``; prints nothing."""

import importlib
import sys
from pathlib import Path
from wsgiref.util import setup_testing_defaults


def main(method: str, path: str) -> None:
    sys.path.insert(0, str(Path.cwd()))
    app = importlib.import_module("example").app
    environ = {"REQUEST_METHOD": method, "PATH_INFO": path}
    setup_testing_defaults(environ)
    statuses: list[str] = []
    body = app(environ, lambda status, _headers: statuses.append(status))
    for _ in body:
        pass
    if hasattr(body, "close"):
        body.close()
    if not statuses[0].startswith("200"):
        sys.exit(f"{method} {path}: {statuses[0]}")


if __name__ == "__main__":
    main(*sys.argv[1:])
