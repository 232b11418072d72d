"""Card numbers, IBANs and US social security numbers, told from other numbers."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fapilog.redaction.text import TextRules
from tests.redaction.corpus.names import is_secret_name

CARD, IBAN, SSN, PHONE, EMAIL = (
    TextRules([kind], is_secret_name) for kind in ("card", "iban", "ssn", "phone", "email")
)
GOOD_IBANS = (
    "DE89370400440532013000", "GB29NWBK60161331926819", "FR1420041010050500013M02606", "NO9386011117947",
    "CH9300762011623852957", "MT84MALT011000012345MTLCAST001S", "AT611904300234573201", "BE68539007547034",
    "ES9121000418450200051332", "PL61109010140000071219812874",
)  # fmt: skip


def luhn(digits: str) -> int:
    values = [int(digit) for digit in reversed(digits)]
    return (sum(values[::2]) + sum(sum(divmod(2 * value, 10)) for value in values[1::2])) % 10


@given(st.from_regex(r"\A(4[0-9]{15}|5[1-5][0-9]{14}|3[47][0-9]{13}|62[0-9]{17}|6011[0-9]{12})\Z"))
def test_a_card_number_is_hidden_exactly_if_its_check_digit_is_right(digits):
    """Luhn decides within the ranges of the issuers."""
    assert (CARD.clean(f"card {digits} ok") == "card *** ok") == (luhn(digits) == 0)


@pytest.mark.parametrize(
    "number", ["4111 1111 1111 1111", "4111-1111-1111-1111", "3782 822463 10005", "6200-0000-0000-0000-000"]
)
def test_card_numbers_in_groups_are_hidden(number):
    """Written as on the card."""
    assert CARD.clean(f"paid 2 {number} twice") == "paid 2 *** twice"


@pytest.mark.parametrize(
    "text",
    [
        "14111111111111111",
        "41111111111111111",
        "a4111111111111111",
        "4111111111111111b",
        "0.4111111111111111",
        "4111111111111111.0",
        "+4111111111111111",
        "4111-1111 1111-1111",
        "1111-4111-1111-1111-1111-1111",
        "1234567812345670",
        "411111111111111",
        "411111111111",
    ],
)
def test_what_is_longer_or_is_no_card_stays(text):
    """Identifiers, decimals and telephone numbers are no cards even if the digits would do."""
    assert CARD.clean(text) is text


@pytest.mark.parametrize("iban", GOOD_IBANS)
@pytest.mark.parametrize("gap", ["", " ", "-"])
def test_an_iban_is_hidden_however_it_is_grouped(iban, gap):
    """With the next word left alone."""
    shown = gap.join(iban[at : at + 4] for at in range(0, len(iban), 4))
    assert IBAN.clean(f"to {shown} EUR 5") == "to *** EUR 5"


@pytest.mark.parametrize("iban", GOOD_IBANS)
def test_an_iban_with_a_wrong_digit_or_length_stays(iban):
    """Mod 97 and the country's length decide."""
    wrong = iban[:-1] + str((int(iban[-1]) + 1) % 10) if iban[-1].isdigit() else iban[:-1] + "A"
    for text in (wrong, iban + "0", iban[:-1], "X" + iban, "ZZ" + iban[2:]):
        assert IBAN.clean(text) is text


@pytest.mark.parametrize("area", ["001", "123", "665", "667", "899"])
def test_a_social_security_number_is_hidden(area):
    """With hyphens or spaces, both the same."""
    assert SSN.clean(f"{area}-45-6789") == "***"
    assert SSN.clean(f"({area} 45 6789)") == "(***)"
    assert SSN.clean(f"{area}-45 6789") == f"{area}-45 6789"


@pytest.mark.parametrize(
    "text",
    [
        "000-45-6789",
        "666-45-6789",
        "900-45-6789",
        "999-45-6789",
        "123-00-6789",
        "123-45-0000",
        "1123-45-6789",
        "123-45-67890",
        "x123-45-6789",
        "1-123-45-6789",
        "123-45-6789-0",
        "123456789",
        "1.123-45-6789",
    ],
)
def test_a_number_that_is_never_issued_stays(text):
    """And so does one inside a longer run."""
    assert SSN.clean(text) is text


@pytest.mark.parametrize("text", ["jane@x.io", "a.b+c@d-e.co.uk", "jane%40x.io", "j@bücher.example", "j@x.xn--p1ai"])
def test_an_address_of_mail_is_hidden(text):
    """Local part and host, both."""
    assert EMAIL.clean(f"to <{text}>.") == "to <***>."


@pytest.mark.parametrize(
    "text", ["user@host", "lib@1.2.3", "logo@2x.png", "git@github.com:a/b", "@decorator.x", "a @ b.c"]
)
def test_what_only_has_an_at_stays(text):
    """Versions, files and decorators are no mail."""
    assert EMAIL.clean(text) is text


@pytest.mark.parametrize(
    "text", ["+4915123456789", "+1 (415) 555-2671", "415.555.2671", "(030) 1234567", "01 23 45 67 89", "089/1234567"]
)
def test_a_telephone_number_is_hidden(text):
    """As E.164 and as people write it."""
    assert PHONE.clean(f"call {text}, please") == "call ***, please"


@pytest.mark.parametrize(
    "text",
    [
        "2024-01-31 12:00:00",
        "1700000000",
        "10.11.12.13",
        "192.168.100.200",
        "1.22.333",
        "order 4155552671",
        "12:30:45.123",
        "3f2504e0-4f89-11d3-9a0c-0305e82c3301",
        "2024-01-31T12:00:00+01:00",
        "0.123456",
        "007",
        "A-88421-0012",
        "415.555.2671.1",
    ],
)
def test_times_versions_and_addresses_are_no_telephone_numbers(text):
    """Nor are identifiers without separators."""
    assert PHONE.clean(text) is text
