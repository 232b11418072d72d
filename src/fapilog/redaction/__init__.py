"""Redaction: secrets and personal data are taken out of an event before anything is serialised.

    RedactionOptions ──► presets.py  named lists of rules: CREDENTIALS, CONTENT_PATTERNS, PII, GDPR_PII, …
      options.py              │
                              ▼
    {"user": {"apiKey": "k-1"}, "note": "Bearer 4f8a…", "body": "…"}
        │         │                    │                  │
        │         └ names.py   is the name sensitive, however it is spelled?            ─► mask, remove or size
        └────────── paths.py   does a rule like ``user.*.pet`` lead here?               ─► mask or remove
                                       └ text.py, patterns.py, urls.py  secrets in text ─► masked in their place
                              │
                              ▼
    walk.py goes through values, redactor.py through events and captured records ─► the same object, or a new one

Contract. A redactor changes nothing in place: events share containers. What it returns it leaves as it is when asked
again. An allow list wins over the rules for names and paths, and not over those for content. The mask tells nothing of
what it hides, not even its length. No rule takes more than linear time, whatever it is given, and none raises for an
event; what cannot be a rule is a ``ConfigError`` when the options are made. If a user's part raises nevertheless, the
event is withheld or dropped, never let through.
"""

from fapilog.redaction.presets import (
    CCPA_PII,
    CONTENT_PATTERNS,
    CREDENTIALS,
    GDPR_PII,
    HIPAA_PHI,
    PCI_DSS,
    PII,
    RedactionPreset,
)

__all__ = [
    "CCPA_PII",
    "CONTENT_PATTERNS",
    "CREDENTIALS",
    "GDPR_PII",
    "HIPAA_PHI",
    "PCI_DSS",
    "PII",
    "RedactionPreset",
]
