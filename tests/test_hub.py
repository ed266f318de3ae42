"""torch.hub loads a detector and evaluates one, from wherever the program is."""

from __future__ import annotations

import pathlib
import subprocess
import sys
from typing import Any

import pytest
import torch

import hubconf
from evaluation.evaluate import evaluate_folder
from evaluation.predictions import read_predictions
from networks.detector import load_detector
from tests.commands import ROOT, run
from tests.conftest import write_image
from tests.test_results import save_weights
from util.errors import UsageError

MODULES = {  # what pip calls it -> what Python calls it, where that is another name
    "pillow": "PIL",
    "opencv-python-headless": "cv2",
    "scikit-learn": "sklearn",
}

PROGRAM = """
import os, pathlib, sys

def main(repository, weights, testsets, barred):
    for name in filter(None, barred.split(",")):
        sys.modules[name] = None  # as if it were not installed
    import torch
    torch.multiprocessing.set_start_method("spawn")  # as on macOS and Windows
    before = list(sys.path)
    detector = torch.hub.load(repository, "detector", weights, source="local")
    assert sys.path[:len(before)] == before  # what is ours comes last
    os.chdir("elsewhere")
    sys.path.insert(0, os.getcwd())  # there is a package called report, not imported yet
    image = next(pathlib.Path(testsets).rglob("*.png"))
    assert 0 < detector.probability(image) < 1
    assert detector.explain(image).heat.max() <= 1
    evaluation = torch.hub.load(
        repository, "evaluate", weights, testsets, source="local", testsets=["san"], num_threads=1
    )
    assert "| mean " in str(evaluation)
    assert "<th>mean</th>" in evaluation._repr_html_()
    import matplotlib
    assert matplotlib.rcParams._get_backend_or_none() is None  # a notebook chooses its own
    print(*(name for name in sys.modules if sys.modules[name] and "." not in name))

if __name__ == "__main__":
    main(*sys.argv[1:])
"""


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    return save_weights(tmp_path_factory.mktemp("weights") / "mine.pth")


@pytest.fixture(scope="module")
def testsets(tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    root = tmp_path_factory.mktemp("testsets")
    for number, testset in enumerate(["progan", "san"] * 3):
        for label in ("0_real", "1_fake"):
            write_image(root / testset / label / f"{number}.png", 2 * number + (label < "1"))
    return root


def required() -> set[str]:
    """The modules that requirements.txt installs."""
    lines = (ROOT / "requirements.txt").read_text().split()
    names = [line.partition(">=")[0] for line in lines]
    return {MODULES.get(name, name) for name in names}


def python(folder: pathlib.Path, *argv: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, *map(str, argv)]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)


def test_it_works_from_another_folder_and_after_loading(
    weights: pathlib.Path, testsets: pathlib.Path, tmp_path: pathlib.Path
) -> None:
    (tmp_path / "program.py").write_text(PROGRAM)
    (tmp_path / "elsewhere/report").mkdir(parents=True)
    (tmp_path / "elsewhere/report/__init__.py").write_text("raise RuntimeError('not this one')")
    barred = required() - set(hubconf.dependencies)
    argv = [ROOT, weights, testsets, ",".join(sorted(barred))]
    result = python(tmp_path, "program.py", *argv)
    assert result.returncode == 0, result.stderr
    imported = set(result.stdout.split())
    assert set(hubconf.dependencies) == required() & imported


def test_the_entry_points_are_these_two() -> None:
    public = [name for name in dir(hubconf) if not name.startswith("_")]
    assert [name for name in public if callable(getattr(hubconf, name))] == ["detector", "evaluate"]
    for name in ("detector", "evaluate"):
        assert len(str(getattr(hubconf, name).__doc__)) > 300  # torch.hub.help shows it


LOAD = f"""
import importlib.util
spec = importlib.util.spec_from_file_location("hubconf", {str(ROOT / "hubconf.py")!r})
hubconf = importlib.util.module_from_spec(spec)
spec.loader.exec_module(hubconf)
hubconf._import_packages()
"""


