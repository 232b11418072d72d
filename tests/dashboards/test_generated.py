"""What stands in docs/dashboards is what the catalogue gives."""

import subprocess
import sys
from pathlib import Path

import pytest

from docs.dashboards.generate import generated, write
from docs.dashboards.promql import by, series
from fapilog.metrics.catalogue import DELIVERY, QUEUE_DEPTH
from tests.dashboards.reading import DASHBOARDS, DATASOURCES, FOLDER, RULES

ROOT = FOLDER.parents[1]


@pytest.mark.parametrize("file", generated())
def test_a_file_is_what_the_generator_writes_now(file: str) -> None:
    """Whoever changes the catalogue or the generator runs `make docs`."""
    assert (FOLDER / file).read_text("utf-8") == generated()[file]


def test_nothing_else_is_there() -> None:
    """A file that the generator does not write any more is gone."""
    assert {path.name for path in (*DASHBOARDS, DATASOURCES, RULES)} == set(generated())
    assert {path.name for path in FOLDER.iterdir() if path.suffix in {".json", ".yaml", ".yml"}} == set(generated())


def test_another_process_writes_the_same(tmp_path: Path) -> None:
    """The order of a set or the time of day is nowhere in it."""
    code = "import sys, pathlib; from docs.dashboards.generate import write; write(pathlib.Path(sys.argv[1]))"
    subprocess.run(
        [sys.executable, "-W", "error", "-c", code, str(tmp_path)], cwd=ROOT, check=True, env={"PYTHONHASHSEED": "7"}
    )
    own = tmp_path / "own"
    own.mkdir()
    write(own)

    for file in generated():
        assert (tmp_path / file).read_bytes() == (own / file).read_bytes()


def test_what_the_catalogue_does_not_have_cannot_be_asked() -> None:
    """A label or a part that a metric does not have stops the generator."""
    with pytest.raises(ValueError, match="has no label sink"):
        series(QUEUE_DEPTH, ("sink", "=", "stdout"))
    with pytest.raises(ValueError, match="has no label route"):
        by(DELIVERY, "route")
    with pytest.raises(ValueError, match="is none of"):
        series(DELIVERY)
    with pytest.raises(ValueError, match="is none of"):
        series(QUEUE_DEPTH, part="bucket")
