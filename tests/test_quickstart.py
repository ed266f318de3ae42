"""The notebook runs where nothing was trained, and is stored with pictures of what was."""

from __future__ import annotations

import pathlib
import re
from typing import Any

import nbformat
import pytest

from tests.commands import ROOT
from tests.notebooks import executed

PATH = ROOT / "docs/quickstart.ipynb"
RICHEST = ("text/html", "image/png", "text/plain")
MADE = ("checkpoints", "dataset", "results")  # what a clone does not hold


@pytest.fixture(scope="module")
def stored() -> Any:  # noqa: ANN401
    return nbformat.read(PATH, as_version=4)


def kinds(notebook: Any) -> list[list[str]]:  # noqa: ANN401
    """What each cell with code shows: the richest form of each output that is not printed."""
    return [
        [
            next(k for k in RICHEST if k in output.data)
            for output in cell.outputs
            if "data" in output
        ]
        for cell in notebook.cells
        if cell.cell_type == "code"
    ]


def test_it_runs_in_a_fresh_clone(stored: Any, tmp_path: pathlib.Path) -> None:  # noqa: ANN401
    for path in ROOT.iterdir():
        if path.name not in MADE and not path.name.startswith(".") and path.name != "docs":
            (tmp_path / path.name).symlink_to(path)
    (tmp_path / "docs").mkdir()
    copy = tmp_path / "docs" / PATH.name
    copy.write_bytes(PATH.read_bytes())
    notebook = executed(copy)
    assert kinds(notebook) == kinds(stored)
    printed = [o.text for c in notebook.cells for o in c.get("outputs", ()) if "text" in o]
    assert [text.partition(":")[0] for text in printed] == ["not trained yet"]
    (table,) = (o.data["text/html"] for o in notebook.cells[-3].outputs)
    rows = re.findall(r"<tr><th>(\w+)</th><td>(\d*)</td><td>(\d*)</td>", table)
    assert rows == [
        *((n, "50", "50") for n in ("progan", "cyclegan", "stylegan2")),
        ("mean", "", ""),
    ]
    assert "Its numbers are not those of the paper" in table
    assert not [path for path in tmp_path.iterdir() if path.name in MADE]


def test_it_is_stored_with_its_outputs_and_without_the_machine_they_come_from(
    stored: Any,  # noqa: ANN401
) -> None:
    nbformat.validate(stored)
    assert PATH.stat().st_size < 300_000
    assert sum(shown.count("image/png") for shown in kinds(stored)) == 3
    assert sum(shown.count("text/html") for shown in kinds(stored)) == 1
    counts = [cell.execution_count for cell in stored.cells if cell.cell_type == "code"]
    assert counts == list(range(1, len(counts) + 1))  # all at once, in their order
    text = PATH.read_text(encoding="utf-8")
    assert not re.search(r"(?<![\w.])/(tmp|home|root|work|Users|usr|var)/", text)
    assert "Traceback" not in text
    assert "not trained yet" not in str([cell.get("outputs") for cell in stored.cells])
    assert set(stored.metadata) == {"kernelspec", "language_info"}


def test_its_links_lead_somewhere(stored: Any) -> None:  # noqa: ANN401
    prose = "".join(cell.source for cell in stored.cells if cell.cell_type == "markdown")
    links = re.findall(r"\]\((\S+?)\)", prose)
    assert links
    for link in links:
        assert (PATH.parent / link).exists(), link
