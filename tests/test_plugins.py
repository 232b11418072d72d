"""Plug-ins: only what is named and permitted is imported, and whatever goes wrong is told when a logger is built."""

import json
import os
import subprocess
import sys
import textwrap
import traceback
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from fapilog.errors import ConfigError
from fapilog.plugins import GROUPS, PluginChoice, PluginOptions, load, parse_plugins

PACKAGE = Path(__file__).parent / "fixtures" / "fapilog-quiet"
CANARY = "s3cr3t-canary-7f3a"
NEAREST = "Did you mean 'upper'?"
STAGE = "something that can be called with an event, not asynchronous"
MODULE = """
import pathlib

def keep(event):
    return True

def plain():
    return keep

def echo(**options):
    stage = lambda event: options
    return stage

def picky(loggers, *, upper=False):
    return lambda event: (loggers, upper)

def exact(loggers):
    raise ValueError(f"cannot use {loggers!r}")

def says(loggers):
    from fapilog.errors import ConfigError
    raise ConfigError("loggers: empty; allowed: names.")

def broken():
    raise RuntimeError("no such host")

async def never_awaited(event):
    return True

def asynchronous():
    return never_awaited

def nothing():
    return None

class Stage:
    def __call__(self, event):
        return True

def stage_class():
    return Stage

class Sink:
    def __init__(self, name="own"):
        self.name = name
    async def open(self): ...
    def write(self, batch): ...
    async def close(self): ...

def sink_class():
    return Sink

def nameless():
    return Sink(name=None)

value = 7
"""

Offer = Callable[..., str]


@pytest.fixture
def offer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Offer:
    """Return a function that installs a distribution of one module, with entry points by group."""

    def install(name: str, source: str = MODULE, **groups: Mapping[str, str]) -> str:
        module, folder = f"{name}_for_this_test", tmp_path / name
        info = folder / f"{name}-1.0.dist-info"
        info.mkdir(parents=True)
        (folder / f"{module}.py").write_text(source, "utf-8")
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n", "utf-8")
        lines = [
            line
            for group, entries in groups.items()
            for line in (f"[fapilog.{group}]", *(f"{key} = {module}:{value}" for key, value in entries.items()))
        ]
        (info / "entry_points.txt").write_text("\n".join(lines), "utf-8")
        monkeypatch.syspath_prepend(str(folder))
        monkeypatch.delitem(sys.modules, module, raising=False)
        return module

    return install


def said_by(error: BaseException) -> str:
    """Return all that an error tells, those behind it included."""
    texts: list[str] = []
    seen: BaseException | None = error
    while seen is not None:
        texts += [str(seen), repr(seen), *traceback.format_exception(seen)]
        seen = seen.__cause__ or seen.__context__
    return "\n".join(texts)


def refusal(group: str = "filters", /, **options: Any) -> ConfigError:
    """Return why loading is refused."""
    with pytest.raises(ConfigError) as caught:
        load(group, PluginOptions(**options))
    return caught.value


@pytest.mark.parametrize(
    "given",
    ["quiet,loud", " quiet , loud,", ["quiet", "loud"], ("quiet", "loud"), {"quiet": {}, "loud": {}},
     '["quiet", "loud"]', '{"quiet": {}, "loud": {}}', (PluginChoice("quiet"), PluginChoice("loud"))],
    ids=repr,
)  # fmt: skip
def test_names_may_be_said_in_any_form(given: Any) -> None:
    """Code and variables come to the same options, in the same order, and options of options are the same again."""
    options = PluginOptions(filters=given)

    assert options == PluginOptions(filters=("quiet", "loud"))
    assert [choice.name for choice in options.chosen("filters")] == ["quiet", "loud"]
    assert parse_plugins(options.filters, "x") == options.filters


def test_the_options_of_a_plug_in_belong_to_it() -> None:
    """They may be said in code or as JSON; the caller's mapping is not kept."""
    given = {"quiet": {"loggers": ["a"]}}
    options = PluginOptions(filters=given)
    given["quiet"].clear()

    assert options == PluginOptions(filters='{"quiet": {"loggers": ["a"]}}')
    assert options != PluginOptions(filters="quiet")


@pytest.mark.parametrize("group", GROUPS)
@pytest.mark.parametrize(
    "given",
    [None, True, 7, 1.5, b"quiet", object(), "{not this]", '["quiet"', "7 up", "a=b", [["quiet"]], [None], {1: {}},
     {"quiet": None}, {"quiet": ["a"]}, {"quiet": {1: 2}}, '{"quiet": 1}', "quiet,quiet", {"": {}}, [""]],
    ids=repr,
)  # fmt: skip
def test_another_form_is_a_wrong_value(group: str, given: Any) -> None:
    """The error names the method and its parameter, and what is allowed."""
    with pytest.raises(ConfigError, match=rf"^with_plugins\({group}\): .*allowed: \S"):
        PluginOptions(**{group: given})


