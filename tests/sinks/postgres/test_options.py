"""PostgresOptions: what is refused, in which words, what is shown, and the builder's method that takes them."""

import inspect
import subprocess
import sys

import pytest

from fapilog.config.store_sinks import StoreSinkMethods
from fapilog.errors import ConfigError
from fapilog.sinks.postgres.identifiers import MOST_BYTES, derived, quoted, split_table
from fapilog.sinks.postgres.options import PostgresOptions

DSN = "postgresql://bob:hunter2@db.example:5432/shop?sslmode=require&password=hunter3"


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"table": ""}, r"add_postgres\(table\).*''"),
        ({"table": "a.b.c"}, r"add_postgres\(table\).*'a\.b\.c'.*audit\.logs"),
        ({"table": "a."}, r"add_postgres\(table\)"),
        ({"table": "a\0b"}, r"add_postgres\(table\)"),
        ({"table": "\ud800"}, r"add_postgres\(table\)"),
        ({"table": "x" * 64}, r"add_postgres\(table\).*63 bytes"),
        ({"table": "é" * 32}, r"add_postgres\(table\).*63 bytes"),
        ({"table": 7}, r"add_postgres\(table\).*7"),
        ({"create": 1}, r"add_postgres\(create\).*True or False"),
        ({"partition": "daily"}, r"add_postgres\(partition\).*'daily'.*day, month, week.*Did you mean 'day'"),
        ({"partition": ["day"]}, r"add_postgres\(partition\)"),
        ({"keep": "30d"}, r"add_postgres\(keep\).*'30d'.*together with partition"),
        ({"partition": "day", "keep": "soon"}, r"add_postgres\(keep\).*'soon'.*duration"),
        ({"dedupe": "no"}, r"add_postgres\(dedupe\).*'no'.*True or False"),
        ({"ca_file": ""}, r"add_postgres\(ca_file\).*text"),
        ({"timeout": 0}, r"add_postgres\(timeout\).*duration"),
        ({"timeout": None}, r"add_postgres\(timeout\).*None"),
        ({"name": ""}, r"add_postgres\(name\).*text"),
    ],
    ids=str,
)
def test_a_wrong_option_is_refused(options, said):
    """The error names the method, the option, what was given and what is allowed."""
    with pytest.raises(ConfigError, match=said):
        PostgresOptions(**{"dsn": DSN} | options)


@pytest.mark.parametrize(
    "dsn",
    [
        None,
        7,
        "",
        "host=db password=hunter2",
        "mysql://bob:hunter2@db/shop",
        "postgresql://bob:hunter2@db/sh op",
        "postgresql://bob:hunt\ner2@db/shop",
        "postgresql://bob:hun/ter2@db/shop",
        "postgresql://bob:hun?ter2@db/shop",
        "postgresql://bob:hun#ter2@db/shop",
        "postgresql://bob:hun@ter2@db/shop",
        "postgresql://bob:hunter2@[db/shop",
    ],
    ids=repr,
)
def test_a_wrong_address_is_refused_unseen(dsn):
    """An address that cannot be read, or whose password would be taken for a host or a path, is not shown."""
    with pytest.raises(ConfigError, match=r"add_postgres\(dsn\)") as caught:
        PostgresOptions(dsn)
    assert "hun" not in str(caught.value).replace("hunted", "")
    assert "ter2" not in str(caught.value)


def test_no_secret_is_shown():
    """The repr has host, port and database, and neither user, password nor parameters."""
    shown = repr(PostgresOptions(DSN))
    assert "'postgresql://db.example:5432/shop'" in shown
    assert "hunter" not in shown
    assert "bob" not in shown


@pytest.mark.parametrize(
    ("given", "names"),
    [
        ("logs", (None, "logs")),
        ("Audit.Logs", ("Audit", "Logs")),
        ('"a.b"."c.d"', ("a.b", "c.d")),
        ('"a.b".c', ("a.b", "c")),
        ('a."b.c"', ("a", "b.c")),
        ('"a""b"', (None, 'a"b')),
        ('"; drop table', (None, '"; drop table')),
        ("'; --", (None, "'; --")),
        ("x" * 63, (None, "x" * 63)),
        ("журнал.日志", ("журнал", "日志")),
    ],
)
def test_a_table_is_named_as_written(given, names):
    """Letter case, quotes and blanks are part of a name; double quotes around it are not."""
    assert split_table(given, "x") == names
    schema, table = names
    assert split_table(quoted(*filter(None, (schema, table))), "x") == names


@pytest.mark.parametrize("table", ["logs", "x" * 63, "日" * 21, '"' * 60])
def test_a_derived_name_fits(table):
    """The name of an index is an identifier and tells tables with the same beginning apart."""
    name = derived(table, "request_id_idx")
    assert len(name.encode()) <= MOST_BYTES
    assert name.endswith("_request_id_idx")
    assert name != derived(table[:-1] + "y", "request_id_idx")


def test_the_builder_takes_the_options():
    """The builder's parameters and defaults are those of the options."""
    method = list(inspect.signature(StoreSinkMethods.add_postgres).parameters.values())[1:]
    options = inspect.signature(PostgresOptions).parameters.values()
    assert [(it.name, it.default) for it in method] == [(it.name, it.default) for it in options]


def test_options_need_no_asyncpg():
    """The options can be imported where the extra is not installed."""
    code = "import sys; sys.modules['asyncpg'] = None; import fapilog.sinks.postgres.options"
    subprocess.run([sys.executable, "-c", code], check=True)
