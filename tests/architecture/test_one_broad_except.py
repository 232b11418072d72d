"""One broad except in the whole package; everywhere else the exception is named."""

import ast

from tests.architecture.source import Module, modules

BROAD = {"Exception", "BaseException"}
HOME = ("fapilog.diagnostics", "attempt")


def test_only_attempt_catches_everything() -> None:
    """``diagnostics.attempt`` is the one place that catches what it cannot name."""
    found = [place for module in modules() for place in _broad(module)]
    strangers = [where for function, where in found if function != HOME]

    assert strangers == []
    assert [function for function, _ in found] == [HOME]


def test_nothing_is_suppressed_broadly() -> None:
    """``contextlib.suppress(Exception)`` is a broad except by another name."""
    wrong = [
        module.where(node)
        for module in modules()
        for node in ast.walk(module.tree)
        if isinstance(node, ast.Call)
        and ast.unparse(node.func).rpartition(".")[2] == "suppress"
        and any(_is_broad(argument) for argument in node.args)
    ]

    assert wrong == []


def _broad(module: Module) -> list[tuple[tuple[str, str], str]]:
    """Return the function and the place of each broad handler, those that clean up and re-raise included."""
    return [
        ((module.name, name), module.where(handler))
        for name, handler in _handlers(module.tree, "<module>")
        if (handler.type is None or _is_broad(handler.type)) and not _only_passes_on(handler)
    ]


def _handlers(node: ast.AST, function: str) -> list[tuple[str, ast.ExceptHandler]]:
    found = []
    for child in ast.iter_child_nodes(node):
        name = child.name if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef) else function
        if isinstance(child, ast.ExceptHandler):
            found.append((name, child))
        found += _handlers(child, name)
    return found


def _is_broad(expression: ast.expr) -> bool:
    parts = expression.elts if isinstance(expression, ast.Tuple) else [expression]
    return any(ast.unparse(part).rpartition(".")[2] in BROAD for part in parts)


def _only_passes_on(handler: ast.ExceptHandler) -> bool:
    """Tell whether a handler ends by a bare ``raise`` and has no other way out: it swallows nothing."""
    last = handler.body[-1]
    leaves = any(isinstance(node, ast.Return | ast.Continue | ast.Break) for node in ast.walk(handler))
    return isinstance(last, ast.Raise) and last.exc is None and not leaves
