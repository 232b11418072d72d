"""The package as text and syntax trees: what every architecture test reads."""

import ast
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

SRC = Path(__file__).parents[2] / "src"
ROOT = "fapilog"
COMPUTED = "<computed>"
FUNCTION = ast.FunctionDef | ast.AsyncFunctionDef


@dataclass(frozen=True)
class Module:
    """One source file.

    Attributes:
        name: Its dotted name; a package's is that of its folder.
        is_package: Whether the file is an ``__init__.py``.
    """

    name: str
    path: Path
    text: str = field(repr=False)
    tree: ast.Module = field(repr=False)
    is_package: bool

    def where(self, node: ast.AST) -> str:
        """Return ``file:line`` for a message."""
        return f"{self.path.relative_to(SRC.parent)}:{getattr(node, 'lineno', 1)}"


@cache
def modules() -> tuple[Module, ...]:
    """Return every module of the package, sorted by name."""
    return tuple(_read(path) for path in sorted(SRC.glob("fapilog/**/*.py")))


def _read(path: Path) -> Module:
    parts = path.relative_to(SRC).with_suffix("").parts
    is_package = parts[-1] == "__init__"
    text = path.read_text("utf-8")
    return Module(".".join(parts[:-1] if is_package else parts), path, text, ast.parse(text, str(path)), is_package)


@dataclass(frozen=True)
class Import:
    """One import of a module, absolute, with where it stands and in which function."""

    target: str
    node: ast.AST
    function: str | None


def imports(module: Module) -> Iterator[Import]:
    """Yield what a module imports, anywhere in it: in functions, under TYPE_CHECKING, by ``import_module("…")``.

    A string that is the name of a module of the package counts as an import of it.
    """
    known = {it.name for it in modules()}
    for node, function in walk(module.tree):
        for target in _targets(node, module, known):
            yield Import(target, node, function)


def walk(node: ast.AST, function: str | None = None) -> Iterator[tuple[ast.AST, str | None]]:
    """Yield every node with the name of the outermost function that it stands in, None at module level."""
    for child in ast.iter_child_nodes(node):
        yield child, function
        yield from walk(child, function or (child.name if isinstance(child, FUNCTION) else None))


def _targets(node: ast.AST, module: Module, known: set[str]) -> list[str]:
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    if isinstance(node, ast.ImportFrom):
        base = _absolute(node, module)
        # `from fapilog import context` imports the module fapilog.context; `from fapilog import get_logger` a name.
        return [f"{base}.{alias.name}" if f"{base}.{alias.name}" in known else base for alias in node.names]
    if isinstance(node, ast.Constant) and node.value in known and node.value != ROOT:
        return [str(node.value)]  # handed to a loader, here or elsewhere
    if isinstance(node, ast.Call) and ast.unparse(node.func).rpartition(".")[2] in {"import_module", "__import__"}:
        name = node.args[0]
        return [name.value if isinstance(name, ast.Constant) and isinstance(name.value, str) else COMPUTED]
    return []


def _absolute(node: ast.ImportFrom, module: Module) -> str:
    if node.level == 0:
        return node.module or ""
    parts = module.name.split(".")
    base = parts[: len(parts) - node.level + (1 if module.is_package else 0)]
    return ".".join([*base, *([node.module] if node.module else [])])


def functions(module: Module) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    """Yield every function and method, nested ones too."""
    for node in ast.walk(module.tree):
        if isinstance(node, FUNCTION):
            yield node
