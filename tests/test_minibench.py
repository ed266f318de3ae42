from __future__ import annotations

import hashlib
import json
import pathlib
import sys

import numpy as np
import pytest
from PIL import Image

from data.samples import find_samples
from data.sources import find_testsets
from minibench import build, photographs
from minibench.contact_sheet import draw_sheet
from minibench.fakes import fakes_of
from minibench.families import CLASSES, FAMILIES, NETWORKS, SHALLOW
from tests.commands import ROOT, Result, run
from tests.conftest import assert_wrong_usage

HOME = ROOT / "minibench"


def test_every_photograph_has_one_split_a_class_and_an_author() -> None:
    files = {path.stem for path in (HOME / "photos").glob("*.jpg")}
    assert files == set(photographs.PHOTOGRAPHS)
    attribution = (HOME / "photos/ATTRIBUTION.md").read_text()
    assert all(f"| {name}.jpg |" in attribution for name in files)
    by_split = {
        split: {photographs.PHOTOGRAPHS[name][1] for name in photographs.photographs_of(split)}
        for split in ("train", "val", "test")
    }
    assert by_split["train"] == by_split["val"] == by_split["test"]


def test_what_ships_stays_small() -> None:
    shipped = [*HOME.glob("photos/*"), *HOME.glob("weights/*")]
    assert sum(path.stat().st_size for path in shipped) < 28e6
    assert sum(path.stat().st_size for path in HOME.glob("weights/*")) < 8e6


@pytest.mark.parametrize("network", NETWORKS)
def test_fakes_show_what_the_photograph_shows_but_are_not_it(network: str) -> None:
    rng = np.random.default_rng(0)
    crops = photographs.draw_different_crops("test", 4, rng)
    reals = [photographs.cut(crop) for crop in crops]
    fakes = fakes_of(network, reals, seed=1)
    again = fakes_of(network, reals, seed=1)
    for real, fake, same in zip(reals, fakes, again, strict=True):
        assert fake.shape == real.shape == (64, 64, 3)
        assert fake.dtype == np.uint8
        np.testing.assert_array_equal(fake, same)
        assert np.abs(fake.astype(int) - real).mean() > 1.5  # deepfakes are blended in
        thumbnails = [
            image.reshape(16, 4, 16, 4, 3).mean(axis=(1, 3)).ravel() for image in (real, fake)
        ]
        assert np.corrcoef(thumbnails)[0, 1] > 0.95


def test_the_readme_says_what_training_measured() -> None:
    lines = json.loads((HOME / "weights/training.json").read_text())
    readme = (HOME / "README.md").read_text()
    assert tuple(lines) == NETWORKS
    for network, line in lines.items():
        row = (
            f"| {network} | {line['steps']:,} | {line['seed']} | {line['parameters']:,} |"
            f" {line['train_error']:.3f} | {line['val_error']:.3f} |"
        )
        assert row in readme


def test_crops_are_different_and_crn_and_imle_share_theirs() -> None:
    tasks = build.plan(0)
    crops = {
        folder: [crop for task in tasks if task.folder == folder for crop in task.crops]
        for folder in {task.folder for task in tasks}
    }
    assert {folder: len(set(found)) for folder, found in crops.items()} == {
        "train": 4000,
        "val": 300,
        **{f"test/{name}": 200 for name in (*FAMILIES, SHALLOW)},
    }
    assert crops["test/crn"] == crops["test/imle"] != crops["test/san"]
    for folder, found in crops.items():
        split = folder.partition("/")[0]
        assert {photographs.PHOTOGRAPHS[crop.photograph][0] for crop in found} == {split}
    assert tasks == build.plan(0)
    assert tasks != build.plan(1)


def test_a_family_of_its_own_has_other_crops_than_the_benchmark() -> None:
    tasks = build.plan(0, "crn")
    assert {(task.family, task.folder) for task in tasks} == {("crn", "train"), ("crn", "val")}
    counts = {f: sum(len(t.crops) for t in tasks if t.folder == f) for f in ("train", "val")}
    assert counts == {"train": 512, "val": 150}
    crops = {crop for task in tasks for crop in task.crops}
    by_chance = crops & {crop for task in build.plan(0) for crop in task.crops}
    assert len(by_chance) < 0.1 * len(crops)
    assert crops != {crop for task in build.plan(0, "imle") for crop in task.crops}
    for task in tasks:
        assert {photographs.PHOTOGRAPHS[crop.photograph][0] for crop in task.crops} == {task.folder}