@pytest.mark.parametrize("option", ["allow", "deny"])
@pytest.mark.parametrize(
    "given", [None, "quiet", 7, [7], [""], ["filter:quiet"], ["{not this]"], ["filters:"], [["x"]]]
)
def test_a_rule_that_could_never_fit_is_a_wrong_value(option: str, given: Any) -> None:
    """A deny list with a slip of the pen would leave open what it was to shut."""
    with pytest.raises(ConfigError, match=rf"^with_plugins\({option}\): .*allowed: \S"):
        PluginOptions(**{option: given})


def test_the_nearest_rule_is_told() -> None:
    """``filter:quiet`` is meant for the filters."""
    with pytest.raises(ConfigError, match="Did you mean 'filters:quiet'"):
        PluginOptions(deny=["filter:quiet"])


@pytest.mark.parametrize(
    "given",
    [{"quiet": {"token": CANARY}}, f'{{"quiet": {{"token": "{CANARY}"}}}}', [PluginChoice("quiet", {"token": CANARY})]],
    ids=["mapping", "json", "choice"],
)
def test_no_repr_shows_an_option_of_a_plug_in(given: Any) -> None:
    """Names are shown."""
    options = PluginOptions(sinks=given, deny=["loud"])

    assert repr(options) == "PluginOptions(sinks=['quiet'], deny=['loud'])"
    assert CANARY not in f"{options!r} {options} {options.chosen('sinks')!r}"


@pytest.mark.parametrize(
    "given",
    [f'{{"quiet": {{"token": "{CANARY}"', f"token={CANARY}", {"quiet": [CANARY]}, {"quiet": CANARY}, [[CANARY]],
     {"quiet": {1: CANARY}}],
    ids=repr,
)  # fmt: skip
def test_no_error_about_the_form_shows_what_was_given(given: Any) -> None:
    """JSON with a bracket too few may hold a token."""
    with pytest.raises(ConfigError) as caught:
        PluginOptions(sinks=given)

    assert CANARY not in said_by(caught.value)


def test_what_is_named_is_made_in_order_with_its_options(offer: Offer) -> None:
    """A factory gets its options as keyword arguments."""
    offer("one", filters={"echo": "echo", "picky": "picky", "plain": "plain"})

    first, second, third = load(
        "filters", PluginOptions(filters={"picky": {"loggers": "a"}, "plain": {}, "echo": {"x": 1}})
    )

    assert (first({}), second({}), third({})) == (("a", False), True, {"x": 1})


def test_a_sink_is_made_by_its_class(offer: Offer) -> None:
    """No other factory is needed."""
    offer("one", sinks={"own": "Sink"})

    (sink,) = load("sinks", PluginOptions(sinks={"own": {"name": "mine"}}))

    assert sink.name == "mine"


@pytest.mark.parametrize("options", [{}, {"filters": "plain"}, {"sinks": "own"}], ids=repr)
def test_what_is_not_named_is_not_imported(offer: Offer, options: dict[str, Any]) -> None:
    """A distribution that is there for something else may do harm when it is imported."""
    offer("one", filters={"plain": "plain"}, sinks={"own": "Sink"})
    trap = offer("trap", "raise SystemExit('imported')", **{group: {"trap": "make"} for group in GROUPS})

    for group in GROUPS:
        load(group, PluginOptions(**options))

    assert trap not in sys.modules


def test_with_no_plug_in_nothing_is_looked_for() -> None:
    """Reading what is installed takes longer than all the rest of a start."""
    program = """
        import sys
        from fapilog.plugins import GROUPS, PluginOptions, load
        assert [load(group, PluginOptions(deny=["quiet"])) for group in GROUPS] == [[]] * 5
        assert "importlib.metadata" not in sys.modules
    """
    done = run(textwrap.dedent(program))

    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("rule", ["trap", "filters:trap"])
@pytest.mark.parametrize("allow", [[], ["trap"], ["filters:trap"]], ids=repr)
def test_the_deny_list_wins_and_comes_before_the_import(offer: Offer, rule: str, allow: list[str]) -> None:
    """It is an error, so that nobody runs without a redactor he believes in."""
    trap = offer("trap", "raise SystemExit('imported')", filters={"trap": "make"})

    error = refusal(filters="trap", deny=[rule], allow=allow)

    assert str(error) == "with_plugins(filters): 'trap' cannot be used; allowed: what with_plugins(deny) does not name."
    assert trap not in sys.modules


