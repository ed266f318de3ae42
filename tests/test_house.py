"""The rules of the house: which folder may import which, and what no file may do."""

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
    "tools": {"data", "evaluation", "networks", "options", "util"},
    "minibench": {"data", "options", "util"},
    "benchmarks": {"data", "evaluation", "networks", "options", "tools", "util"},
}
OURS = {*MAY_IMPORT, "train", "eval", "predict", "tests"}
FILES = [p for folder in MAY_IMPORT for p in sorted((ROOT / folder).rglob("*.py"))]
SCRIPTS = [ROOT / name for name in ("train.py", "eval.py", "predict.py")]


def imported(path: pathlib.Path) -> set[str]:
    names = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            names.add(str(node.module).split(".")[0])
    return names


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(ROOT)))
def test_imports_run_downwards(path: pathlib.Path) -> None:
    folder = path.relative_to(ROOT).parts[0]
    assert imported(path) & OURS <= MAY_IMPORT[folder] | {folder}


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


def test_image_files_are_opened_in_one_place() -> None:
    """Besides data/images.py: the JPEG augmentation decodes from memory, minibench its photos; the
    reference recipe that benchmarks are measured against opens images in its own way.
    """
    opens = {
        str(path.relative_to(ROOT))
        for path in FILES + SCRIPTS
        if "Image.open(" in path.read_text() or "cv2.imread(" in path.read_text()
    }
    assert {p for p in opens if not p.startswith("minibench")} == {
        "data/images.py",
        "data/augment.py",
        "benchmarks/reference.py",
    }
