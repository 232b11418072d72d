"""Which completion events are worth emitting."""

import random
from collections import Counter
from collections.abc import Callable, Iterable

from fapilog.edge_options import AsgiOptions

SKIPPED = "skip_paths"
SAMPLED_OUT = "sample_rate"


class Paths:
    """Some paths: exact ones, and prefixes ended by ``*``; with or without the application's root path.

    Args:
        paths: As the options give them.
    """

    def __init__(self, paths: Iterable[str]) -> None:
        """Sort the paths into exact ones and prefixes."""
        paths = tuple(paths)
        self._exact = frozenset(path for path in paths if not path.endswith("*"))
        self._prefixes = tuple(path[:-1] for path in paths if path.endswith("*"))
        self._any = bool(paths)

    def hold(self, path: str, root_path: str) -> bool:
        """Tell whether a decoded path is one of them.

        Args:
            path: The path, root path included.
            root_path: What the server says the application stands under.
        """
        return self._any and self._holds(path, root_path)

    def _holds(self, path: str, root_path: str) -> bool:
        if path in self._exact or (self._prefixes and path.startswith(self._prefixes)):
            return True
        root = root_path.rstrip("/")
        return bool(root) and path.startswith(root + "/") and self._holds(path[len(root) :], "")


class Rules:
    """Decides which completion events are emitted. What is held back is counted in ``withheld``.

    For one event loop: the counts are not locked.

    Args:
        options: Where the rules are taken from.
        chance: Returns a number from 0 up to 1; the dice of the sampling.
    """

    def __init__(self, options: AsgiOptions, chance: Callable[[], float] = random.random) -> None:
        """Sort the paths."""
        self._skipped = Paths(options.skip_paths)
        self._rate = options.sample_rate
        self._chance = chance
        self.withheld: Counter[str] = Counter()

    def emits(self, path: str, root_path: str, *, success: bool) -> bool:
        """Tell whether a request that did not fail gives its completion event.

        Args:
            path: The decoded path, root path included.
            root_path: What the server says the application stands under.
            success: Whether the answer was below 400 and went out whole.
        """
        if self._skipped.hold(path, root_path):
            self.withheld[SKIPPED] += 1
            return False
        if success and self._rate < 1 and self._chance() >= self._rate:
            self.withheld[SAMPLED_OUT] += 1
            return False
        return True
