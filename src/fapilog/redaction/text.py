"""The content rules together: what in a text is a secret, whatever field it stands in.

may_hide: one pattern for the rare characters that secrets begin with ──► a few looks for what a pattern cannot tell
                     └ no sign, which is nearly every text ─► nothing to do
clean:    each rule hides its own, until nothing is left to hide
"""

import re
from collections.abc import Callable, Iterable
from functools import partial

from fapilog.coerce import MASK
from fapilog.errors import ConfigError
from fapilog.redaction.contacts import EMAIL, PHONE
from fapilog.redaction.keys import CLOUD_KEY, SERVICE_KEY, VCS_KEY
from fapilog.redaction.numbers import CARD, IBAN, SSN
from fapilog.redaction.pairs import key_value
from fapilog.redaction.patterns import AUTHORIZATION, JWT, PEM
from fapilog.redaction.rule import Rule, gate
from fapilog.redaction.urls import URL_USERINFO, url_query

_MOST_ROUNDS = 4
# Whether these hold depends on where a text begins or ends, and so cannot be seen in joined texts.
_NEEDS_EDGES = re.compile(r"\\[AZzB]|\(\?<?!|\(\?>|\(\?\(|[+*?}]\+")

KINDS = (
    "pem", "url_userinfo", "key_value", "url_query", "authorization", "jwt", "cloud_key", "vcs_key", "service_key",
    "iban", "card", "ssn", "email", "phone",
)  # fmt: skip
"""All kinds, in the order in which they are applied: what masks more comes first."""

_FIXED = {
    "pem": PEM, "url_userinfo": URL_USERINFO, "authorization": AUTHORIZATION, "jwt": JWT, "cloud_key": CLOUD_KEY,
    "vcs_key": VCS_KEY, "service_key": SERVICE_KEY, "iban": IBAN, "card": CARD, "ssn": SSN, "email": EMAIL,
    "phone": PHONE,
}  # fmt: skip


class TextRules:
    """The rules of some kinds, and patterns of the user's own. Thread-safe.

    Args:
        kinds: Names out of ``KINDS``.
        is_secret_name: Tells of a name whether its value is secret; what it says is remembered.
        patterns: The whole match is hidden, or its group ``secret`` where the pattern has one. They are as fast as they
            are written.

    Raises:
        ConfigError: For a kind that does not exist.
    """

    def __init__(
        self, kinds: Iterable[str], is_secret_name: Callable[[str], bool], patterns: Iterable[re.Pattern[str]] = ()
    ) -> None:
        """Put the rules together."""
        wanted = set(kinds)
        for kind in sorted(wanted.difference(KINDS)):
            raise ConfigError.unknown("redaction kinds", kind, KINDS)
        made = {
            **_FIXED,
            "key_value": key_value(is_secret_name),
            "url_query": url_query(is_secret_name),
        }
        rules = [made[kind] for kind in KINDS if kind in wanted]
        rules += [_own(pattern) for pattern in patterns]
        self._rules = [(rule.hide, gate((rule,)), rule.look) for rule in rules]
        self._gate = gate(tuple(rules))
        self._looks = list(dict.fromkeys(rule.look for rule in rules if rule.look is not None))

    def may_hide(self, text: str) -> bool:
        """Tell whether :meth:`clean` may hide something of a text, or of one of several joined by line ends."""
        if self._gate(text):
            return True
        for look in self._looks:  # noqa: SIM110 - a generator would take as long as the looks
            if look(text):
                return True
        return False

    def clean(self, text: str) -> str:
        """Return a text with the mask in place of each secret: the same object if there is none.

        What is cleaned stays as it is when cleaned again. A text in which masking goes on laying open new secrets,
        which only made-up ones do, is masked as a whole.
        """
        cleaned = text
        for _ in range(_MOST_ROUNDS):
            if not self.may_hide(cleaned):
                return cleaned
            before = cleaned
            for hide, signs, look in self._rules:
                if signs(cleaned) or (look is not None and look(cleaned)):
                    cleaned = hide(cleaned)
            if cleaned == before:
                return text if cleaned == text else cleaned
        return MASK


def _own(pattern: re.Pattern[str]) -> Rule:
    """Return the rule for a pattern of the user's."""
    group: str | int = "secret" if "secret" in pattern.groupindex else 0
    if _NEEDS_EDGES.search(pattern.pattern):
        return Rule(hide=partial(_hide_group, pattern, group), look=lambda _: True)
    at_lines = re.compile(pattern.pattern, pattern.flags | re.MULTILINE)
    return Rule(hide=partial(_hide_group, pattern, group), look=lambda text: at_lines.search(text) is not None)


def _hide_group(pattern: re.Pattern[str], group: str | int, text: str) -> str:
    pieces, done = [], 0
    for match in pattern.finditer(text):
        begin, end = match.span(group)
        if begin < end and begin >= done:
            pieces += [text[done:begin], MASK]
            done = end
    return "".join([*pieces, text[done:]]) if pieces else text
