"""Which field names are sensitive, however they are spelt.

A name is taken apart into words: at everything that is no letter or digit, between ``camel`` and ``Case``, between
letters and digits. Put together again without case they are what is compared: ``apiKey``, ``api_key``, ``API-KEY``,
``api.key`` and ``apikey`` are one name. A rule without a dot is about names at any depth:

====================  =======================================================================================
``ssn``               the whole name; of a flat name with dots (``user.ssn``) also what follows the last one
``*api_key``          names that end with these words: ``api_key``, ``stripeApiKey``, ``X-API-KEY``
``**password``        names that end with these letters: ``dbpassword``, too
====================  =======================================================================================

Rules that mask also know a little English:

- What only qualifies a secret hides none: ``password1``, ``token_value``, ``secret_b64``, ``passwordAgain``. Other
  endings name something else: ``password_changed_at``, ``token_usage``, and ``api_key_id``, because an identifier
  tells which key it was and opens nothing.
- A flag or an amount is not what it is about: ``has_password``, ``isSecret``, ``max_token``.

Rules that remove, allow, or show the size are taken at their word.
"""

import re
from collections.abc import Iterable
from typing import Any, Literal, NamedTuple

from fapilog.errors import ConfigError

Action = Literal["keep", "mask", "remove", "size"]
KEEP: Action = "keep"
MASKED: Action = "mask"
REMOVE: Action = "remove"
SIZE: Action = "size"

# A run of capitals up to the one that begins a word; a word; a number. Every run is gone through at most twice.
_WORD = re.compile(r"[A-Z]+(?![^\W\d_A-Z])|[A-Z]?[^\W\d_A-Z]+|\d+")
_NO_NAME = re.compile(r"[\s_.\-]*")
_FORM = "a name such as 'ssn', or '*' and the words that names end with, such as '*password'"
_AFTERWARDS = frozenset((
    # another of the same
    "again", "backup", "bak", "confirm", "confirmation", "copy", "current", "default", "new", "old", "prev", "previous",
    "primary", "repeat", "repeated", "retype", "secondary", "temp", "tmp", "v", "dev", "live", "prod", "production",
    "staging", "test",
    # the same in another form; b64 is b and 64, sha256 is sha and 256
    "argon", "b", "base", "bcrypt", "bytes", "ciphertext", "clear", "cleartext", "crypt", "digest", "enc", "encoded",
    "encrypted", "hash", "hashed", "hex", "json", "md", "pbkdf", "pem", "plain", "plaintext", "raw", "salt", "scrypt",
    "sha", "str", "string", "text", "txt",
    # what holds it
    "content", "contents", "data", "field", "header", "headers", "input", "param", "parameter", "val", "value",
    "values",
))  # fmt: skip
"""Words at the end of a name behind which a secret is still the secret. Numbers are, too."""
_RUN_ON = (
    "again", "confirm", "confirmation", "digest", "encrypted", "hash", "hashed", "header", "plaintext", "repeat",
    "value",
)  # fmt: skip
"""Those that are recognised without a separator before them: ``passwordhash``."""
_FLAGS = frozenset((
    "accepts", "allow", "allows", "are", "can", "contains", "did", "disable", "does", "expects", "has", "have", "hide",
    "hides", "ignore", "include", "includes", "is", "may", "missing", "must", "need", "needs", "require", "required",
    "requires", "should", "show", "shows", "skip", "supports", "use", "uses", "without",
    "count", "max", "min", "n", "num", "total",
))  # fmt: skip
"""First words of flags and amounts. Not ``enable`` (a router's ``enable_password`` is one), not ``no`` or ``do``: they
begin names of secrets as abbreviations."""


class _Place(NamedTuple):
    """What a name ends with, seen from some word of it."""

    endings: list[str]
    wholes: list[str]


class _Terms:
    """The rules of one kind."""

    def __init__(self, rules: Iterable[str], where: str) -> None:
        self._whole: set[str] = set()
        self._words: set[str] = set()
        letters: set[str] = set()
        for rule in rules:
            stars, term = parsed(rule, where)
            (self._whole, self._words, letters)[stars].add(term)
        self._letters = tuple(letters)
        self.longest = max(map(len, (*self._whole, *self._words, *letters)), default=0)

    def name_it(self, place: _Place) -> bool:
        """Tell whether one of the rules is this very name."""
        return not self._whole.isdisjoint(place.wholes)

    def match(self, place: _Place) -> bool:
        """Tell whether one of the rules means this name."""
        return (
            self.name_it(place)
            or not self._words.isdisjoint(place.endings)
            or (bool(self._letters) and place.endings[-1].endswith(self._letters))
        )


