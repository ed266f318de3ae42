"""Training in trackers: what each is given is read back and counted, after a kill as well."""

from __future__ import annotations

import csv
import hashlib
import json
import pathlib
import shutil
from typing import NamedTuple

import pytest
import torch
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from options import tracking
from options.names import TRACKERS
from options.parse import parse
from options.train_options import TrainOptions
from tests import commands, tracked
from tests.conftest import TOY_OPTIONS
from tests.toy_runs import assert_same_run, load, run_training
from training import resume
from training.board import Board
from training.run_folder import own_files
from training.state import Progress
from util import distributed
from util.trackers import together
from util.trackers.tracker import Run

ALL = ("--tracker", ",".join(TRACKERS))


class Tracked(NamedTuple):
    """A run that was followed, killed and continued."""

    folder: pathlib.Path
    store: pathlib.Path  # Trackio's
    told: str  # on standard error, by the last command


@pytest.fixture(scope="module")
def run(toy: pathlib.Path, tmp_path_factory: pytest.TempPathFactory) -> Tracked:
    """Two epochs of three steps; a kill after the second's last step, before its checkpoint; on to
    the third, so that the second is there twice.
    """
    out, store = tmp_path_factory.mktemp("tracked"), tmp_path_factory.mktemp("store")
    options = [*TOY_OPTIONS, "--dataroot", toy, "--checkpoints_dir", out, "--name", "run", *ALL]
    environment = tracked.offline(store, out)
    first = commands.run("train.py", *options, "--niter", 2, environment=environment)
    assert first.returncode == 0, first.stderr
    folder = out / "run"
    shutil.copy(folder / "model_epoch_previous.pth", folder / "model_epoch_latest.pth")
    assert load(folder)["total_steps"] == 3
    options += ["--niter", 3, "--continue_train"]
    second = commands.run("train.py", *options, environment=environment)
    assert second.returncode == 0, second.stderr
    assert "warning" not in first.stderr + second.stderr
    return Tracked(folder, store, second.stderr)


def history(folder: pathlib.Path) -> list[dict[str, str]]:
    return list(csv.DictReader((folder / "history.csv").open()))


def validated(folder: pathlib.Path) -> list[tuple[int, float]]:
    return [(int(row["total_steps"]), float(row["val_ap"])) for row in history(folder)]


def hashes(folder: pathlib.Path) -> dict[str, str]:
    names = ("model_epoch_best.pth", "model_epoch_latest.pth")
    return {name: hashlib.sha256((folder / name).read_bytes()).hexdigest() for name in names}


def test_tensorboard_shows_each_step_once_with_options_and_hashes(run: Tracked) -> None:
    train, val = (EventAccumulator(str(run.folder / split)).Reload() for split in ("train", "val"))
    assert [event.step for event in train.Scalars("loss")] == list(range(1, 10))
    assert [event.step for event in val.Scalars("ap")] == [3, 6, 9]
    assert len(train.Images("augmented")) == 1
    for name, lines in (
        ("options", {"arch": "mobilenet_v3_small", "niter": 3}),
        ("sha256", hashes(run.folder)),
    ):
        texts = val.Tensors(f"{name}/text_summary")
        assert {event.step for event in texts} == {1}  # so that the page shows the last alone
        for key, value in lines.items():
            assert f"| {key} | {value} |".encode() in texts[-1].tensor_proto.string_val[0]


def test_wandb_has_one_run_with_each_step_once(run: Tracked) -> None:
    parts = tracked.recorded(run.folder)
    assert len(parts) == 2
    assert {part.run.run_id for part in parts} == {
        json.loads((run.folder / "trackers.json").read_text())["wandb"]["id"]
    }
    losses = [point for part in parts for point in part.points("train/loss")]
    assert [step for step, _ in losses] == list(range(1, 10))
    assert [point for part in parts for point in part.points("val/ap")] == validated(run.folder)
    rows = [row["_step"] for part in parts for row in part.rows]
    assert rows == sorted(set(rows))  # else the service would drop some
    assert sum("train/augmented/_type" in row for part in parts for row in part.rows) == 1
    assert len(list(run.folder.glob("wandb/*/files/media/images/train/augmented_*.png"))) == 1
    assert parts[1].config["arch"] == "mobilenet_v3_small"
    assert parts[1].config["niter"] == 3
    kept = {f"sha256/{name}": digest for name, digest in hashes(run.folder).items()}
    assert kept.items() <= parts[1].summary.items()
    assert "wandb sync" in run.told


