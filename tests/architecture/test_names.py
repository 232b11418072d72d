"""The public names are those of the design, no fewer and no more."""

import json
import subprocess
import sys

import pytest

PUBLIC = {
    "fapilog": {
        "AsyncLoggerBuilder", "AsyncLoggerFacade", "DrainResult", "LoggerBuilder", "Sensitive", "Settings",
        "SyncLoggerFacade", "__version__", "bind_context", "carry_context", "clear_context", "configure",
        "context_scope", "get_async_logger", "get_logger", "list_presets", "register_level", "runtime",
        "runtime_async", "set_level", "unbind_context",
    },
    "fapilog.asgi": {"FapilogMiddleware", "annotate"},
    "fapilog.fastapi": {"FastAPIBuilder", "get_request_logger"},
    "fapilog.litestar": {"FapilogPlugin"},
    "fapilog.starlette": {"StarletteBuilder"},
    "fapilog.stdlib": {"capture_stdlib", "uvicorn_log_config"},
    "fapilog.testing": {"capture_logs"},
}  # fmt: skip

PROBE = """
import importlib, inspect, json, sys
module = importlib.import_module(sys.argv[1])
listed = list(module.__all__)
for name in listed:
    getattr(module, name)
print(json.dumps({
    "all": sorted(listed),
    "dir": sorted(name for name in dir(module) if not name.startswith("_")),
    "submodules": sorted(name for name in dir(module) if inspect.ismodule(getattr(module, name))),
}))
"""


@pytest.mark.parametrize("name", sorted(PUBLIC))
def test_a_module_exports_the_names_of_the_design(name: str) -> None:
    """``__all__`` is the contract, each of its names exists, and ``dir()`` shows nothing beside it but submodules."""
    done = subprocess.run([sys.executable, "-c", PROBE, name], capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stderr
    seen = json.loads(done.stdout)

    assert set(seen["all"]) == PUBLIC[name]
    assert len(seen["all"]) == len(set(seen["all"]))
    if name in {"fapilog", "fapilog.asgi", "fapilog.stdlib", "fapilog.testing"}:  # packages: an __init__ of names only
        assert set(seen["dir"]) - PUBLIC[name] - set(seen["submodules"]) == set()
