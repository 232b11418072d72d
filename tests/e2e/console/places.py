"""What the console looks at: the example shop with its spans, and everything that its customers do."""

import asyncio
import contextlib
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx

from example_app.demo import traffic
from tests.e2e.server import Server
from tests.services.otlp import OtlpServer

ROOT = Path(__file__).parents[3]
TOKEN = "open-sesame-0123456789"
TRACE_URL = "https://traces.example/trace/{trace_id}"
ORDER = {"email": "ada@example.org", "items": [{"product_id": 3, "quantity": 1}]}


class Shop(Server):
    """The example application under uvicorn, its console behind :data:`TOKEN`."""

    @property
    def base(self) -> str:
        """Return its address."""
        return f"http://127.0.0.1:{self.port}"

    def get(self, path: str, request_id: str, **options: Any) -> httpx.Response:
        """Make a request with an id of ours."""
        return self.send("GET", path, request_id, **options)

    def send(self, method: str, path: str, request_id: str, **options: Any) -> httpx.Response:
        """Make a request with an id of ours."""
        headers = {"X-Request-ID": request_id, **options.pop("headers", {})}
        return self.client.request(method, path, headers=headers, **options)

    def order(self, request_id: str, customer: str = "ada") -> httpx.Response:
        """Order a cup."""
        return self.send("POST", "/api/orders", request_id, json=ORDER, headers={"X-Customer": customer})

    def fail(self, request_id: str) -> httpx.Response:
        """Make the shop divide by zero."""
        path = "/api/reports/average-order/1999-12-31"
        return self.get(path, request_id, headers={"Connection": "close"})

    def ask(self, path: str = "") -> Any:
        """Return what the console answers to somebody with the token."""
        headers = {"Authorization": f"Bearer {TOKEN}", "Accept": "application/json"}
        return self.client.get(f"/debug/logging{path}", headers=headers).json()

    def crowd(self, visits: int) -> None:
        """Let customers come: each kind of request once, then many at a time."""
        with ThreadPoolExecutor(1) as pool:  # Playwright's loop runs in this thread
            pool.submit(lambda: asyncio.run(_visit(self.base, visits))).result()


def shop(folder: Path, *, port: int | None = None, **variables: str) -> Shop:
    """Return the shop, not started; ``variables`` are environment variables."""
    env = {"SHOP_DATABASE": str(folder / "shop.sqlite3"), "SHOP_DEBUG_TOKEN": TOKEN, **variables}
    return Shop(folder, "example_app.main:app", "--app-dir", str(ROOT), env=env, port=port)


@contextmanager
def traced_shop(folder: Path, **variables: str) -> Iterator[Shop]:
    """Run the shop with the SDK of OpenTelemetry, a collector beside it, two files, and a link to a trace backend."""
    with OtlpServer(folder / "collector") as collector:
        env = {
            "OTEL_EXPORTER_OTLP_ENDPOINT": f"http://127.0.0.1:{collector.http_port}",
            "SHOP_LOG_FILE": str(folder / "shop.jsonl"),
            "SHOP_TRACE_URL": TRACE_URL,
            **variables,
        }
        with shop(folder, **env) as running:
            yield running


async def _visit(base: str, visits: int) -> None:
    async with httpx.AsyncClient(base_url=base, timeout=30.0, trust_env=False) as client:
        with contextlib.suppress(traffic.DemoFailedError):  # the last tin is gone by the second tour
            await traffic.take_tour(client)
        await traffic.send_crowd(client, visits)
