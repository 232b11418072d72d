"""What the methods of all builders do: put values into a mapping of options, checked at once."""

from enum import Enum, auto
from typing import Any, Literal, Self

from fapilog.config.options import Options, merge
from fapilog.config.parts import SinkChoice


class Unsaid(Enum):
    """The default of a parameter whose None says something: it leaves the option to the environment."""

    UNSAID = auto()

    def __repr__(self) -> str:
        """Say so, for ``help()``."""
        return "unsaid"


UNSAID: Literal[Unsaid.UNSAID] = Unsaid.UNSAID


class Filling:
    """Holds what was said so far. Its ``repr`` shows none of it."""

    def __init__(self) -> None:
        """Start with nothing said: the ``minimal`` preset, or what the environment says."""
        self._preset: str | None = None
        self._settings: Any = None
        self._changes: dict[str, Any] = {}
        self._sinks: list[SinkChoice] = []

    def _set(self, **values: Any) -> Self:
        """Say values of options."""
        merge(Options(), values)
        self._changes.update(values)
        return self

    def _part(self, part: str, **values: Any) -> Self:
        """Say values of a part's options; None says nothing."""
        return self._put(part, **{name: value for name, value in values.items() if value is not None})

    def _put(self, part: str, **values: Any) -> Self:
        """Say values of a part's options, None included."""
        return self._set(**{part: {**(self._changes.get(part) or {}), **values}})

    def _add(self, kind: str, stages: tuple[Any, ...]) -> Self:
        """Say more values of a list."""
        return self._set(**{kind: (*self._changes.get(kind, ()), *stages)})