@pytest.mark.parametrize("own", ["util.py", "data/__init__.py", "networks/plain.py"])
def test_a_package_of_that_name_that_was_imported_before_is_named(
    own: str, tmp_path: pathlib.Path
) -> None:
    (tmp_path / own).parent.mkdir(exist_ok=True)
    (tmp_path / own).write_text("")
    name = own.partition("/")[0].partition(".")[0]
    result = python(tmp_path, "-c", f"import {name}\n{LOAD}")
    assert result.returncode == 1
    told = result.stderr.splitlines()[-1]
    assert told.startswith(f"ImportError: {ROOT} has a package called {name}, and so has this")
    assert own.endswith("plain.py") or str(tmp_path / own) in told


def test_one_that_was_not_imported_is_in_nobodys_way(tmp_path: pathlib.Path) -> None:
    for name in ("data", "evaluation"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "__init__.py").write_text("raise RuntimeError('not this one')")
    result = python(tmp_path, "-c", f"{LOAD}\nimport data; print(data.__file__)")
    assert (result.returncode, result.stdout.strip()) == (0, str(ROOT / "data/__init__.py"))


def test_both_entry_points_take_what_they_say(
    weights: pathlib.Path, testsets: pathlib.Path, tmp_path: pathlib.Path
) -> None:
    def load(*argv: object, **options: object) -> Any:  # noqa: ANN401
        return torch.hub.load(str(ROOT), *argv, source="local", **options)

    detector = load("detector", str(weights), device="cpu", precision="bf16", arch="resnet18")
    assert (detector.precision, detector.device.type) == ("bf16", "cpu")
    with pytest.raises(UsageError, match="--detector npr"):
        load("detector", str(weights), detector="npr")
    with pytest.raises(UsageError, match="holds all of it; leave"):
        load("detector", str(weights), detector="npr", backbone="x.pth")
    with pytest.raises(UsageError, match="no such weights file"):
        load("detector", str(tmp_path / "none.pth"))
    with pytest.raises(UsageError, match=r"--testsets: .*biggan"):
        load("evaluate", str(weights), str(testsets), testsets=["biggan"])
    with pytest.raises(TypeError, match="bootstraps"):
        load("evaluate", str(weights), str(testsets), bootstraps=3)


def test_an_evaluation_is_that_of_eval_py(
    weights: pathlib.Path, testsets: pathlib.Path, tmp_path: pathlib.Path
) -> None:
    (testsets / "san/1_fake/junk.png").write_bytes(b"junk")
    flags = ["--model_path", weights, "--dataroot", testsets, "--results_dir", tmp_path]
    flags += ["--num_threads", 0, "--bootstrap", 20, "--device", "cpu", "--thumbnails", "none"]
    result = run("eval.py", *flags, "--skip_unreadable")
    assert result.returncode == 0, result.stderr
    expected = read_predictions(str(tmp_path / "mine/predictions.csv"))
    detector = load_detector(str(weights), device="cpu")
    found = evaluate_folder(detector, str(testsets), bootstrap=20)
    assert found.name == "mine"
    for name, scores in expected.items():
        assert found.scores[name].paths == scores.paths
        assert found.scores[name].logits.tolist() == scores.logits.tolist()
    assert list(found.provenance.unreadable["san"]) == ["1_fake/junk.png"]
    table = (tmp_path / "mine/table.md").read_text().split("### Accuracy")[0]
    assert next(line for line in str(found).splitlines() if line.startswith("| mean")) in table


def test_scores_are_kept_where_asked_for_and_nowhere_else(
    weights: pathlib.Path,
    testsets: pathlib.Path,
    tmp_path: pathlib.Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    detector = load_detector(str(weights), device="cpu")
    one = evaluate_folder(detector, str(testsets), testsets=["progan"], bootstrap=0)
    assert not list(tmp_path.iterdir())
    assert one.provenance.partial == ["san"]
    kept = evaluate_folder(detector, str(testsets), bootstrap=0, results_dir="here")
    assert list(tmp_path.iterdir()) == [tmp_path / "here"]
    monkeypatch.setattr(detector, "logits", None)  # nothing is scored a second time
    again = evaluate_folder(detector, str(testsets), bootstrap=0, results_dir="here")
    assert str(again) == str(kept)


@pytest.mark.parametrize(
    ("option", "words"), [({"no_crop": True}, "whole images"), ({"crop_size": 40}, "crop 40")]
)
def test_the_protocol_can_be_another(
    option: dict[str, object], words: str, weights: pathlib.Path, testsets: pathlib.Path
) -> None:
    detector = load_detector(str(weights), device="cpu")
    assert words in str(evaluate_folder(detector, str(testsets), bootstrap=0, **option))
