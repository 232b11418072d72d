"""The errors that fapilog raises on purpose, and what their messages tell."""

import pytest

from fapilog.errors import ConfigError, FapilogError, SinkError


def test_one_root_catches_all() -> None:
    """``except FapilogError`` is enough; a wrong value is a ValueError as well."""
    assert issubclass(ConfigError, FapilogError)
    assert issubclass(ConfigError, ValueError)
    assert issubclass(SinkError, FapilogError)


@pytest.mark.parametrize(
    ("given_name", "hint"),
    [("prodution", "production"), ("Production", "production"), (" dev ", "dev"), ("hardend", "Hardened"),
     ("xyz", None), (7, None)],
)  # fmt: skip
def test_an_unknown_name_lists_what_is_known_and_the_nearest(given_name, hint) -> None:
    """What was given, what is allowed, and one remedy."""
    error = ConfigError.unknown("preset", given_name, ["production", "dev", "Hardened"])

    assert str(error).startswith(f"preset: {given_name!r} is not known; allowed: Hardened, dev, production.")
    assert str(error).endswith(f" Did you mean {hint!r}?" if hint else "production.")


def test_what_was_given_is_shown_short() -> None:
    """A configuration file put into one variable does not become the error message."""

    class Unprintable:
        def __repr__(self) -> str:
            raise OSError

    for value in ("x" * 10**6, ["x" * 10**6], 10**5000, Unprintable()):
        for error in (ConfigError.unknown("preset", value, ["dev"]), ConfigError.wrong("size", value, "a size")):
            assert len(str(error)) < 400


def test_a_wrong_value_names_what_is_allowed() -> None:
    """The message stands on its own."""
    assert str(ConfigError.wrong("with_queue(capacity)", -1, "1 or more")) == (
        "with_queue(capacity): -1 cannot be used; allowed: 1 or more."
    )


def test_a_sink_error_keeps_what_the_wrappers_decide_on() -> None:
    """Not retryable unless it says so; the positions that failed as a set."""
    plain = SinkError("refused")
    partial = SinkError("busy", retryable=True, retry_after=1.5, failed_indexes=iter([2, 0, 2]))

    assert (plain.retryable, plain.retry_after, plain.failed_indexes) == (False, None, None)
    assert (partial.retryable, partial.retry_after, partial.failed_indexes) == (True, 1.5, {0, 2})
    assert str(plain) == "refused"
    assert SinkError("none", failed_indexes=[]).failed_indexes == frozenset()
