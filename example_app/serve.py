"""Keeps the shop running and says where its logging can be looked at: ``python -m example_app.serve``."""

import os
import secrets
import sys

import uvicorn

from example_app.telemetry import ENDPOINT, exports

PORT = 8000


def main() -> None:
    """Serve until Ctrl-C or SIGTERM. ``SHOP_PORT`` and ``SHOP_DEBUG_TOKEN`` are taken if given.

    With ``OTEL_EXPORTER_OTLP_ENDPOINT`` logs and spans are exported, too.
    """
    port = int(os.environ.get("SHOP_PORT") or PORT)
    token = os.environ.setdefault("SHOP_DEBUG_TOKEN", secrets.token_urlsafe(16))
    base = f"http://127.0.0.1:{port}"
    sys.stderr.write(f"shop:     {base}/docs\nlogging:  {base}/debug/logging?token={token}\n")
    if exports():
        sys.stderr.write(f"exports:  logs and spans, over OTLP, to where {ENDPOINT} says\n")
    sys.stderr.flush()
    uvicorn.run("example_app.main:app", port=port)


if __name__ == "__main__":
    main()
