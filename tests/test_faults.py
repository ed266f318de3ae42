"""What a run does when something goes wrong under it."""

from __future__ import annotations

import contextlib
import csv
import os
import pathlib
import resource
import shutil
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
import torch

from data.dataset import EvalImages, TrainImages
from data.images import UnreadableImage, open_image
from data.order import EpochBatches
from data.samples import Samples, find_samples
from data.train_batches import train_reader
from tests.commands import start
from tests.conftest import ROOT, TOY_OPTIONS, Script, children, write_image
from tests.toy_runs import RESNET, load, run_training
from training import run_folder
from util import errors
from util.checkpoint import save_checkpoint


def copy_of(toy: pathlib.Path, tmp_path: pathlib.Path) -> pathlib.Path:
    shutil.copytree(toy / "train", tmp_path / "data/train")
    shutil.copytree(toy / "val", tmp_path / "data/val")
    return tmp_path / "data"


def test_a_full_disk_costs_no_checkpoint(toy: pathlib.Path, tmp_path: pathlib.Path) -> None:
    """A limit on the size of files stands for the disk: writing fails in the middle."""
    base = [*TOY_OPTIONS, *RESNET, "--dataroot", str(toy), "--name", "run"]
    folder = run_training(toy, tmp_path, *RESNET, "--niter", 1)
    before = {path: path.read_bytes() for path in folder.glob("*.pth")}

    def limit() -> None:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (20_000_000, 20_000_000))

    command = [sys.executable, "train.py", *base, "--checkpoints_dir", str(tmp_path)]
    result = subprocess.run(
        [*command, "--niter", "2", "--continue_train"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        preexec_fn=limit,
        check=False,
    )
    assert result.returncode == 1
    last = result.stderr.splitlines()[-1]
    assert last.startswith("train.py: error: ")
    assert "could not be written" in last
    assert str(folder / "model_epoch_") in last
    assert "Traceback" not in result.stderr
    assert {path: path.read_bytes() for path in folder.glob("*.pth")} == before
    assert not list(folder.glob("*.tmp"))
    run_training(toy, tmp_path, *RESNET, "--niter", 2, "--continue_train")
    assert load(folder)["total_steps"] == 6


def test_another_image_of_the_label_stands_in_for_a_damaged_one(
    toy: pathlib.Path, tmp_path: pathlib.Path, capfd: pytest.CaptureFixture[str]
) -> None:
    data = copy_of(toy, tmp_path)
    bad = sorted((data / "train/cat/1_fake").iterdir())[0]
    bad.write_bytes(bad.read_bytes()[:100])
    folder = run_training(data, tmp_path, "--niter", 2, "--max_bad_fraction", 0.05)
    told = [line for line in capfd.readouterr().err.splitlines() if "stands in for it" in line]
    assert len(told) == 1  # once, not in every epoch
    assert str(bad) in told[0]
    history = list(csv.DictReader((folder / "history.csv").open()))
    assert [row["unreadable"] for row in history] == ["1", "1"]
    with pytest.raises(errors.WorkError, match=r"1 of 32 images .*--max_bad_fraction"):
        run_training(data, tmp_path / "strict", "--niter", 1)
    more = run_training(
        data, tmp_path, "--niter", 3, "--max_bad_fraction", 0.05, "--continue_train"
    )
    assert load(more)["progress"]["unreadable"] == [str(bad)]


@pytest.mark.parametrize("workers", [0, 2])
def test_the_image_that_stands_in_is_drawn_alike_by_any_number_of_workers(
    toy: pathlib.Path, tmp_path: pathlib.Path, workers: int
) -> None:
    data = copy_of(toy, tmp_path)
    samples = find_samples(str(data / "train"))
    (data / "train" / samples.relative(7)).write_bytes(b"")
    dataset = TrainImages(samples, [], seed=3)
    order = torch.arange(24).numpy()
    batches = EpochBatches(order, 1, 8, 0, 3, 0, 1)
    seen = [batch for batch in train_reader(dataset, workers, False)(batches)]
    indices = [index for batch in seen for index in batch.indices]
    assert indices[:7] + indices[8:] == [*range(7), *range(8, 24)]
    assert indices[7] != 7
    assert samples.labels[indices[7]] == samples.labels[7] == seen[0].targets[7]
    expected = open_image(samples.path(indices[7])).transpose(2, 0, 1)
    assert (seen[0].images[7].numpy() == expected).all()
    assert [error.path for batch in seen for error in batch.unreadable] == [samples.path(7)]
    alone = TrainImages(samples, [], seed=3)[1, 7]
    assert alone.sample == indices[7]


def test_where_no_image_can_be_read_the_run_ends_with_its_name(tmp_path: pathlib.Path) -> None:
    for split in ("train", "val"):
        for label in ("0_real", "1_fake"):
            (tmp_path / f"d/{split}/c/{label}").mkdir(parents=True)
            (tmp_path / f"d/{split}/c/{label}/x.png").write_bytes(b"junk")
    with pytest.raises(errors.WorkError, match=r"x\.png: cannot be read"):
        flags = ("--batch_size", 2, "--num_threads", 1, "--max_bad_fraction", 1)
        run_training(tmp_path / "d", tmp_path, *flags)


def test_a_worker_killed_by_the_system_is_one_clear_line(
    toy: pathlib.Path, tmp_path: pathlib.Path
) -> None:
    argv = ["train.py", *TOY_OPTIONS, "--dataroot", str(toy), "--name", "run"]
    argv += ["--checkpoints_dir", str(tmp_path), "--num_threads", "1", "--save_latest_freq", "1"]
    command = start(*argv)
    while not (tmp_path / "run" / run_folder.LATEST).exists() and command.process.is_alive():
        time.sleep(0.001)
    killed = False
    while command.process.is_alive() and not killed:
        for child in children(command.process.pid or 0):
            with contextlib.suppress(ProcessLookupError):
                os.kill(child, signal.SIGKILL)
                killed = True
    result = command.result(timeout=60)
    assert result.returncode == 1
    last = result.stderr.splitlines()[-1]
    assert last.startswith("train.py: error: the system killed a process that reads images")
    assert "--num_threads" in last
    assert "Traceback" not in result.stderr


def test_a_loss_that_is_not_finite_names_the_files_and_spares_the_checkpoint(
    toy: pathlib.Path, tmp_path: pathlib.Path, script: Script
) -> None:
    base = [*TOY_OPTIONS, "--dataroot", toy, "--checkpoints_dir", tmp_path, "--name", "run"]
    options = ["--optim", "sgd", "--lr", "1e30", "--niter", 3]
    result = script("train.py", *base, *options)
    assert result.returncode == 1
    last = result.stderr.splitlines()[-1]
    assert last.startswith("train.py: error: the loss is")
    assert f"{toy}/train/" in last
    assert "and 4 more" in last
    assert "--lr" in last
    assert "Traceback" not in result.stderr
    assert not list((tmp_path / "run").glob("*.pth"))


def test_a_damaged_validation_image_is_named_left_out_and_counted(
    toy: pathlib.Path, tmp_path: pathlib.Path, capfd: pytest.CaptureFixture[str]
) -> None:
    data = copy_of(toy, tmp_path)
    bad = sorted((data / "val").rglob("*.png"))[0]
    bad.write_bytes(b"")
    folder = run_training(data, tmp_path, "--niter", 2, "--max_bad_fraction", 0.05)
    told = [line for line in capfd.readouterr().err.splitlines() if "left out of the valid" in line]
    assert len(told) == 1
    assert str(bad) in told[0]
    history = list(csv.DictReader((folder / "history.csv").open()))
    assert [row["unreadable"] for row in history] == ["1", "1"]
    bad.unlink()  # without the file the figures are those of the seven others
    other = run_training(data, tmp_path, "--niter", 2, "--name", "without")
    rows = list(csv.DictReader((other / "history.csv").open()))
    for ours, theirs in zip(history, rows, strict=True):
        assert ours["val_ap"] == theirs["val_ap"]
        assert ours["val_brier"] == theirs["val_brier"]
    bad.write_bytes(b"x")
    with pytest.raises(errors.WorkError, match=r"1 of 32 images .*--max_bad_fraction"):
        run_training(data, tmp_path / "strict", "--niter", 1)


def test_an_image_of_too_many_pixels_is_refused_before_it_is_decoded(
    tmp_path: pathlib.Path,
) -> None:
    path = tmp_path / "a.png"
    write_image(path, 0, (40, 30))
    assert open_image(str(path), 1200).shape == (30, 40, 3)
    with pytest.raises(UnreadableImage, match=r"holds 40x30 pixels, more than 1,199 .*max_pixels"):
        open_image(str(path), 1199)
    samples = Samples(str(tmp_path), np.array([b"a.png"]), np.zeros(1, np.uint8))
    assert isinstance(EvalImages(samples, [[]], max_pixels=1199)[0, 0, 1], UnreadableImage)
    assert isinstance(TrainImages(samples, [], seed=0, max_pixels=1199)[0, 0], UnreadableImage)
    assert not isinstance(EvalImages(samples, [[]], max_pixels=1200)[0, 0, 1], UnreadableImage)


def test_a_worker_killed_amid_a_save_spoils_no_checkpoint(
    toy: pathlib.Path, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    others = set(children(os.getpid()))
    samples = find_samples(str(toy / "train"))
    plan = EpochBatches(np.arange(24), 0, 2, 0, 12, 0, 1)
    batches = train_reader(TrainImages(samples, [], seed=0), 1, False)(plan)
    next(batches)
    (worker,) = set(children(os.getpid())) - others
    save = torch.save

    def slow_save(*arguments: object) -> None:
        os.kill(worker, signal.SIGKILL)
        time.sleep(0.3)
        save(*arguments)

    monkeypatch.setattr(torch, "save", slow_save)
    with pytest.raises(RuntimeError, match=r"DataLoader worker .* is killed by signal"):
        save_checkpoint(str(tmp_path / "c.pth"), {"a": torch.ones(3)})
    assert torch.load(tmp_path / "c.pth", weights_only=True)["a"].tolist() == [1, 1, 1]
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