class NameRules:
    """What is to be done with a field of some name. Immutable; thread-safe. Nothing is remembered here.

    If several rules fit, allow wins, then remove, mask, size.

    Args:
        mask: Rules for names whose value is masked.
        remove: Rules for names that are left out.
        size: Rules for names of bulk fields, which only tell their size.
        allow: Rules for names that are harmless, whatever the others say.

    Raises:
        ConfigError: If a rule cannot be used.
    """

    def __init__(
        self,
        mask: Iterable[str] = (),
        remove: Iterable[str] = (),
        size: Iterable[str] = (),
        allow: Iterable[str] = (),
    ) -> None:
        """Sort the rules."""
        self._mask = _Terms(mask, "with_redaction(fields)")
        self._remove = _Terms(remove, "with_redaction(remove)")
        self._size = _Terms(size, "size_fields of a RedactionPreset")
        self._allow = _Terms(allow, "with_redaction(allow)")
        self._longest = max(terms.longest for terms in (self._mask, self._remove, self._size, self._allow))

    def verdict(self, name: str) -> Action:
        """Return what is to be done with a field of this name. Linear in its length; never raises."""
        words = words_of(name)
        if not words:
            return KEEP
        last = len(words_of(name.rpartition(".")[0])) if "." in name else 0
        last = last if last < len(words) else 0
        place = self._place(words, len(words), last)
        if self._allow.match(place):
            return KEEP
        if self._remove.match(place):
            return REMOVE
        if self._mask.name_it(place) or (not _is_flag(words, last) and self._masks(words, last, place)):
            return MASKED
        return SIZE if self._size.match(place) else KEEP

    def _masks(self, words: list[str], last: int, place: _Place) -> bool:
        """Tell whether a name is to be masked, or what is left of it without qualifiers."""
        end = len(words)
        while not self._mask.match(place):
            if end == last + 1 or not (words[end - 1] in _AFTERWARDS or words[end - 1].isdecimal()):
                return self._masks_run_on(words[:end], last)
            end -= 1
            place = self._place(words, end, last)
        return True

    def _masks_run_on(self, words: list[str], last: int) -> bool:
        for qualifier in _RUN_ON:
            rest = words[-1].removesuffix(qualifier)
            if rest and rest != words[-1]:
                place = self._place([*words[:-1], rest], len(words), last)
                if self._mask.match(place):
                    return True
        return False

    def _place(self, words: list[str], end: int, last: int) -> _Place:
        """Return the endings of the first ``end`` words, the shortest first, and those that are a whole name.

        None is longer than the longest term by more than a word, of which only the end is kept.
        """
        longest = self._longest + 1
        text, endings, wholes = "", [], []
        for index in range(end - 1, -1, -1):
            text = words[index][-longest:] + text
            endings.append(text)
            if index in (0, last):
                wholes.append(text)
            if len(text) >= longest:
                break
        return _Place(endings, wholes)


def words_of(name: str) -> list[str]:
    """Return the words of a name without case: ``dbAPIKey2`` is db, api, key, 2. Only ASCII capitals begin a word.

    A name that has no letter or digit and is more than separators is one word, as it stands.
    """
    words = _WORD.findall(name)
    if words:
        return [word.casefold() for word in words]
    return [] if _NO_NAME.fullmatch(name) else [name]


def normal(name: str) -> str:
    """Return a name without case and separators."""
    return "".join(words_of(name))


def parsed(rule: Any, where: str) -> tuple[int, str]:
    """Return how many stars a rule begins with, and its term.

    Raises:
        ConfigError: If it is no rule about names.
    """
    if not isinstance(rule, str):
        raise ConfigError.hidden(where, rule, _FORM)
    name = rule.strip()
    stars = 2 if name.startswith("**") else int(name.startswith("*"))
    term = normal(name[stars:])
    if "*" in name[stars:] or not term:
        raise ConfigError.wrong(where, rule, _FORM)
    return stars, term


def _is_flag(words: list[str], last: int) -> bool:
    return len(words) > last + 1 and words[last] in _FLAGS
