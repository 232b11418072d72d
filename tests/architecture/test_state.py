"""Process-wide mutable state has one home, ``fapilog._runtime``.

What counts as such state, in any other module:

- a ``global`` statement;
- a name bound at module or class level to something that can change: a container that some code of the package
  writes to, or an instance of a class whose methods write to ``self``;
- an attribute written on a module or on a class, and a cache on a function;
- a ``ContextVar`` outside ``fapilog.context``.

A container that nothing writes to is a constant and may stand anywhere.
"""

import ast
from collections.abc import Iterator
from functools import cache

import pytest

from tests.architecture.source import FUNCTION, Module, modules, walk

HOME = "fapilog._runtime"
EXCEPTIONS = {
    (
        "fapilog.errors",
        "_REPR",
    ): "limits for a rendering, set beside it and never again; 3.11 takes them in no other way",
    ("fapilog.asgi.headers", "_CREDENTIALS"): "rules, worked out once and only asked",
    ("fapilog.context", "OUTSIDE"): "the context outside any request: a sentinel that is compared and never written to",
    (
        "fapilog.context",
        "OWN_WORK",
    ): "the context outside any request: a sentinel that is compared and never written to",
}
"""What looks like state and is none, with the reason."""

PURE_CALLS = frozenset({
    "ContextVar", "Field", "MappingProxyType", "NewType", "ParamSpec", "PrivateAttr", "SettingsConfigDict",
    "Struct", "TypeVar", "attrgetter", "auto", "bytes", "cast", "compile", "decode", "encode", "field", "float",
    "frozenset", "getattr", "getpid", "hasattr", "int", "itemgetter", "len", "make_level_method", "make_log_method",
    "maketrans", "max", "min", "namedtuple", "object", "property", "range", "str", "struct", "tuple", "TypeVarTuple",
})  # fmt: skip
"""Calls whose result does not change."""

CONTAINER_CALLS = frozenset({
    "ChainMap", "Counter", "OrderedDict", "WeakKeyDictionary", "WeakSet", "WeakValueDictionary", "array", "bytearray",
    "defaultdict", "deque", "dict", "fromkeys", "list", "set", "sorted", "split",
})  # fmt: skip
CONTAINERS = ast.List | ast.Dict | ast.Set | ast.ListComp | ast.DictComp | ast.SetComp
MUTATORS = frozenset({
    "add", "append", "appendleft", "clear", "difference_update", "discard", "extend", "extendleft", "insert",
    "intersection_update", "pop", "popitem", "popleft", "remove", "reverse", "rotate", "setdefault", "sort",
    "subtract", "symmetric_difference_update", "update",
})  # fmt: skip
IMMUTABLE_BASES = frozenset({"NamedTuple", "Enum", "IntEnum", "StrEnum", "Flag", "IntFlag"})

pytestmark = pytest.mark.parametrize("module", [it for it in modules() if it.name != HOME], ids=lambda it: it.name)


def test_no_global_statement(module: Module) -> None:
    """Nothing rebinds a module's names at run time."""
    assert [module.where(node) for node, _ in walk(module.tree) if isinstance(node, ast.Global)] == []


def test_nothing_bound_at_module_or_class_level_can_change(module: Module) -> None:
    """Constants, types and functions only; a container is one if nothing in the package writes to it."""
    written = _written()
    wrong = [
        f"{module.where(value)} {name} = {ast.unparse(value)[:60]}"
        for name, value in _bindings(module.tree.body)
        if (module.name, name) not in EXCEPTIONS and not _is_constant(value, module, (module.name, name) in written)
    ]

    assert wrong == []


def test_no_attribute_is_written_on_a_module_or_a_class(module: Module) -> None:
    """``Class.count += 1`` is a global by another name."""
    shared = _modules_and_classes(module) | {"cls"}
    wrong = [
        f"{module.where(target)} {ast.unparse(target)}"
        for target in _stores(module.tree)
        if isinstance(target, ast.Attribute) and isinstance(target.value, ast.Name) and target.value.id in shared
    ]

    assert wrong == []


def test_no_function_has_a_cache(module: Module) -> None:
    """``functools.cache`` keeps its arguments for the life of the process."""
    wrong = [
        f"{module.where(node)} {node.name}"
        for node, _ in walk(module.tree)
        if isinstance(node, FUNCTION) and any("cache" in ast.unparse(it).lower() for it in node.decorator_list)
    ]

    assert wrong == []


def test_context_variables_live_in_one_module(module: Module) -> None:
    """``fapilog.context`` has the one context variable."""
    made = [
        module.where(node)
        for node, _ in walk(module.tree)
        if isinstance(node, ast.Call) and ast.unparse(node.func).rpartition(".")[2] == "ContextVar"
    ]

    assert made == [] or module.name == "fapilog.context"


