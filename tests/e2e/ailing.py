"""An application whose logging is ill in every way that a dashboard shows; started by ``test_prometheus.py``.

Its receiver is away, so there are retries, an open circuit and a spool; one of its sinks takes nothing.

``AILING_TOKEN``   of the debug route
``AILING_FOLDER``  where its spool is
``AILING_URL``     where nobody listens
"""

import os

from fastapi import FastAPI

from fapilog import get_logger
from fapilog.fastapi import FastAPIBuilder
from fapilog.protocols import Batch

log = get_logger("ailing")


class Broken:
    """A sink that takes nothing."""

    name = "broken"

    async def open(self) -> None:
        """Be there."""

    def write(self, batch: Batch) -> None:
        raise OSError("this disk is full")

    async def close(self) -> None:
        """Be gone."""


builder = (
    FastAPIBuilder()
    .with_service(name="ailing")
    .with_debug_route(token=os.environ["AILING_TOKEN"])
    .with_tracing()
    .with_metrics()
    .with_flight_recorder()
    .add_stdout("json")
    .add_http(os.environ["AILING_URL"], name="remote")
    .with_retry(first_seconds=0.01, max_seconds=0.02)
    .with_circuit_breaker(failures=2, reset_seconds="1h")
    .with_spool(os.environ["AILING_FOLDER"])
    .with_adaptive()
    .add_sink(Broken())
)
app = FastAPI(lifespan=builder.build())


@app.get("/login/{user}")
async def login(user: str) -> dict[str, str]:
    log.debug("Who is it?", user=user)
    log.info("Somebody logs in", user=user, password="correct horse battery staple")
    return {"user": user}
