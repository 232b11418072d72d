"""Which level is on for which logger: a default, and overrides for a name and all names below it."""

from collections import Counter
from collections.abc import Iterable, Mapping

from fapilog.event import Origin
from fapilog.levels import LevelTable


class LevelRules:
    """The thresholds of one engine. Thread-safe by replacing its table as a whole."""

    def __init__(self, default: int, names: LevelTable, overrides: Mapping[str, int] | None = None) -> None:
        """Start with what was configured: one level, and those of some names."""
        self.configured = default
        self.default = default
        self.configured_overrides = dict(overrides or {})
        self.overrides = dict(self.configured_overrides)
        self._names = names
        self._floors: Counter[int] = Counter()

    def set(self, level: str | int | None, logger: str | None) -> None:
        """Set the default level, or that of a name and all names below it (``app`` also sets ``app.db``).

        Args:
            level: A name or number; None takes the level of that name, or the default, back to what was configured.
            logger: The name; None for the default.

        Raises:
            ConfigError: If there is no such level.
        """
        if logger is None:
            self.default = self.configured if level is None else self._names.number(level, "set_level(level)")
            return
        others = {name: number for name, number in self.overrides.items() if name != logger}
        if level is not None:
            others[logger] = self._names.number(level, "set_level(level)")
        elif logger in self.configured_overrides:
            others[logger] = self.configured_overrides[logger]
        self.overrides = others

    def effective(self, name: str) -> int:
        """Return the threshold of a logger name: the nearest override above it, or the default."""
        overrides = self.overrides
        while overrides and name:
            if name in overrides:
                return overrides[name]
            name = name.rpartition(".")[0]
        return self.default

    def open_floor(self, level: int) -> bool:
        """Let events of this level and above come as far as to somebody who wants more than the thresholds say.

        Returns:
            Whether that is new, and :meth:`apply` has something to do.
        """
        before = self._floor()
        self._floors[level] += 1
        return self._floor() != before

    def close_floor(self, level: int) -> bool:
        """Take back one :meth:`open_floor` of the same level; return the same."""
        before = self._floor()
        self._floors[level] -= 1
        if self._floors[level] <= 0:
            del self._floors[level]
        return self._floor() != before

    def apply(self, origins: Iterable[Origin]) -> None:
        """Write the thresholds to where log calls read them."""
        floor = self._floor()
        for origin in origins:
            threshold = self.effective(origin.name)
            origin.threshold = threshold
            origin.level = threshold if floor is None or floor > threshold else floor

    def _floor(self) -> int | None:
        # A copy: the collector may run in between and close a floor whose owner is gone.
        return min(list(self._floors), default=None)
