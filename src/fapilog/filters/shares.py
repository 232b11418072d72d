"""How severe an event is, who is exempt from sampling, and how a share of what comes is picked."""

import random
from collections.abc import Callable

from fapilog.errors import ConfigError
from fapilog.event import EventDict
from fapilog.filters.keys import OWN

LevelNumber = Callable[[str | int, str], int]
Chance = Callable[[], float]


class Numbers:
    """The numbers of the levels that events carry by name. What is asked often is remembered."""

    def __init__(self, number: LevelNumber) -> None:
        """Start with nothing remembered.

        Args:
            number: Looks up a level: :meth:`fapilog.levels.LevelTable.number`.
        """
        self._number = number
        self._known: dict[str, int] = {}

    def of(self, level: str) -> int | None:
        """Return the number of a level, registered ones and those without a name too; None if it does not exist."""
        known = self._known.get(level)
        if known is None:
            try:
                known = self._number(level, "level")
            except ConfigError:
                return None
            # Only these, so that there are not more than there are levels.
            self._known[level] = known
        return known


class Exempt:
    """Tells whether an event is one that no sampling holds back: severe enough, or the toolkit's own."""

    def __init__(self, level: str | int, number: LevelNumber) -> None:
        """Look the level up.

        Raises:
            ConfigError: If there is no such level.
        """
        self._least = number(level, "with_sampling(exempt)")
        self._numbers = Numbers(number)

    def __call__(self, event: EventDict) -> bool:
        """Tell it; a level that is not known is not severe."""
        number = self._numbers.of(event.get("level", ""))
        return (number is not None and number >= self._least) or event.get("logger") == OWN


class Share:
    """Picks a share of what comes: of each stretch that makes up one, one at random.

    After n it has picked ``rate * n``, rounded down or up, and each had the same chance. Regular picks, every tenth,
    would be as exact, but of events that repeat in tens they would always pick the same one; independent ones are not
    exact. The rate may differ each time.
    """

    __slots__ = ("_ahead", "_chance", "_due")

    def __init__(self, chance: Chance | None = None) -> None:
        """Start with nothing due.

        Args:
            chance: Returns numbers from 0 to below 1; default a generator of its own, because taking from the process's
                would change the numbers of an application that has seeded it.
        """
        self._chance = random.Random().random if chance is None else chance  # noqa: S311 - nothing has to be secret
        self._due = 0.0
        self._ahead = False

    def take(self, rate: float) -> bool:
        """Tell whether this one is picked.

        Args:
            rate: From 0 to 1.
        """
        before = self._due
        due = before + rate
        if due < 1.0:
            # Within a stretch: if it has been picked from already, nothing; else the chance that is left of it.
            picked = not self._ahead and self._chance() * (1.0 - before) < rate
            self._ahead = self._ahead or picked
        else:
            # It ends here: who was not picked from it is this one; else it is about the next stretch's beginning.
            due -= 1.0
            picked = not self._ahead or self._chance() * before < due
            self._ahead = self._ahead and picked
        self._due = due
        return picked
