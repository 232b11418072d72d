"""Sizes and durations: every documented spelling, and a clear error for the rest."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fapilog.errors import ConfigError
from fapilog.units import parse_duration, parse_size

WRONG = [
    0, -1, 0.0, -0.5, math.nan, math.inf, -math.inf, True, False, None, b"10", [], {}, "", " ", "MB", "ten", "-5", "+5",
    "1e3", "1_000", "1,000", "10 XB", "10 MB 5", "5 s s", "٣", "0", "0 MB", "0.0s", "0x10", "nan", "inf", "1.", ".5",
    "5\x00", "9" * 400,
]  # fmt: skip


@pytest.mark.parametrize(
    ("given_value", "expected"),
    [
        (1, 1),
        (4096, 4096),
        (0.1, 1),
        ("1", 1),
        ("512 B", 512),
        ("10 MB", 10_000_000),
        ("10MB", 10_000_000),
        ("10 mb", 10_000_000),
        (" 64 KiB ", 65_536),
        ("1.5 MiB", 1_572_864),
        ("2.3 GB", 2_300_000_000),
        ("1 GiB", 2**30),
        ("256 kB", 256_000),
    ],
)
def test_a_size_is_a_number_of_bytes(given_value, expected) -> None:
    """Numbers, SI and IEC units, any case; parts of a byte count as one."""
    assert parse_size(given_value, "here") == expected
    assert type(parse_size(given_value, "here")) is int


@pytest.mark.parametrize(
    ("given_value", "expected"),
    [(0.25, 0.25), (5, 5.0), ("250ms", 0.25), ("5s", 5.0), ("5", 5.0), ("10 min", 600.0), ("2m", 120.0), ("1h", 3600.0),
     ("7d", 604_800.0), ("0.5 S", 0.5), ("36500d", 3_153_600_000.0)],
)  # fmt: skip
def test_a_duration_is_a_number_of_seconds(given_value, expected) -> None:
    """Numbers, and every unit that the documentation names."""
    assert parse_duration(given_value, "here") == expected
    assert type(parse_duration(given_value, "here")) is float


@pytest.mark.parametrize("parse", [parse_size, parse_duration])
@pytest.mark.parametrize("given_value", WRONG, ids=repr)
def test_a_wrong_value_says_where_what_and_what_is_allowed(parse, given_value) -> None:
    """The reader of the error needs no documentation to put it right."""
    with pytest.raises(ConfigError) as caught:
        parse(given_value, "with_batch(max_age)")

    message = str(caught.value)
    assert message.startswith("with_batch(max_age): ")
    assert "allowed: a " in message
    assert len(message) < 400


@pytest.mark.parametrize("parse", [parse_size, parse_duration])
def test_a_number_beyond_every_float_is_an_error_too(parse) -> None:
    """Not an OverflowError, nor a message of five thousand digits."""
    for value in (10**400, 10**5000, -(10**5000)):
        with pytest.raises(ConfigError) as caught:
            parse(value, "here")
        assert "bits" in str(caught.value)


@pytest.mark.parametrize("given_value", [1e300, "99999999999999 d", "36501d"])
def test_a_duration_that_no_timer_takes_is_an_error(given_value) -> None:
    """It would raise OverflowError in a background thread later."""
    with pytest.raises(ConfigError, match="at most 36500 days"):
        parse_duration(given_value, "here")


@given(st.integers(1, 10**6), st.sampled_from(["KB", "MB", "GB", "KiB", "MiB", "GiB", "B", ""]))
def test_whole_numbers_are_exact(number, unit) -> None:
    """No byte is lost to floating point."""
    factor = {"": 1, "B": 1, "KB": 1000, "MB": 1000**2, "GB": 1000**3, "KiB": 1024, "MiB": 1024**2, "GiB": 1024**3}[
        unit
    ]

    assert parse_size(f"{number} {unit}", "here") == number * factor


@given(st.text() | st.integers() | st.floats() | st.none() | st.binary())
def test_any_value_gives_a_number_above_zero_or_a_config_error(value) -> None:
    """Nothing else gets out."""
    for parse in (parse_size, parse_duration):
        try:
            number = parse(value, "here")
        except ConfigError:
            continue
        assert 0 < number < math.inf
