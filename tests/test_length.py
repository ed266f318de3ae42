"""How long a run is: what the schedule spans, and what it means to be given more steps later."""

from __future__ import annotations

import csv
import json
import pathlib
import shutil

import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

import train
from tests.toy_runs import assert_same_run, load, run_training
from util import errors


@pytest.mark.parametrize("length", ["--niter 2 --max_steps 100", "--niter 50 --max_steps 6"])
def test_one_cycle_spans_what_is_trained(
    toy: pathlib.Path, tmp_path: pathlib.Path, length: str
) -> None:
    """Three steps an epoch: either way six are taken, and the rate has come down by then."""
    folder = run_training(toy, tmp_path, "--schedule", "onecycle", *length.split())
    checkpoint = load(folder)
    assert checkpoint["total_steps"] == 6
    assert checkpoint["schedule"]["total_steps"] == 6


@pytest.mark.parametrize("at", [[1, 5], [3, 5], [4]], ids=["amid", "mixed", "after an epoch"])
@pytest.mark.parametrize("more", ["", "--earlystop_epoch 1 --ema 0.9"])
def test_steps_that_are_given_later_change_no_bit(
    toy: pathlib.Path, tmp_path: pathlib.Path, at: list[int], more: str
) -> None:
    options = ("--blur_prob", 0.5, *more.split())
    whole = run_training(toy, tmp_path / "whole", *options, "--max_steps", 8)
    for steps in (*at, 8):
        flags = ("--max_steps", steps, "--continue_train")
        parts = run_training(toy, tmp_path / "parts", *options, *flags)
    assert_same_run(whole, parts)


def test_an_epoch_that_ends_amid_is_validated_and_listed(
    toy: pathlib.Path, tmp_path: pathlib.Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = run_training(toy, tmp_path, "--max_steps", 2)
    assert f"done: {folder}/model_epoch_best.pth" in capsys.readouterr().out
    assert steps_listed(folder) == ["2"]
    assert load(folder, "best")["total_steps"] == 2
    run_training(toy, tmp_path, "--max_steps", 4, "--continue_train")
    assert steps_listed(folder) == ["3", "4"]
    assert load(folder, "best")["total_steps"] == 3  # the best of whole epochs, where there is one
    before = (folder / "model_epoch_latest.pth").read_bytes()
    run_training(toy, tmp_path, "--max_steps", 4, "--continue_train")
    assert "this run is finished" in capsys.readouterr().out
    assert (folder / "model_epoch_latest.pth").read_bytes() == before


def steps_listed(folder: pathlib.Path) -> list[str]:
    return [row["total_steps"] for row in csv.DictReader((folder / "history.csv").open())]


@pytest.mark.parametrize("schedule", ["plateau", "reference_plateau"])
def test_a_run_that_would_train_nothing_is_refused(
    toy: pathlib.Path, tmp_path: pathlib.Path, schedule: str
) -> None:
    with pytest.raises(errors.UsageError, match=r"--lr 9e-07 is below 1e-06"):
        run_training(toy, tmp_path, "--lr", 9e-7, "--schedule", schedule)
    assert not (tmp_path / "run").exists()


def test_the_end_names_only_files_that_exist(
    toy: pathlib.Path,
    tmp_path: pathlib.Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """An accuracy that does not exist is never the best, and stands in the way of no later one."""
    accuracies = iter([float("nan"), float("nan"), 0.75])
    monkeypatch.setattr(train, "validate", lambda *_: {"ap": 0.5, "accuracy": next(accuracies)})
    folder = run_training(toy, tmp_path, "--niter", 2)
    assert not (folder / "model_epoch_best.pth").exists()
    assert f"done: {folder}/model_epoch_latest.pth" in capsys.readouterr().out
    run_training(toy, tmp_path, "--niter", 3, "--continue_train")
    assert f"done: {folder}/model_epoch_best.pth has validation acc" in capsys.readouterr().out
    assert load(folder, "best")["total_steps"] == 9


def test_a_metric_may_be_added_while_a_run_lasts(
    toy: pathlib.Path, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = run_training(toy, tmp_path, "--niter", 1)
    original = train.validate
    monkeypatch.setattr(train, "validate", lambda *given: {**original(*given), "new_one": 0.125})
    run_training(toy, tmp_path, "--niter", 2, "--continue_train")
    rows = list(csv.DictReader((folder / "history.csv").open()))
    assert [row["val_new_one"] for row in rows] == ["", "0.125"]
    assert all(row["val_ap"] for row in rows)


def test_what_a_kill_left_incomplete_is_completed(
    toy: pathlib.Path, tmp_path: pathlib.Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """As after a SIGKILL between the last checkpoint and what is written for people."""
    folder = run_training(toy, tmp_path, "--niter", 2)
    history = (folder / "history.csv").read_text()
    about = json.loads((folder / "run.json").read_text())
    del about["ended"]
    for niter in (2, 3):
        (folder / "run.json").write_text(json.dumps(about))
        (folder / "history.csv").unlink()
        shutil.rmtree(folder / "val")
        run_training(toy, tmp_path, "--niter", niter, "--continue_train")
        assert ("is finished" in capsys.readouterr().out) == (niter == 2)
        assert (folder / "history.csv").read_text().startswith(history)
        assert "ended" in json.loads((folder / "run.json").read_text())
        assert curve(folder, "val", "accuracy") == list(range(3, 3 * niter + 1, 3))


def curve(folder: pathlib.Path, split: str, name: str) -> list[int]:
    """The steps of a curve in TensorBoard."""
    events = EventAccumulator(str(folder / split)).Reload()
    return [event.step for event in events.Scalars(name)]