@pytest.mark.parametrize("allow", [["plain"], ["redactors:trap"], ["Trap"]], ids=repr)
def test_an_allow_list_keeps_out_what_is_not_on_it(offer: Offer, allow: list[str]) -> None:
    """By the exact name, and by the kind where one is given."""
    trap = offer("trap", "raise SystemExit('imported')", filters={"trap": "make"})

    error = refusal(filters="trap", allow=allow)

    assert str(error) == (
        f"with_plugins(filters): 'trap' cannot be used; allowed: what with_plugins(allow) names: {allow[0]}."
    )
    assert trap not in sys.modules


@pytest.mark.parametrize(
    "lists", [{"allow": ["plain"]}, {"allow": ["filters:plain"]}, {"deny": ["sinks:plain"]}], ids=repr
)
def test_what_is_permitted_is_used(offer: Offer, lists: dict[str, Any]) -> None:
    """A rule for another kind is none for this one."""
    offer("one", filters={"plain": "plain"})

    assert len(load("filters", PluginOptions(filters="plain", **lists))) == 1


def test_an_unknown_name_tells_the_nearest(offer: Offer) -> None:
    """And what is installed."""
    offer("one", filters={"plain": "plain", "echo": "echo"})

    assert str(refusal(filters="plian")) == (
        "with_plugins(filters): 'plian' is not known; allowed: echo, plain. Did you mean 'plain'?"
    )


def test_where_nothing_is_installed_the_group_is_named() -> None:
    """Whoever forgot to install it finds out what to look for."""
    assert str(refusal("processors", processors="plain")) == (
        "with_plugins(processors): 'plain' is not known; allowed: none, for nothing that is installed offers "
        "fapilog.processors."
    )


def test_the_variable_that_named_it_is_told() -> None:
    """Whoever set it has to find it."""
    with pytest.raises(ConfigError, match=r"^FAPILOG_PLUGINS__FILTERS: 'plain' is not known"):
        load("filters", PluginOptions(filters="plain"), "FAPILOG_PLUGINS__FILTERS")


def test_a_name_that_two_distributions_offer_is_neither_of_them(offer: Offer) -> None:
    """Which one came first on the path is nobody's choice."""
    modules = [offer(name, filters={"plain": "plain"}) for name in ("one", "two")]

    assert str(refusal(filters="plain")) == (
        "with_plugins(filters): 'plain' cannot be used; allowed: a name that one distribution offers, "
        "and not one 1.0 and two 1.0."
    )
    assert not sys.modules.keys() & set(modules)


def test_the_same_name_in_two_groups_is_two_plug_ins(offer: Offer) -> None:
    """A distribution may call all its parts after itself."""
    offer("one", filters={"plain": "plain"})
    offer("two", redactors={"plain": "plain"})

    assert len(load("filters", PluginOptions(filters="plain", redactors="plain"))) == 1


@pytest.mark.parametrize(
    ("source", "told"),
    [
        ("import a_module_that_nobody_has", "ModuleNotFoundError: No module named 'a_module_that_nobody_has'"),
        ("raise RuntimeError('out of\\norder')", "RuntimeError: out of order"),
        ("def x(", "SyntaxError: '(' was never closed (one_for_this_test.py, line 1)"),
        ("other = 1", "AttributeError: module 'one_for_this_test' has no attribute 'make'"),
    ],
)
def test_a_plug_in_that_cannot_be_imported_is_an_error(offer: Offer, source: str, told: str) -> None:
    """It names the plug-in, its distribution, and what was raised, which is the cause."""
    offer("one", source, filters={"it": "make"})

    error = refusal(filters="it")

    assert str(error) == f"with_plugins(filters): 'it' of one 1.0 cannot be imported: {told}."
    assert error.__cause__ is not None


