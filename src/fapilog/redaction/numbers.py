"""Numbers that name a card, a bank account or a person, told from other numbers by their check digits.

Card ranges: the issuers' published ranges (ISO/IEC 7812, Luhn of its Annex B). IBAN: ISO 13616 with the country lengths
of the SWIFT IBAN registry, ISO 7064 mod 97-10. US social security numbers: but for the ranges that the
SSA never issues.
"""

import re

from fapilog.coerce import MASK
from fapilog.redaction.rule import Rule

# A search in bytes for a few of the same characters is much faster than a pattern is at digits.
_CLASSES = bytes.maketrans(b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ", b"9" * 10 + b"A" * 26)

_CARD = re.compile(
    r"[0-9](?<![0-9A-Za-z+][0-9])(?<![0-9][.,][0-9])"
    r"(?:[0-9]{12,18}+|[0-9]{3}(?P<gap>[ \-])[0-9]{4}(?P=gap)[0-9]{4}(?P=gap)[0-9]{1,4}(?:(?P=gap)[0-9]{1,3})?"
    r"|[0-9]{3}(?P<wide>[ \-])[0-9]{6}(?P=wide)[0-9]{4,5})"
    r"(?![0-9A-Za-z])(?![.,][0-9])(?!-[0-9A-Fa-f]{4})"
)
_CARD_RANGES = (
    # first digits from, to, lengths
    ("34", "34", {15}), ("37", "37", {15}),  # American Express
    ("300", "305", {14, 16}), ("3095", "3095", {14, 16}), ("36", "36", {14, 16}), ("38", "39", {14, 16}),  # Diners Club
    ("3528", "3589", {16, 17, 18, 19}),  # JCB
    ("4", "4", {13, 16, 19}),  # Visa
    ("2221", "2720", {16}), ("51", "55", {16}),  # Mastercard
    ("2200", "2204", {16, 17, 18, 19}),  # Mir
    ("5018", "5020", {13, 14, 15, 16, 17, 18, 19}), ("5038", "5038", {13, 14, 15, 16, 17, 18, 19}),  # Maestro
    ("5893", "5893", {13, 14, 15, 16, 17, 18, 19}), ("6304", "6304", {13, 14, 15, 16, 17, 18, 19}),
    ("6759", "6763", {13, 14, 15, 16, 17, 18, 19}),
    ("508", "508", {16}), ("60", "60", {16}), ("6011", "6011", {16, 17, 18, 19}),  # RuPay, Discover
    ("644", "649", {16, 17, 18, 19}), ("65", "65", {16, 17, 18, 19}),
    ("62", "62", {16, 17, 18, 19}),  # UnionPay
    ("636", "636", {16, 17, 18, 19}), ("81", "82", {16}),  # InterPayment, RuPay
    ("9792", "9792", {16}),  # Troy
)  # fmt: skip
_DOUBLED = (0, 2, 4, 6, 8, 1, 3, 5, 7, 9)


def classes_of(text: str, without: bytes) -> bytes:
    """Return a text in UTF-8 with 9 for each digit, A for each capital, and without some characters."""
    try:
        plain = text.encode()
    except UnicodeEncodeError:
        plain = text.encode("utf-8", "replace")
    return plain.translate(_CLASSES, without)


def _is_card(digits: str) -> bool:
    known = any(
        first <= digits[: len(first)] <= last and len(digits) in lengths for first, last, lengths in _CARD_RANGES
    )
    if not known:
        return False
    values = [int(digit) for digit in reversed(digits)]
    return (sum(values[::2]) + sum(_DOUBLED[value] for value in values[1::2])) % 10 == 0


def _mask_card(match: re.Match[str]) -> str:
    return MASK if _is_card(match[0].replace(" ", "").replace("-", "")) else match[0]


_IBAN = re.compile(r"[A-Z](?<![0-9A-Za-z][A-Z])[A-Z][0-9]{2}(?:[ \-]?[A-Z0-9]){11,30}+")
_IBAN_LENGTHS = {
    "AD": 24, "AE": 23, "AL": 28, "AT": 20, "AZ": 28, "BA": 20, "BE": 16, "BG": 22, "BH": 22, "BI": 27, "BR": 29,
    "BY": 28, "CH": 21, "CR": 22, "CY": 28, "CZ": 24, "DE": 22, "DJ": 27, "DK": 18, "DO": 28, "EE": 20, "EG": 29,
    "ES": 24, "FI": 18, "FK": 18, "FO": 18, "FR": 27, "GB": 22, "GE": 22, "GI": 23, "GL": 18, "GR": 27, "GT": 28,
    "HN": 28, "HR": 21, "HU": 28, "IE": 22, "IL": 23, "IQ": 23, "IS": 26, "IT": 27, "JO": 30, "KW": 30, "KZ": 20,
    "LB": 28, "LC": 32, "LI": 21, "LT": 20, "LU": 20, "LV": 21, "LY": 25, "MC": 27, "MD": 24, "ME": 22, "MK": 19,
    "MN": 20, "MR": 27, "MT": 31, "MU": 30, "NI": 28, "NL": 18, "NO": 15, "OM": 23, "PK": 24, "PL": 28, "PS": 29,
    "PT": 25, "QA": 29, "RO": 24, "RS": 22, "RU": 33, "SA": 24, "SC": 31, "SD": 18, "SE": 24, "SI": 19, "SK": 24,
    "SM": 27, "SO": 23, "ST": 25, "SV": 28, "TL": 23, "TN": 24, "TR": 26, "UA": 29, "VA": 22, "VG": 24, "XK": 20,
    "YE": 30,
}  # fmt: skip


def _mask_iban(match: re.Match[str]) -> str:
    found = match[0]
    length = _IBAN_LENGTHS.get(found[:2], 0)
    plain = found.replace(" ", "").replace("-", "")[:length]
    if not length or len(plain) < length:
        return found
    end = left = 0
    for end, character in enumerate(found, start=1):  # noqa: B007 - where the loop ends is what is asked
        left += character.isalnum()
        if left == length:
            break
    rest = found[end:]
    after = rest[:1] or match.string[match.end() : match.end() + 1]
    # ISO 7064: the first four characters go to the end, letters count from 10, and the rest of a division by 97 is 1.
    number = "".join(str(int(character, 36)) for character in plain[4:] + plain[:4])
    return found if after.isalnum() or int(number) % 97 != 1 else MASK + rest


_SSN = re.compile(
    r"[0-9](?<![0-9A-Za-z_.\-][0-9])[0-9]{2}(?P<gap>[ \-])(?!00)[0-9]{2}(?P=gap)(?!0000)[0-9]{4}"
    r"(?![0-9A-Za-z_])(?![.\-][0-9A-Za-z])"
)
_NEVER_AREAS = frozenset({"000", "666"})


def _mask_ssn(match: re.Match[str]) -> str:
    area = match[0][:3]
    return match[0] if area in _NEVER_AREAS or area.startswith("9") else MASK


_SHORTEST_NUMBER = b"9" * 9
_IBAN_BEGIN = b"AA99"


def _has_number(text: str) -> bool:
    """Tell whether there may be a number of any of the three kinds: spaces and hyphens do not count."""
    classes = classes_of(text, b" -")
    if classes.find(_SHORTEST_NUMBER) >= 0 and (_CARD.search(text) or _SSN.search(text)):
        return True
    return classes.find(_IBAN_BEGIN) >= 0 and _IBAN.search(text) is not None


CARD = Rule(hide=lambda text: _CARD.sub(_mask_card, text), look=_has_number)
IBAN = Rule(hide=lambda text: _IBAN.sub(_mask_iban, text), look=_has_number)
SSN = Rule(hide=lambda text: _SSN.sub(_mask_ssn, text), look=_has_number)
