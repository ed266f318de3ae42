"""The documents are true where a program can tell: links, commands, Python, published figures."""

from __future__ import annotations

import ast
import importlib.util
import json
import pathlib
import re
import shlex
from collections.abc import Iterator

import pytest

from evaluation.published import published
from options.parse import parse
from tests.commands import ROOT
from tests.test_options import COMMANDS

PAGES = [
    *(ROOT / name for name in ("README.md", "CONTRIBUTING.md", "minibench/README.md")),
    *sorted((ROOT / "docs").glob("*.md")),
]
GENERATED = "benchmarks.md"  # by `make bench`
LAUNCHER = re.compile(r"^torchrun (--standalone |--\w+ \S+ )*")


def anchors(page: pathlib.Path) -> set[str]:
    """The anchors of its headings, as GitHub makes them."""
    headings = re.findall(r"^#+ (.*)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", text.lower()).replace(" ", "-") for text in headings}


def commands(text: str) -> Iterator[tuple[str, list[str]]]:
    """Yield the documented commands that have declared options: the script, and its arguments."""
    for line in text.replace("\\\n", " ").split("\n"):
        if not line.startswith("    "):
            continue
        words = shlex.split(LAUNCHER.sub("python ", line.strip()), comments=True)
        if words[:2] == ["python", "-m"] and len(words) > 2:
            module = words[2].replace(".", "/")
            is_folder = (ROOT / module).is_dir()
            yield f"{module}/__main__.py" if is_folder else f"{module}.py", words[3:]
        elif words[:1] == ["python"] and len(words) > 1:
            yield words[1], words[2:]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_link_leads_somewhere(page: pathlib.Path) -> None:
    for link in re.findall(r"\]\(([^)\s]+)\)", page.read_text(encoding="utf-8")):
        if link.startswith(("http://", "https://", "../../actions/")):  # GitHub's own pages
            continue
        name, _, anchor = link.partition("#")
        target = (page.parent / name).resolve() if name else page
        assert target.exists(), link
        assert not anchor or anchor in anchors(target), link


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_documented_command_is_one(
    page: pathlib.Path, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)  # options look whether they may write where they are to
    monkeypatch.setattr("options.eval_options.missing_tracker", lambda names: None)
    monkeypatch.setattr("options.train_options.missing_tracker", lambda names: None)
    for script, argv in commands(page.read_text(encoding="utf-8")):
        if "--options" in argv:  # of a run that the reader has
            file = tmp_path / argv[argv.index("--options") + 1]
            file.parent.mkdir(parents=True, exist_ok=True)
            model = {"model_path": ["w.pth"], "dataroot": "d"}
            file.write_text(json.dumps({"options": model} if script == "eval.py" else {}))
        if script in COMMANDS:
            parse(COMMANDS[script], argv)
        else:
            assert (ROOT / script).is_file(), script


def test_documented_commands_are_found() -> None:
    text = (
        "    torchrun --nnodes 2 --rdzv_id 1 train.py --name x\n    python -m tools.verify d  # y\n"
    )
    assert list(commands(text)) == [("train.py", ["--name", "x"]), ("tools/verify.py", ["d"])]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_prose_is_at_most_100_columns_wide(page: pathlib.Path) -> None:
    if page.name == GENERATED:
        return
    text = re.sub(r"```.*?```", "", page.read_text(encoding="utf-8"), flags=re.DOTALL)
    prose = [line for line in text.split("\n") if not line.startswith(("|", "!", "    "))]
    assert [line for line in prose if len(line) > 100] == []


def test_the_readme_is_short() -> None:
    assert (ROOT / "README.md").read_text(encoding="utf-8").count("\n") <= 130


@pytest.mark.parametrize("name", ["README.md", "docs/python.md"])
def test_documented_python_names_what_is_there(name: str) -> None:
    text = (ROOT / name).read_text(encoding="utf-8")
    blocks = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    assert blocks
    for block in blocks:
        for node in ast.walk(ast.parse(block)):
            if isinstance(node, ast.ImportFrom):
                module = importlib.import_module(str(node.module))
                assert all(hasattr(module, alias.name) for alias in node.names), node.module


def test_the_published_figures_in_the_documents_are_those_that_ship() -> None:
    lines = (ROOT / "docs/reproduce.md").read_text(encoding="utf-8").split("\n")
    rows = [[cell.strip(" `") for cell in line.strip("|").split("|")] for line in lines]
    by_name = {row[0]: row[1:] for row in rows if len(row) > 8}
    columns = [
        published(model, no_crop)
        for model in ("blur_jpg_prob0.5", "blur_jpg_prob0.1")
        for no_crop in (False, True)
    ]
    for testset in columns[0]:
        told = [f"{100 * its[testset][key]:.1f}" for its in columns for key in ("ap", "accuracy")]
        assert by_name[testset] == told
    table = json.loads((ROOT / "evaluation/published_results.json").read_text())["table2_ap"]
    header = by_name["name"]
    for name, its in table.items():
        told = [its["row"], *(f"{its['ap'][t]:.1f}" for t in header[1:-1]), str(its["mean_of_11"])]
        assert by_name[name] == told