@pytest.mark.parametrize(
    ("factory", "options", "told"),
    [
        ("value", {}, "'it' of one 1.0 is int; allowed: a factory, which can be called."),
        ("broken", {}, "'it' of one 1.0 cannot be made: RuntimeError: no such host."),
        ("exact", {"loggers": CANARY}, "'it' of one 1.0 cannot be made: ValueError at one_for_this_test.py:18."),
        ("says", {"loggers": CANARY}, "'it' of one 1.0 cannot be made: ConfigError: loggers: empty; allowed: names."),
        ("picky", {}, "it: missing a required argument: 'loggers'; allowed: loggers, upper."),
        ("picky", {"loggers": CANARY, "uper": CANARY}, f"it: 'uper' is not known; allowed: loggers, upper. {NEAREST}"),
        ("plain", {"loggers": CANARY}, "it: 'loggers' is not known; allowed: no options."),
        ("nothing", {}, f"'it' of one 1.0 made NoneType; allowed: {STAGE}."),
        ("asynchronous", {}, f"'it' of one 1.0 made function; allowed: {STAGE}."),
        ("stage_class", {}, f"'it' of one 1.0 made the class Stage; allowed: {STAGE}."),
    ],
)
def test_a_stage_that_cannot_be_made_is_an_error(
    offer: Offer, factory: str, options: dict[str, Any], told: str
) -> None:
    """It tells what is amiss and what is allowed, and never what an option was."""
    offer("one", filters={"it": factory})

    error = refusal(filters={"it": options})

    assert str(error) == f"with_plugins(filters): {told}"
    assert CANARY not in said_by(error)


@pytest.mark.parametrize("factory", ["plain", "nothing", "sink_class", "nameless"])
def test_what_is_no_sink_is_an_error(offer: Offer, factory: str) -> None:
    """A sink has a name and three methods, and is no class."""
    offer("one", sinks={"it": factory})

    assert str(refusal("sinks", sinks="it")).endswith("; allowed: a sink, an object with name, open, write and close.")


@pytest.fixture(scope="session")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Install the package of the documentation by pip, offline, and return the folder."""
    folder = tmp_path_factory.mktemp("installed")
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-input"]
    local = ["--no-deps", "--no-build-isolation", "--no-index", "--target", str(folder)]
    done = subprocess.run([*pip, *local, str(PACKAGE)], capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stderr
    return folder


def run(program: str, path: Path | None = None, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run a program in a process of its own, with a folder on its path."""
    environ = {**os.environ, **variables, **({} if path is None else {"PYTHONPATH": str(path)})}
    return subprocess.run(
        [sys.executable, "-W", "error", "-c", program],
        capture_output=True, text=True, check=False, timeout=60, env=environ,
    )  # fmt: skip


LOADED = """
from fapilog import LoggerBuilder
from fapilog.plugins import PluginOptions, load
from fapilog.testing import RecordingSink

options = PluginOptions(filters='{"quiet": {"loggers": ["shop.health"]}}', enrichers="region")
builder = LoggerBuilder().with_filter(*load("filters", options)).with_enricher(*load("enrichers", options))
sink = RecordingSink()
logger = builder.add_sink(sink).with_name("shop.health").build()
logger.info("Still alive")
result = logger.drain()
assert (result.filtered, result.sinks["recording"]["filtered"]) == (1, {"quiet": 1}), result
logger = builder.with_name("shop").build()
logger.info("Order placed")
logger.drain()
assert sink.events[-1]["region"] == "local"
"""


def test_an_installed_package_is_found_and_used(installed: Path) -> None:
    """pip has put it there; what it filters is counted under its name."""
    done = run(LOADED, installed)

    assert (done.returncode, done.stderr) == (0, "")


def test_the_tests_of_the_package_pass_where_it_is_installed(installed: Path) -> None:
    """The ones that the documentation shows: the contract of its sink, and one plug-in of each kind in one event."""
    done = run((PACKAGE / "check_quiet.py").read_text("utf-8"), installed)

    assert (done.returncode, done.stderr) == (0, "")


def test_variables_alone_put_it_to_use(installed: Path, tmp_path: Path) -> None:
    """Without a line of code about it."""
    program = "from fapilog import get_logger\nlog = get_logger('shop')\nlog.info('Paid', order=7)\nlog.drain()"
    file = tmp_path / "log"
    done = run(
        program,
        installed,
        FAPILOG_PLUGINS__SINKS=json.dumps({"append": {"path": str(file)}}),
        FAPILOG_PLUGINS__ENRICHERS="region",
        FAPILOG_PLUGINS__ALLOW="append,enrichers:region",
    )

    assert (done.returncode, done.stderr) == (0, "")
    (event,) = map(json.loads, file.read_text("utf-8").splitlines())
    assert (event["message"], event["order"], event["region"]) == ("Paid", 7, "local")


@pytest.mark.parametrize("name", ["pyproject.toml", "fapilog_quiet.py", "check_quiet.py"])
def test_the_documentation_shows_the_package_that_is_tested_here(name: str) -> None:
    """Whoever copies it gets what pip has installed."""
    page = (Path(__file__).parents[1] / "docs" / "plugins.md").read_text("utf-8")

    assert (PACKAGE / name).read_text("utf-8") in page
