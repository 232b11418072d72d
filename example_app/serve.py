"""Keeps the shop running and says where its logging can be looked at: ``python -m example_app.serve``."""

import os
import secrets
import sys

import uvicorn

from example_app.telemetry import ENDPOINT, exports
from fapilog.asgi.debug import one_time_link

PORT = 8000


def main() -> None:
    """Serve until Ctrl-C or SIGTERM. ``SHOP_PORT`` and ``SHOP_DEBUG_TOKEN`` are taken if given.

    With ``OTEL_EXPORTER_OTLP_ENDPOINT`` logs and spans are exported, too; without it the console has the spans.
    """
    port = int(os.environ.get("SHOP_PORT") or PORT)
    given = os.environ.get("SHOP_DEBUG_TOKEN")
    token = os.environ["SHOP_DEBUG_TOKEN"] = given or secrets.token_urlsafe(24)
    os.environ.setdefault("SHOP_SPANS", "on")
    base = f"http://127.0.0.1:{port}"
    shown = "what SHOP_DEBUG_TOKEN says" if given else token
    sys.stderr.write(
        f"shop:     {base}/docs\n"
        f"logging:  {one_time_link(token, base=base)}\n"
        "          opens once, within ten minutes, for reading\n"
        f"token:    {shown}\n"
        "          for the login form, for curl and for changes: Authorization: Bearer\n"
    )
    if exports():
        sys.stderr.write(f"exports:  logs and spans, over OTLP, to where {ENDPOINT} says\n")
    sys.stderr.flush()
    uvicorn.run("example_app.main:app", port=port)


if __name__ == "__main__":
    main()
