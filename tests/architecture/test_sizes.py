"""Small files and small functions: what a reader can hold in the head."""

import pytest

from tests.architecture.source import Module, functions, modules

MAX_FILE_LINES = 400
MAX_FUNCTION_LINES = 60


@pytest.mark.parametrize("module", modules(), ids=lambda module: module.name)
def test_a_file_is_small(module: Module) -> None:
    """A file has 400 lines at most; about 250 is the aim."""
    lines = len(module.text.splitlines())

    assert lines <= MAX_FILE_LINES


@pytest.mark.parametrize("module", modules(), ids=lambda module: module.name)
def test_a_function_is_small(module: Module) -> None:
    """A function has 60 lines at most, docstring and nested functions included; about 40 is the aim."""
    long = [
        f"{module.where(node)} {node.name}: {length} lines"
        for node in functions(module)
        if (length := (node.end_lineno or node.lineno) - node.lineno + 1) > MAX_FUNCTION_LINES
    ]

    assert long == []
