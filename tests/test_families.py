"""The miniature's families are a list of its own, apart from the known test sets."""

from __future__ import annotations

import json
import pathlib
import subprocess
import sys

import data.testsets
from minibench.families import FAMILIES
from minibench.generators import GENERATORS
from tests.conftest import ROOT

BUILD = """
import sys
import data.testsets
data.testsets.ORDER += ("dalle",)
from minibench import build
build.TRAIN_PAIRS, build.VAL_PAIRS, build.TEST_PAIRS = 2, 2, 1
build.main()
"""


def test_a_test_set_more_leaves_the_miniature_as_it_is(tmp_path: pathlib.Path) -> None:
    out = tmp_path / "mini"
    command = [sys.executable, "-c", BUILD, "--out", str(out), "--processes", "1"]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, check=False)
    assert done.returncode == 0, done.stderr
    assert {folder.name for folder in (out / "test").iterdir()} == {*FAMILIES, "shallow"}
    assert json.loads((out / "minibench.json").read_text())["images"] == 2 * (
        2 + 2 + len(FAMILIES) + 1
    )


def test_every_family_has_a_generator_and_is_a_known_test_set() -> None:
    assert tuple(GENERATORS) == FAMILIES
    assert set(FAMILIES) <= set(data.testsets.ORDER)
