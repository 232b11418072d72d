"""The layers of the design: a module imports only from the rows above its own.

A *part* is a module or a folder directly under ``fapilog``. The table is the design's, written once; a new part
has to be put into it before it passes.
"""

from graphlib import CycleError, TopologicalSorter

import pytest

from tests.architecture.source import COMPUTED, ROOT, Module, imports, modules

RUNTIME = "_runtime"
INIT = "__init__"

ROWS: dict[int, tuple[str, ...]] = {
    0: (
        "_version", "checks", "clock", "coerce", "copying", "diagnostics", "drain_result", "edge_options", "errors",
        "event", "flight_options", "levels", "protocols", "units",
    ),
    1: ("context", "durable", "flight", "metrics", "offload", "recent"),
    2: ("carry", "enrichers", "filters", "logger", "otel", "processors", "redaction", "serializers"),
    3: ("delivery", "sinks"),
    4: ("engine",),
    5: ("config", "plugins"),
    6: (INIT, RUNTIME, "builders", "jobs"),
    7: ("asgi", "stdlib", "testing"),
    8: ("__main__", "cli", "fastapi", "hosting", "litestar", "starlette"),
}  # fmt: skip
ROW_OF = {part: row for row, parts in ROWS.items() for part in parts}


def _rows(*numbers: int) -> frozenset[str]:
    return frozenset(part for number in numbers for part in ROWS[number])


USES_BY_ROW: dict[int, frozenset[str]] = {
    0: _rows(0),  # among themselves, without a cycle
    1: _rows(0),
    2: _rows(0, 1),
    3: _rows(0, 1, 2),
    4: _rows(0, 1) | {"delivery"},
    5: _rows(0, 1, 2, 3, 4),
    6: _rows(0, 1, 2, 3, 4, 5),
    7: _rows(0, 1, 2, 6),
    8: _rows(0, 1, 2, 3, 4, 5, 6, 7, 8),  # among themselves, without a cycle
}
"""What the parts of a row may import, beside themselves."""

USES_BY_PART: dict[str, frozenset[str]] = {
    "offload": _rows(0) | {"context"},  # what its thread logs is the toolkit's own work
    "carry": _rows(0, 1) | {"otel"},  # carried work may be a trace of its own, linked to where it comes from
    "delivery": _rows(0, 1),  # knows only the Sink protocol
    "config": USES_BY_ROW[5] | {"plugins"},
    "asgi": USES_BY_ROW[7] | {"stdlib"},  # decisions/0002: the lifespan takes over the server's loggers
    INIT: USES_BY_ROW[6] | {RUNTIME, "builders", "jobs"},
    "builders": USES_BY_ROW[6] | {RUNTIME},
    "jobs": USES_BY_ROW[6] | {RUNTIME},
    "testing": USES_BY_ROW[7] | _rows(3, 4),
}
"""Where a part may do less or more than its row."""

OUTSIDE_BY_PART: dict[str, frozenset[str]] = {
    "fastapi": frozenset({"fastapi", "starlette", "pydantic"}),
    "starlette": frozenset({"starlette"}),
    "litestar": frozenset({"litestar"}),
}
LOADERS = {
    ("fapilog", "__getattr__"): "public names that need pydantic or the engine; the table beside it is read as imports",
    ("fapilog.config.sink_parts", "_load"): "a remote sink's module, and with it a library that may be missing",
    ("fapilog._runtime", "_load"): "the engine's modules at the first event; its callers' literals are read as imports",
}
FRAMEWORKS = frozenset({"fastapi", "starlette", "litestar", "uvicorn", "gunicorn"})


def part_of(name: str) -> str:
    """Return the part that a dotted module name belongs to."""
    return name.split(".")[1] if "." in name else INIT


def _may_use(part: str) -> frozenset[str]:
    return USES_BY_PART.get(part, USES_BY_ROW[ROW_OF[part]]) | {part}


@pytest.mark.parametrize("module", modules(), ids=lambda module: module.name)
def test_every_module_has_a_row(module: Module) -> None:
    """A module that the table does not know has no place in the design yet."""
    assert part_of(module.name) in ROW_OF, f"put {part_of(module.name)!r} into ROWS"


@pytest.mark.parametrize("module", modules(), ids=lambda module: module.name)
def test_a_module_imports_only_from_the_rows_above_its_own(module: Module) -> None:
    """Imports inside functions, under TYPE_CHECKING and by literal name count like any other."""
    part = part_of(module.name)
    wrong = [
        f"{module.where(it.node)} imports {it.target}"
        for it in imports(module)
        if (it.target == ROOT or it.target.startswith(ROOT + ".")) and part_of(it.target) not in _may_use(part)
    ]

    assert wrong == []


@pytest.mark.parametrize("module", modules(), ids=lambda module: module.name)
def test_frameworks_stay_in_their_host_modules(module: Module) -> None:
    """The ASGI edge speaks the protocol; a framework's name appears only in the module named after it."""
    allowed = OUTSIDE_BY_PART.get(part_of(module.name), frozenset())
    wrong = [
        f"{module.where(it.node)} imports {it.target}"
        for it in imports(module)
        if it.target.split(".")[0] in FRAMEWORKS - allowed
    ]

    assert wrong == []


def test_no_module_imports_itself_by_a_detour() -> None:
    """The import graph of the whole package has no cycle, lazy and type-only imports included."""
    known = {module.name for module in modules()}
    graph = {
        module.name: {it.target for it in imports(module) if it.target in known} - {module.name} for module in modules()
    }

    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        pytest.fail("import cycle: " + " → ".join(error.args[1]))


def test_only_the_loaders_compute_an_import() -> None:
    """A module name that is put together at run time is out of these tests' sight."""
    found = {(module.name, it.function) for module in modules() for it in imports(module) if it.target == COMPUTED}

    assert found == set(LOADERS)
