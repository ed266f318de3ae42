"""The rehearsal: train, stop, resume on a toy data set, and look at every file a run writes."""

from __future__ import annotations

import csv
import json
import pathlib

import pytest
import torch
import torchvision
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

import train
from tests.conftest import TOY_OPTIONS, Script, assert_wrong_usage
from tests.toy_runs import RESNET, load, run_training
from training import run_folder
from util import errors


def test_a_run_writes_what_the_contract_says(toy: pathlib.Path, tmp_path: pathlib.Path) -> None:
    augmented = (
        "--blur_prob 0.5 --blur_sig 0,3 --jpg_prob 0.5 --jpg_method cv2,pil --jpg_qual 30,90"
    )
    folder = run_training(
        toy, tmp_path, *RESNET, *augmented.split(), "--niter", 3, "--save_epoch_freq", 2
    )

    for which in ("latest", "best", "2"):
        checkpoint = load(folder, which)
        assert {"model", "optimizer", "total_steps"} <= checkpoint.keys()
        torchvision.models.resnet18(num_classes=1).load_state_dict(checkpoint["model"])
        assert (checkpoint["arch"], checkpoint["crop_size"]) == ("resnet18", 32)
    assert load(folder)["total_steps"] == 9
    assert load(folder, "2")["total_steps"] == 6

    options = json.loads((folder / "options.json").read_text())
    assert options["blur_sig"] == [0, 3]
    assert options["niter"] == 3
    about = json.loads((folder / "run.json").read_text())
    assert about["seed"] == 0
    assert about["packages"]["torch"] == torch.__version__.split("+")[0]
    assert {"command", "git_commit", "started", "ended"} <= about.keys()
    assert set(about["data_fingerprint"]) == {"train", "val"}

    history = list(csv.DictReader((folder / "history.csv").open()))
    assert [row["epoch"] for row in history] == ["1", "2", "3"]
    assert [row["total_steps"] for row in history] == ["3", "6", "9"]
    assert all(0 <= float(row["val_ap"]) <= 1 and float(row["loss"]) > 0 for row in history)

    curves = {split: EventAccumulator(str(folder / split)).Reload() for split in ("train", "val")}
    assert {"loss", "learning_rate", "images_per_second"} <= set(curves["train"].Tags()["scalars"])
    assert {"ap", "accuracy"} <= set(curves["val"].Tags()["scalars"])
    assert [event.step for event in curves["train"].Scalars("loss")] == list(range(1, 10))
    (picture,) = curves["train"].Images("augmented")
    assert picture.width > 8 * 32


def test_the_toy_is_learned(toy: pathlib.Path, tmp_path: pathlib.Path) -> None:
    """So that a loop that trains nothing, or on the wrong labels, is noticed."""
    options = "--lr 0.01 --optim sgd --momentum 0.9 --schedule onecycle --niter 12 --pairs"
    folder = run_training(toy, tmp_path, *options.split())
    history = list(csv.DictReader((folder / "history.csv").open()))
    assert float(history[-1]["val_ap"]) > 0.95
    assert float(history[-1]["loss"]) < 0.3 < float(history[0]["loss"])
    assert float(history[-1]["lr"]) < 1e-4


def test_an_existing_run_is_refused_continued_or_replaced(
    toy: pathlib.Path, tmp_path: pathlib.Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = run_training(toy, tmp_path, "--max_steps", 2)
    (folder / "notes.txt").write_text("mine")
    with pytest.raises(errors.UsageError, match=r"--continue_train .*--overwrite"):
        run_training(toy, tmp_path, "--max_steps", 2)
    before = (folder / run_folder.LATEST).read_bytes()
    run_training(toy, tmp_path, "--max_steps", 2, "--continue_train")
    assert "is finished" in capsys.readouterr().out
    assert (folder / run_folder.LATEST).read_bytes() == before
    with pytest.raises(errors.UsageError, match=r"--lr was 0\.0001, is 0\.1"):
        run_training(toy, tmp_path, "--max_steps", 2, "--continue_train", "--lr", 0.1)
    run_training(toy, tmp_path, "--max_steps", 4, "--continue_train")
    assert load(folder)["total_steps"] == 4
    run_training(toy, tmp_path, "--max_steps", 1, "--overwrite")
    assert load(folder)["total_steps"] == 1
    assert (folder / "notes.txt").read_text() == "mine"


def test_the_best_checkpoint_is_the_best_over_the_whole_run(
    toy: pathlib.Path, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    accuracies = iter([0.6, 0.9, 0.8, 0.8, 0.85, 0.85, 0.7, 0.7, 0.7])
    figures = {"ap": 0.5, "real_accuracy": 0.5, "fake_accuracy": 0.5, "auroc": 0.5}
    monkeypatch.setattr(train, "validate", lambda *_: {**figures, "accuracy": next(accuracies)})
    folder = run_training(toy, tmp_path, "--earlystop_epoch", 2)
    assert load(folder, "best")["total_steps"] == 6
    history = list(csv.DictReader((folder / "history.csv").open()))
    rates = [float(row["lr"]) for row in history]
    assert rates == pytest.approx([1e-4] * 4 + [1e-5] * 2 + [1e-6] * 2)


def test_wrong_input_ends_with_2_and_touches_nothing(
    toy: pathlib.Path, tmp_path: pathlib.Path, script: Script
) -> None:
    base = [*TOY_OPTIONS, "--checkpoints_dir", tmp_path / "new", "--dataroot"]
    assert_wrong_usage(script("train.py", *base, tmp_path / "no"), "no/train", "no such folder")
    assert_wrong_usage(script("train.py", *base, toy, "--classes", "cat,cow"), "cow", "cat, dog")
    assert_wrong_usage(script("train.py", *base, toy, "--init", "w.pth"), "w.pth")
    assert not (tmp_path / "new").exists()


def test_the_reference_command_trains_with_init_scratch(
    toy: pathlib.Path, tmp_path: pathlib.Path, script: Script
) -> None:
    """ResNet-50, loadSize 256 and crop 224, as nothing else is said."""
    command = (
        "--name blur_jpg_prob0.5 --blur_prob 0.5 --blur_sig 0.0,3.0 --jpg_prob 0.5"
        " --jpg_method cv2,pil --jpg_qual 30,100 --classes cat,dog --init scratch --max_steps 3"
        " --batch_size 4"
    )
    result = script("train.py", *command.split(), "--dataroot", f"{toy}/", cwd=tmp_path)
    assert result.returncode == 0, result.stderr
    checkpoint = load(tmp_path / "checkpoints/blur_jpg_prob0.5")
    assert checkpoint["total_steps"] == 3
    torchvision.models.resnet50(num_classes=1).load_state_dict(checkpoint["model"])