def test_wandb_is_sent_nothing_that_it_would_collect_by_itself(run: Tracked) -> None:
    for part in tracked.recorded(run.folder):
        assert not part.kinds & {"output", "output_raw", "stats", "environment"}
        assert not part.run.host
        assert not part.run.git.ByteSize()
    files = [path.name for path in run.folder.glob("wandb/offline-run-*/files/**/*.*")]
    assert [name for name in files if not name.startswith("augmented")] == []


def test_trackio_has_one_run_with_each_step_once(run: Tracked) -> None:
    rows = tracked.trackio_rows(run.store)
    assert len({name for name, *_ in rows}) == 1
    assert [step for _, step, its in rows if "train/loss" in its] == list(range(1, 10))
    assert [(s, its["val/ap"]) for _, s, its in rows if "val/ap" in its] == validated(run.folder)
    (picture,) = (its["train/augmented"] for *_, its in rows if "train/augmented" in its)
    assert (run.store / "media" / picture["file_path"]).is_file()
    noted = [its["sha256"]["_value"] for *_, its in rows if "sha256" in its]
    assert {line["name"]: line["value"] for line in noted[-1]} == hashes(run.folder)


def test_trackers_change_no_bit_of_a_run(
    run: Tracked, toy: pathlib.Path, tmp_path: pathlib.Path
) -> None:
    plain = run_training(toy, tmp_path, "--niter", 3, "--tracker", "")
    assert_same_run(plain, run.folder)
    assert not (plain / "train").exists()
    assert not (plain / "trackers.json").exists()


class Failing:
    """A tracker that fails at one of the things it is asked."""

    appends, where = True, ""

    def __init__(self, at: str) -> None:
        self.at, self.asked = at, []

    def __call__(self, run: Run) -> Failing:
        self.fail("open")
        return self

    def fail(self, what: str) -> None:
        self.asked.append(what)
        if what == self.at:
            raise ConnectionError("the service is away\nfor today")

    def __getattr__(self, what: str) -> object:
        return lambda *_, **__: self.fail(what)


@pytest.mark.parametrize("at", ["open", "image", "scalars", "flush", "notes", "close"])
def test_a_tracker_that_fails_is_left_out_with_one_warning(
    tmp_path: pathlib.Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    at: str,
) -> None:
    failing = Failing(at)
    monkeypatch.setitem(together.TRACKERS, "wandb", failing)
    names = ("wandb", "tensorboard")
    board = Board(names, str(tmp_path), options={"lr": 1}, first_step=1, history=())
    board.images(torch.zeros(2, 3, 8, 8, dtype=torch.uint8), torch.tensor([0, 1]), 1)
    for step in (1, 2):
        board.scalars("train", {"loss": 1.0}, step)
    board.flush()
    board.close()
    told = capsys.readouterr().err
    assert told.count("\n") == 1
    assert "--tracker wandb: the service is away for today; going on without it" in told
    assert failing.asked.index(at) == len(failing.asked) - 1  # it is asked nothing after that
    events = EventAccumulator(str(tmp_path / "train")).Reload()
    assert [event.step for event in events.Scalars("loss")] == [1, 2]


def test_only_the_main_process_opens_trackers(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(distributed, "is_main", lambda: False)
    options = parse(TrainOptions, [])
    board = resume.open_board(str(tmp_path), options, Progress())
    board.scalars("train", {"loss": 1.0}, 1)
    board.close()
    assert list(tmp_path.iterdir()) == []


def test_replacing_a_run_makes_a_new_one_of_its_trackers(run: Tracked) -> None:
    assert {"trackers.json", "wandb"} <= {path.name for path in own_files(str(run.folder))}


def test_one_that_is_not_installed_is_named_before_anything_begins(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: pathlib.Path
) -> None:
    (tmp_path / "not_there").mkdir()  # as W&B's own folder of runs in the current one
    monkeypatch.syspath_prepend(tmp_path)
    for name in ("not_there", "nor_this"):
        assert "pip install -r requirements-trackers.txt" in str(tracking.missing_tracker((name,)))
    monkeypatch.setattr("options.train_options.missing_tracker", lambda names: f"lacks {names[0]}")
    with pytest.raises(SystemExit, match="2"):
        parse(TrainOptions, ["--tracker", "wandb"])
    assert "lacks wandb" in capsys.readouterr().err


def test_names_are_those_that_there_are(capsys: pytest.CaptureFixture[str]) -> None:
    assert tuple(together.TRACKERS) == TRACKERS
    assert parse(TrainOptions, []).tracker == ("tensorboard",)
    with pytest.raises(SystemExit, match="2"):
        parse(TrainOptions, ["--tracker", "wandb,mlflow"])
    assert "--tracker must be one of tensorboard, wandb, trackio" in capsys.readouterr().err
