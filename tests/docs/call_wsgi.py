"""Calls the WSGI application `app` of a file once: ``call_wsgi.py FILE METHOD PATH``; prints nothing of its own."""

import runpy
import sys
from wsgiref.util import setup_testing_defaults


def main(file: str, method: str, path: str) -> None:
    module = runpy.run_path(file, run_name="example")
    environ = {"REQUEST_METHOD": method, "PATH_INFO": path}
    setup_testing_defaults(environ)
    statuses: list[str] = []
    body = module["app"](environ, lambda status, _headers: statuses.append(status))
    for _ in body:
        pass
    if hasattr(body, "close"):
        body.close()
    if not statuses[0].startswith("200"):
        sys.exit(f"{method} {path}: {statuses[0]}")


if __name__ == "__main__":
    main(*sys.argv[1:])
