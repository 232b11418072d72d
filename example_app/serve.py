"""Keeps the shop running and says where its logging can be looked at: ``python -m example_app.serve``."""

import os
import secrets
import sys

import uvicorn

PORT = 8000


def main() -> None:
    """Serve until Ctrl-C or SIGTERM. ``SHOP_PORT`` and ``SHOP_DEBUG_TOKEN`` are taken if given."""
    port = int(os.environ.get("SHOP_PORT") or PORT)
    token = os.environ.setdefault("SHOP_DEBUG_TOKEN", secrets.token_urlsafe(16))
    base = f"http://127.0.0.1:{port}"
    sys.stderr.write(f"shop:     {base}/docs\nlogging:  {base}/debug/logging?token={token}\n")
    sys.stderr.flush()
    uvicorn.run("example_app.main:app", port=port)


if __name__ == "__main__":
    main()
