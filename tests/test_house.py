"""The rules of the house: which folder may import which, and what no file or function may do."""

from __future__ import annotations

import ast
import pathlib

import pytest

from tests.conftest import ROOT

MAY_IMPORT = {
    "options": set(),
    "util": set(),
    "data": {"options", "util"},
    "networks": {"options", "util"},
    "evaluation": {"data", "networks", "options", "util"},
    "training": {"data", "evaluation", "networks", "options", "util"},
    "report": {"data", "evaluation", "networks", "options", "util"},
    "tools": {"data", "evaluation", "networks", "options", "report", "util"},
    "minibench": {"data", "networks", "options", "util"},
    "benchmarks": {"data", "evaluation", "networks", "options", "tools", "util"},
    "studies": {"data", "minibench", "options", "tools", "util"},
}
REACHES_UP = {  # for methods of an object that people hold in Python; imported as they are called
    "networks/detector.py": ("evaluation", "a detector can score files, which evaluation/ reads"),
    "evaluation/evaluation.py": ("report", "an evaluation can show its table, which report/ makes"),
}
OURS = {*MAY_IMPORT, "train", "eval", "predict", "tests"}
FILES = [p for folder in MAY_IMPORT for p in sorted((ROOT / folder).rglob("*.py"))]
SCRIPTS = [ROOT / name for name in ("train.py", "eval.py", "predict.py", "hubconf.py")]
MAY_TAKE_MORE = {  # than three by position: argparse calls these in its own way
    ("options/parse.py", "add_usage"): "overrides argparse.HelpFormatter",
}

Function = ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda


def imported(path: pathlib.Path, inside_functions: bool = True) -> set[str]:
    names = set()
    tree = ast.parse(path.read_text())
    functions = [node for node in ast.walk(tree) if isinstance(node, Function)]
    inner = {id(node) for function in functions for node in ast.walk(function)}
    for node in ast.walk(tree):
        if id(node) in inner and not inside_functions:
            continue
        if isinstance(node, ast.Import):
            names |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            names.add(str(node.module).split(".")[0])
    return names


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(ROOT)))
def test_imports_run_downwards(path: pathlib.Path) -> None:
    folder, file = path.relative_to(ROOT).parts[0], str(path.relative_to(ROOT))
    allowed = MAY_IMPORT[folder] | {folder}
    assert imported(path, inside_functions=False) & OURS <= allowed
    above, _ = REACHES_UP.get(file, (folder, ""))
    assert imported(path) & OURS <= allowed | {above}
    assert above in imported(path) or file not in REACHES_UP, "is no longer needed"


@pytest.mark.parametrize("path", SCRIPTS, ids=lambda p: p.name)
def test_nothing_imports_a_script(path: pathlib.Path) -> None:
    assert not imported(path) & {"train", "eval", "predict", "minibench", "tests"}


@pytest.mark.parametrize("path", FILES + SCRIPTS, ids=lambda p: str(p.relative_to(ROOT)))
def test_files_are_short_and_without_the_habits_ruled_out(path: pathlib.Path) -> None:
    text = path.read_text()
    assert text.count("\n") <= 320
    for habit in (".cuda()", "weights_only=False", "LOAD_TRUNCATED_IMAGES", "pickle.load"):
        assert habit not in text
    assert text.count("torch.load(") == text.count("weights_only=True)") - text.count(
        "check_hash=True, weights_only=True)"
    )


def by_position(function: Function) -> list[str]:
    """The parameters that a call may give by position."""
    given = [its.arg for its in (*function.args.posonlyargs, *function.args.args)]
    return given[1:] if given[:1] in (["self"], ["cls"]) else given


@pytest.mark.parametrize("path", FILES + SCRIPTS, ids=lambda p: str(p.relative_to(ROOT)))
def test_more_than_three_parameters_are_taken_by_keyword(path: pathlib.Path) -> None:
    file = str(path.relative_to(ROOT))
    found = []
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, Function):
            name = getattr(node, "name", "lambda")
            if len(by_position(node)) > 3 and (file, name) not in MAY_TAKE_MORE:
                found.append(f"{file}:{node.lineno} {name}({', '.join(by_position(node))})")
    assert not found, "put a bare * after the first, second or third parameter"


def test_image_files_are_opened_in_one_place() -> None:
    """Besides data/images.py: minibench opens its photos, and the reference recipe that benchmarks
    are measured against has its own way.
    """
    opens = {
        str(path.relative_to(ROOT))
        for path in FILES + SCRIPTS
        if "Image.open(" in path.read_text() or "cv2.imread(" in path.read_text()
    }
    assert {p for p in opens if not p.startswith("minibench")} == {
        "data/images.py",
        "benchmarks/reference.py",
    }
