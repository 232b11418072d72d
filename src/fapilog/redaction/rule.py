"""What a content rule is: how to see quickly that there is nothing for it, and how to hide what there is."""

import re
from collections.abc import Callable
from typing import NamedTuple

Hide = Callable[[str], str]
Look = Callable[[str], bool]


class Rule(NamedTuple):
    """One kind of secret.

    A text without any sign holds nothing for the rule. Signs are looked for in texts joined by line ends, and so may
    not depend on where a text begins or ends.

    Attributes:
        hide: Returns the text with the mask in place of each secret. Linear in the length of the text.
        signs: Patterns, each beginning with one literal character, a rare one where that can be: all signs of all rules
            become one pattern, which is searched for by its first characters.
        look: What a pattern cannot tell, or not fast enough; True if there may be something.
    """

    hide: Hide
    signs: tuple[str, ...] = ()
    look: Look | None = None


_MOST_KNOWN = 4_096


def remembering(ask: Callable[[str], bool]) -> Callable[[str], bool]:
    """Return a function that asks once per name, for the last some thousand names. Thread-safe."""
    known: dict[str, bool] = {}

    def answer(name: str) -> bool:
        verdict = known.get(name)
        if verdict is None:
            verdict = ask(name)
            if len(known) >= _MOST_KNOWN:
                known.clear()
            known[name] = verdict
        return verdict

    return answer


def gate(rules: tuple[Rule, ...]) -> Callable[[str], object]:
    """Return a search for the signs of all rules in one pass; what it returns is true if there is one."""
    signs = dict.fromkeys(sign for rule in rules for sign in rule.signs)
    return re.compile("|".join(signs) or "(?!)").search
