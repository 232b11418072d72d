"""SqliteOptions: what is refused, in which words, and the builder's method that takes them."""

import inspect
from pathlib import Path

import pytest

from fapilog.config.store_sinks import StoreSinkMethods
from fapilog.errors import ConfigError
from fapilog.sinks.sqlite.options import SqliteOptions


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"path": ""}, r"add_sqlite\(path\).*the path of a file"),
        ({"path": ":memory:"}, r"add_sqlite\(path\).*':memory:'.*add_memory"),
        ({"path": "a\0b"}, r"add_sqlite\(path\).*the path of a file"),
        ({"path": "logs/"}, r"add_sqlite\(path\).*the path of a file"),
        ({"path": 7}, r"add_sqlite\(path\).*the path of a file"),
        ({"path": b"x.db"}, r"add_sqlite\(path\).*the path of a file"),
        ({"max_age": "soon"}, r"add_sqlite\(max_age\).*'soon'.*duration"),
        ({"max_age": 0}, r"add_sqlite\(max_age\).*0.*duration"),
        ({"max_age": True}, r"add_sqlite\(max_age\).*True"),
        ({"max_bytes": "999 KB"}, r"add_sqlite\(max_bytes\).*'999 KB'.*at least 1 MB"),
        ({"max_bytes": "much"}, r"add_sqlite\(max_bytes\).*'much'.*size"),
        ({"max_bytes": [1]}, r"add_sqlite\(max_bytes\).*\[1\].*size"),
        ({"full_text": "yes"}, r"add_sqlite\(full_text\).*'yes'.*True or False"),
        ({"full_text": 1}, r"add_sqlite\(full_text\).*1.*True or False"),
        ({"synchronous": "ful"}, r"add_sqlite\(synchronous\).*'ful'.*normal.*Did you mean 'full'"),
        ({"synchronous": None}, r"add_sqlite\(synchronous\).*None.*normal"),
        ({"synchronous": ["off"]}, r"add_sqlite\(synchronous\).*normal"),
        ({"busy_timeout": "-1s"}, r"add_sqlite\(busy_timeout\).*'-1s'.*duration"),
        ({"busy_timeout": None}, r"add_sqlite\(busy_timeout\).*None.*duration"),
        ({"name": ""}, r"add_sqlite\(name\).*''.*text"),
        ({"name": 5}, r"add_sqlite\(name\).*5.*text"),
    ],
    ids=str,
)
def test_a_wrong_option_is_refused(options, said):
    """The error names the option, what was given, and what is allowed."""
    with pytest.raises(ConfigError, match=said):
        SqliteOptions(**({"path": "events.db"} | options))


def test_the_repr_shows_what_was_chosen():
    """None of it is a secret."""
    shown = repr(SqliteOptions("events.db", max_age="30d"))

    assert shown == (
        "SqliteOptions(path='events.db', max_age='30d', max_bytes=None, full_text=True, synchronous='normal', "
        "busy_timeout='5s', name='sqlite')"
    )


def test_the_builders_method_has_the_same_options():
    """Name for name, default for default, in the same order."""
    method = inspect.signature(StoreSinkMethods.add_sqlite).parameters
    options = inspect.signature(SqliteOptions).parameters

    assert [(name, item.default) for name, item in method.items() if name != "self"] == [
        (name, item.default) for name, item in options.items()
    ]


def test_the_builders_method_takes_a_path():
    """As text or as a path object; a wrong option is found at once."""
    builder = StoreSinkMethods()
    builder.add_sqlite(Path("events.db"), max_age="30d", name="archive").add_sqlite("other.db")

    assert builder._sinks == [SqliteOptions("events.db", max_age="30d", name="archive"), SqliteOptions("other.db")]
    with pytest.raises(ConfigError, match=r"add_sqlite\(max_bytes\)"):
        builder.add_sqlite("x.db", max_bytes=1)
