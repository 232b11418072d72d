"""What a type checker sees of the edges. Checked by mypy and pyright in strict mode, never run."""

from typing import Annotated, Any

from fastapi import Depends, FastAPI
from litestar import Litestar
from starlette.applications import Starlette

from fapilog import SyncLoggerFacade
from fapilog.asgi import FapilogMiddleware, annotate
from fapilog.fastapi import FastAPIBuilder, get_request_logger
from fapilog.litestar import FapilogPlugin
from fapilog.starlette import StarletteBuilder
from fapilog.stdlib import capture_stdlib, uvicorn_log_config
from fapilog.testing import capture_logs

app = FastAPI(lifespan=FastAPIBuilder().with_preset("fastapi").skip_paths("/health").build())
plain = Starlette(lifespan=StarletteBuilder().build())
litestar = Litestar(plugins=[FapilogPlugin()])
wrapped = FapilogMiddleware(plain)
app.add_middleware(FapilogMiddleware)


@app.get("/")
async def index(logger: Annotated[SyncLoggerFacade, Depends(get_request_logger)]) -> dict[str, str]:
    """The documented form."""
    annotate(cart_size=3)
    logger.info("seen")
    return {}


def library() -> None:
    """The standard library's edge and the test helper."""
    capture_stdlib()
    config: dict[str, Any] = uvicorn_log_config()
    assert config
    with capture_logs() as logs:
        assert logs is not None
