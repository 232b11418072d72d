"""Imports stand at the top of a file, so that what a module needs can be read there."""

from tests.architecture.source import COMPUTED, imports, modules

OPTIONAL = frozenset({"fastapi", "litestar", "starlette", "uvicorn", "uvloop", "zstandard"})
"""Packages of an extra, or of a host, which may be missing: imported where they are used."""

ALLOWED = {
    ("fapilog._runtime", "fapilog.config.assemble"): "the first event assembles; `import fapilog` stays cheap",
    ("fapilog._runtime", "fapilog.config.resolve"): "the same: what nobody has configured is resolved with it",
    ("fapilog._runtime", "fapilog.config.builder"): "the same: whoever gives a builder has it loaded",
    ("fapilog._runtime", "fapilog.config.publishing"): "the same: what is assembled is measured",
    ("fapilog._runtime", "fapilog.otel.watching"): "the first console, or tracing, looks at spans",
    ("fapilog._runtime", "multiprocessing.util"): "only a child of multiprocessing needs it, and it has it loaded",
    ("fapilog.carry", "fapilog.otel.links"): "loads opentelemetry; only linked work needs it",
    ("fapilog.errors", "difflib"): "only a wrong name needs it; `import fapilog` stays cheap",
    ("fapilog.sinks.loki.sink", "fapilog.sinks.loki.protobuf_body"): "needs protobuf and cramjam, which JSON does not",
    ("fapilog.config.publishing", "fapilog.metrics.prometheus"): "needs prometheus-client, which may be missing",
    ("fapilog.config.publishing", "fapilog.otel.meters"): "loads slowly; only who publishes metrics needs it",
    ("fapilog.asgi.debug.metrics", "fapilog.metrics.prometheus"): "needs prometheus-client, which may be missing",
    ("fapilog.plugins", "importlib.metadata"): "loads slowly; only who names a plug-in needs it",
    ("fapilog.config.resolve", "fapilog.config.settings"): "pydantic loads slowly; only the environment needs it",
    ("fapilog.asgi.tracing.propagation", "opentelemetry.propagate"): "raises where a propagator is not installed",
}
"""(module, target): reason."""


def test_only_optional_packages_are_imported_inside_functions() -> None:
    """Anything else has to be on the list above, with its reason."""
    wrong = [
        f"{module.where(it.node)} imports {it.target} in {it.function}()"
        for module in modules()
        for it in imports(module)
        if it.function is not None
        and it.target != COMPUTED  # test_layers has the list of loaders
        and it.target.partition(".")[0] not in OPTIONAL
        and (module.name, it.target) not in ALLOWED
    ]

    assert wrong == []


def test_the_list_of_exceptions_has_no_leftovers() -> None:
    """An exception that nobody needs any more is taken off the list."""
    used = {(module.name, it.target) for module in modules() for it in imports(module) if it.function is not None}

    assert set(ALLOWED) - used == set()
