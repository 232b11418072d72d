"""What can be chosen about redaction."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from fapilog import checks
from fapilog.errors import ConfigError
from fapilog.redaction.paths import check_rule
from fapilog.redaction.presets import RedactionPreset, preset_named

FAIL_MODES = ("mask_all", "drop")
_PROBES = ("", "a", "Z", "0", " ", "\n", "a b", "k=v", "x-1_y.z:/@")


@dataclass(frozen=True)
class RedactionOptions:
    """What is hidden, and what happens when that fails.

    Attributes:
        presets: Names of rule sets, or rule sets: CREDENTIALS, CONTENT_PATTERNS, PII, GDPR_PII, CCPA_PII, HIPAA_PHI,
            PCI_DSS.
        fields: Names and dotted paths whose value is masked.
        remove: Names and dotted paths that are left out.
        patterns: Regular expressions; the match, or its group ``secret``, is masked in every text.
        allow: Names and dotted paths that are harmless, whatever the other rules say.
        fail: What is left of an event whose redaction raises: ``"mask_all"`` time, level, logger and a note; ``"drop"``
            nothing, counted.
        max_text: Texts over so many characters are cut; default what the presets say.
        enabled: False for no redaction at all.
    """

    presets: tuple[str | RedactionPreset, ...] = ("CREDENTIALS",)
    fields: tuple[str, ...] = ()
    remove: tuple[str, ...] = ()
    patterns: tuple[str | re.Pattern[str], ...] = field(default=(), repr=False)
    allow: tuple[str, ...] = ()
    fail: Literal["mask_all", "drop"] = "mask_all"
    max_text: int | None = None
    enabled: bool = True

    def __post_init__(self) -> None:
        """Check everything.

        Raises:
            ConfigError: If a value cannot be used.
        """
        presets = _several(self.presets, "with_redaction(presets)", "('PII',)")
        for preset in presets:
            preset_named(preset)
        object.__setattr__(self, "presets", presets)
        for option in ("fields", "remove", "allow"):
            where = f"with_redaction({option})"
            rules = _several(getattr(self, option), where, "('ssn', 'user.*.email')")
            object.__setattr__(self, option, tuple(check_rule(rule, where) for rule in rules))
        patterns = _several(self.patterns, "with_redaction(patterns)", r"(r'EMP-\d{6}',)")
        object.__setattr__(self, "patterns", tuple(compiled(pattern) for pattern in patterns))
        if not isinstance(self.fail, str) or self.fail not in FAIL_MODES:
            raise ConfigError.unknown("with_redaction(fail)", self.fail, FAIL_MODES)
        if self.max_text is not None:
            checks.whole(self.max_text, "with_redaction(max_text)", 1)
        checks.flag(self.enabled, "with_redaction(enabled)")


def compiled(pattern: Any) -> re.Pattern[str]:
    """Return a pattern of the user's, compiled.

    One that matches nothing is refused: nothing is everywhere, and a mask would be put between all letters. So are
    those that do so in one of a few texts; ``(?=x)`` is not found out. A pattern is not shown in an error: it may be a
    secret, spelt out to be masked.

    Raises:
        ConfigError: If it is no regular expression for text, or one that matches nothing.
    """
    where = "with_redaction(patterns)"
    source = pattern.pattern if isinstance(pattern, re.Pattern) else pattern
    if not isinstance(source, str):
        raise ConfigError.hidden(where, pattern, "a regular expression for text")
    try:
        found: re.Pattern[str] = re.compile(pattern)
    except re.error as error:
        problem = f"a regular expression; this one is none: {error.msg} at position {error.pos}"
        raise ConfigError.hidden(where, source, problem) from None
    except (RecursionError, OverflowError):
        raise ConfigError.hidden(where, source, "a regular expression that is not nested so deeply") from None
    if any(match.start() == match.end() for probe in _PROBES for match in found.finditer(probe)):
        problem = "a regular expression that matches at least one character, not one that matches the empty text"
        raise ConfigError.hidden(where, source, problem)
    return found


def _several(values: Any, where: str, example: str) -> tuple[Any, ...]:
    """Return a tuple; one text is a mistake that would be taken for its letters."""
    if isinstance(values, str | bytes | re.Pattern | Mapping) or not isinstance(values, Iterable):
        raise ConfigError.hidden(where, values, f"a tuple or list, such as {example}; also for a single one")
    return tuple(values)