def hashes(root: pathlib.Path) -> dict[str, str]:
    return {
        str(path.relative_to(root)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in root.rglob("*")
        if path.is_file()
    }


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, pairs in (("TRAIN_PAIRS", 20), ("VAL_PAIRS", 10), ("TEST_PAIRS", 6)):
        monkeypatch.setattr(build, name, pairs)


def run_build(monkeypatch: pytest.MonkeyPatch, out: pathlib.Path, *arguments: str) -> None:
    monkeypatch.setattr(sys, "argv", ["build.py", "--out", str(out), *arguments])
    build.main()


@pytest.mark.usefixtures("small")
def test_a_build_is_whole_repeatable_and_in_the_layout(
    tmp_path: pathlib.Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    first, second = tmp_path / "deep/first", tmp_path / "second"
    run_build(monkeypatch, first, "--processes", "2")
    run_build(monkeypatch, second, "--processes", "1")
    assert hashes(first) == hashes(second)
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".")] == []

    train = find_samples(str(first / "train"), ["landscape", "nature", "object"])
    assert np.bincount(train.labels).tolist() == [20, 20]
    testsets = find_testsets(str(first / "test"))
    assert set(testsets) == {*FAMILIES, SHALLOW}
    for name, samples in testsets.items():
        assert np.bincount(samples.labels).tolist() == [6, 6]
        kind = "JPEG" if name == "whichfaceisreal" else "PNG"
        with Image.open(samples.path(0)) as real, Image.open(samples.path(6)) as fake:
            assert (real.format, real.size) == (fake.format, fake.size) == (kind, (64, 64))
    assert json.loads((first / "minibench.json").read_text())["images"] == 2 * (20 + 10 + 14 * 6)
    assert draw_sheet(first / "test").width > 1000

    capsys.readouterr()
    run_build(monkeypatch, first)
    assert "complete already" in capsys.readouterr().out
    for arguments in ([], ["--seed", "1"]):  # a folder of the user's; another minibench
        target = first if arguments else tmp_path / "deep"
        with pytest.raises(build.UsageError, match="--out"):
            run_build(monkeypatch, target, *arguments)
    with pytest.raises(build.UsageError):
        run_build(monkeypatch, tmp_path / "deep", "--overwrite")
    assert hashes(first) == hashes(second)
    run_build(monkeypatch, first, "--seed", "1", "--overwrite")
    assert hashes(first) != hashes(second)


@pytest.mark.usefixtures("small")
def test_a_build_that_fails_leaves_what_was_there(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "mini").mkdir()

    def fail(*arguments: object) -> int:
        raise KeyboardInterrupt

    monkeypatch.setattr(build, "make_images", fail)
    with pytest.raises(KeyboardInterrupt):
        run_build(monkeypatch, tmp_path / "mini")
    assert [path.name for path in tmp_path.rglob("*")] == ["mini"]


def test_both_images_of_a_jpeg_pair_have_one_quality(tmp_path: pathlib.Path) -> None:
    crops = photographs.draw_different_crops("test", 6, np.random.default_rng(3))
    build.write_pairs(build.Task("whichfaceisreal", "test/w", crops, [0]), tmp_path)
    tables = []
    for crop in crops:
        for label in ("0_real", "1_fake"):
            with Image.open(tmp_path / f"test/w/{label}/{crop.name}.jpeg") as image:
                tables.append(str(image.quantization))
    assert tables[0::2] == tables[1::2]
    assert len(set(tables)) > 1


def train_generators(*arguments: str) -> Result:
    return run("-m", "minibench.train_generators", "--steps", "4", *arguments)


def test_the_retraining_command_trains(tmp_path: pathlib.Path) -> None:
    result = train_generators("--out", str(tmp_path), "--families", "san")
    assert result.returncode == 0, result.stderr
    lines = json.loads((tmp_path / "training.json").read_text())
    assert list(lines) == ["san"]
    assert 0 < lines["san"]["val_error"] < 2
    assert lines["san"]["steps"] == 4
    assert [path.name for path in tmp_path.glob("*.safetensors")] == ["san.safetensors"]
    wrong = train_generators("--out", str(tmp_path), "--families", "dalle")
    assert_wrong_usage(wrong, "--families", "dalle", "progan")


@pytest.mark.slow
def test_a_network_that_fails_loses_no_other(tmp_path: pathlib.Path) -> None:
    (tmp_path / "san.safetensors").mkdir()
    result = train_generators("--out", str(tmp_path), "--families", "san,deepfake")
    assert result.returncode == 1
    assert "san: " in result.stderr
    assert list(json.loads((tmp_path / "training.json").read_text())) == ["deepfake"]
    assert (tmp_path / "deepfake.safetensors").is_file()


def test_fakes_of_a_class_come_from_its_network() -> None:
    crops = photographs.draw_different_crops("test", 12, np.random.default_rng(0))
    assert {crop.kind for crop in crops} == set(CLASSES)
    reals = [photographs.cut(crop) for crop in crops]
    task = build.Task("progan", "test/progan", crops, [0])
    made = build.fakes_by_class(task, reals, 5)
    for kind in CLASSES:
        chosen = [at for at, crop in enumerate(crops) if crop.kind == kind]
        alone = fakes_of(f"progan-{kind}", [reals[at] for at in chosen], 5)
        for at, fake in zip(chosen, alone, strict=True):
            np.testing.assert_array_equal(made[at], fake)
