"""Options, and which completion events are held back."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fapilog.asgi.each_request import RequestMiddleware
from fapilog.asgi.middleware import FapilogMiddleware
from fapilog.asgi.rules import AsgiOptions, Rules
from fapilog.errors import ConfigError
from tests.asgi.driver import answering


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"request_id": "yes"}, "'yes'"),
        ({"access_log": 1}, "access_log"),
        ({"request_id_header": "X Request"}, "X Request"),
        ({"request_id_header": "X-Request-ID\n"}, "header"),
        ({"include_headers": ["ok", "not ok"]}, "not ok"),
        ({"include_headers": "accept"}, "not one text"),
        ({"skip_paths": "/health"}, "not one text"),
        ({"skip_paths": None}, "None"),
        ({"skip_paths": ["health"]}, "health"),
        ({"skip_paths": [""]}, "skip_paths"),
        ({"skip_paths": [b"/health"]}, "skip_paths"),
        ({"sample_rate": 1.1}, "1.1"),
        ({"sample_rate": -0.1}, "-0.1"),
        ({"sample_rate": True}, "sample_rate"),
        ({"sample_rate": float("nan")}, "nan"),
        ({"sample_rate": "0.5"}, "sample_rate"),
        ({"trusted_proxies": ["10.0.0.300"]}, "10.0.0.300"),
        ({"trusted_proxies": ["10.0.0.1/8"]}, "10.0.0.1/8"),
    ],
)
def test_a_wrong_option_fails_when_it_is_given(options, said):
    """With what was given and what is allowed."""
    with pytest.raises(ConfigError, match="allowed: ") as caught:
        AsgiOptions(**options)

    assert said in str(caught.value)


@pytest.mark.parametrize("options", [{"level": "LOUD"}, {"error_level": -1}])
def test_a_wrong_level_fails_when_the_middleware_is_made(options):
    """Levels are looked up once."""
    with pytest.raises(ConfigError, match="evel"):
        RequestMiddleware(answering(), AsgiOptions(**options))


def test_a_builder_and_a_preset_are_one_too_many():
    """Each says everything."""
    with pytest.raises(ConfigError, match="not both"):
        FapilogMiddleware(answering(), builder=object(), preset="production")


def test_an_unknown_preset_fails_when_the_middleware_is_made():
    """Not at the first request."""
    with pytest.raises(ConfigError, match="production"):
        FapilogMiddleware(answering(), preset="produktion")


def test_options_are_values():
    """Equal if they say the same, and safe to share: a list given is kept as a tuple of its own."""
    paths = ["/a"]
    options = AsgiOptions(skip_paths=paths)
    paths.append("/b")

    assert options == AsgiOptions(skip_paths=("/a",))
    assert hash(options) == hash(AsgiOptions(skip_paths=("/a",)))


def emits(path, *skip, root=""):
    return Rules(AsgiOptions(skip_paths=skip)).emits(path, root, success=True)


@pytest.mark.parametrize(
    ("path", "skipped"),
    [("/health", True), ("/health/", False), ("/healthy", False), ("/x/health", False), ("/static/a/b", True),
     ("/static/", True), ("/static", False), ("/", False), ("", False)],
)  # fmt: skip
def test_a_path_is_skipped_exactly_or_by_prefix(path, skipped):
    """No guessing: a slash more or less is another path."""
    assert emits(path, "/health", "/static/*") is not skipped


def test_the_root_path_may_be_left_out():
    """Applications do not know where they stand."""
    assert not emits("/api/health", "/health", root="/api")
    assert not emits("/api/health", "/api/health", root="/api/")
    assert emits("/apihealth", "/health", root="/api")
    assert emits("/api/api/health", "/health", root="/api")


def test_everything_can_be_skipped():
    """By one star."""
    assert not emits("/anything", "*")
    assert not emits("/anything", "/*")


def test_only_successes_are_sampled_and_what_is_held_back_is_counted():
    """Every event that is missing can be accounted for."""
    dice = iter([0.0, 0.09, 0.1, 0.99])
    rules = Rules(AsgiOptions(sample_rate=0.1, skip_paths=["/health"]), lambda: next(dice))

    assert [rules.emits("/", "", success=True) for _ in range(4)] == [True, True, False, False]
    assert rules.emits("/", "", success=False)
    assert not rules.emits("/health", "", success=False)
    assert dict(rules.withheld) == {"sample_rate": 2, "skip_paths": 1}


@given(st.floats(0, 1), st.floats(0, 1, exclude_max=True))
def test_the_ends_of_the_sample_rate_are_exact(rate, dice):
    """Zero keeps none, one keeps all, whatever the dice say."""
    assert Rules(AsgiOptions(sample_rate=1), lambda: dice).emits("/", "", success=True)
    assert not Rules(AsgiOptions(sample_rate=0), lambda: dice).emits("/", "", success=True)
    assert Rules(AsgiOptions(sample_rate=rate), lambda: dice).emits("/", "", success=True) is (dice < rate)