def _bindings(body: list[ast.stmt]) -> Iterator[tuple[str, ast.expr]]:
    """Yield the names bound at module and class level, also under ``if``, ``try`` and ``with``."""
    for node in body:
        if isinstance(node, ast.Assign):
            yield from ((ast.unparse(target), node.value) for target in node.targets)
        elif isinstance(node, ast.AnnAssign) and node.value is not None:
            yield ast.unparse(node.target), node.value
        elif not isinstance(node, FUNCTION):
            for block in ("body", "orelse", "handlers", "finalbody"):
                yield from _bindings(getattr(node, block, []))


def _is_constant(value: ast.expr, module: Module, written: bool) -> bool:
    if isinstance(value, CONTAINERS):
        return not written
    if isinstance(value, ast.Tuple):
        return all(_is_constant(item, module, written) for item in value.elts)
    if isinstance(value, ast.IfExp):
        return _is_constant(value.body, module, written) and _is_constant(value.orelse, module, written)
    if isinstance(value, ast.BoolOp):
        return all(_is_constant(item, module, written) for item in value.values)
    if not isinstance(value, ast.Call):
        return not isinstance(value, ast.GeneratorExp | ast.NamedExpr | ast.Await)
    name = ast.unparse(value.func).rpartition(".")[2]
    if name in PURE_CALLS:
        return True
    if name in CONTAINER_CALLS:
        return not written
    return _is_stateless_class(name)


@cache
def _is_stateless_class(name: str) -> bool:
    """Tell whether a class of the package is immutable: an enum, a named tuple, frozen, or never writes to self."""
    found = [
        node for it in modules() for node in ast.walk(it.tree) if isinstance(node, ast.ClassDef) and node.name == name
    ]
    return bool(found) and all(_is_stateless(node) for node in found)


def _is_stateless(node: ast.ClassDef) -> bool:
    if any(ast.unparse(base).rpartition(".")[2] in IMMUTABLE_BASES for base in node.bases):
        return True
    if any("frozen=True" in ast.unparse(decorator) for decorator in node.decorator_list):
        return True
    bases = [ast.unparse(base).partition("[")[0] for base in node.bases]
    if not all(base == "Protocol" or _is_stateless_class(base) for base in bases):
        return False
    return not any(
        isinstance(target, ast.Attribute) and ast.unparse(target.value) == "self" for target in _stores(node)
    )


def _stores(tree: ast.AST) -> Iterator[ast.expr]:
    """Yield every expression that is assigned to, deleted, or written to in place by a method of its own."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute | ast.Subscript | ast.Name) and isinstance(node.ctx, ast.Store | ast.Del):
            yield node
        elif isinstance(node, ast.Call) and ast.unparse(node.func) in {"setattr", "delattr"}:
            yield ast.Attribute(node.args[0], "?", ast.Store(), lineno=node.lineno)


@cache
def _written() -> set[tuple[str, str]]:
    """Return the module-level names, with their modules, that code anywhere in the package writes into."""
    return {found for module in modules() for found in _written_by(module)}


def _written_by(module: Module) -> Iterator[tuple[str, str]]:
    origin = _origins(module)
    for node in ast.walk(module.tree):
        target: ast.expr | None = None
        if isinstance(node, ast.Subscript) and isinstance(node.ctx, ast.Store | ast.Del):
            target = node.value
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in MUTATORS:
            target = node.func.value
        elif isinstance(node, ast.AugAssign):
            target = node.target
        while isinstance(target, ast.Subscript):
            target = target.value
        if isinstance(target, ast.Name):
            yield origin.get(target.id, (module.name, target.id))
        elif isinstance(target, ast.Attribute) and isinstance(target.value, ast.Name):
            # `module.NAME.append(…)` and `Class.NAME.append(…)`, and `self.NAME.append(…)` for a class-level NAME
            # are told apart by nobody here; the last one only matters if NAME is bound at class level, too.
            owner, name = origin.get(target.value.id, (module.name, ""))
            yield (f"{owner}.{name}".rstrip("."), target.attr)


def _origins(module: Module) -> dict[str, tuple[str, str]]:
    """Return for each name that was imported the module it comes from and its name there."""
    return {
        alias.asname or alias.name: (node.module or "", alias.name)
        for node, _ in walk(module.tree)
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }


def _modules_and_classes(module: Module) -> set[str]:
    classes = {node.name for node in ast.walk(module.tree) if isinstance(node, ast.ClassDef)}
    whole = {
        (alias.asname or alias.name).partition(".")[0]
        for node, _ in walk(module.tree)
        if isinstance(node, ast.Import)
        for alias in node.names
    }
    imported = {
        alias.asname or alias.name
        for node, _ in walk(module.tree)
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
        if alias.name[:1].isupper()
    }
    return classes | whole | imported
