"""What a run asks before it goes on: the same data, processes and options, its own folder."""

from __future__ import annotations

import json
import os
import pathlib
import platform
import shutil
import subprocess
import sys

import pytest
import torch

import train
from tests.toy_runs import assert_same_run, load, run_training
from training import run_folder
from util import errors, run_lock

ON = ("--niter", 2, "--continue_train")


@pytest.fixture(scope="module")
def one_epoch(toy: pathlib.Path, tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    return run_training(toy, tmp_path_factory.mktemp("one"), "--niter", 1)


@pytest.fixture(scope="module")
def two_epochs(toy: pathlib.Path, tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    return run_training(toy, tmp_path_factory.mktemp("two"), "--niter", 2)


@pytest.fixture
def folder(one_epoch: pathlib.Path, tmp_path: pathlib.Path) -> pathlib.Path:
    """A copy of a run of one epoch, to be continued."""
    return shutil.copytree(one_epoch, tmp_path / "run")


def without_a_class(toy: pathlib.Path, tmp_path: pathlib.Path, split: str) -> pathlib.Path:
    shutil.copytree(toy, tmp_path / "less", ignore=shutil.ignore_patterns("test"))
    shutil.rmtree(tmp_path / "less" / split / "dog")
    return tmp_path / "less"


@pytest.mark.parametrize("split", ["train", "val"])
def test_other_images_are_refused_unless_allowed(
    toy: pathlib.Path,
    folder: pathlib.Path,
    capsys: pytest.CaptureFixture[str],
    split: str,
) -> None:
    data = without_a_class(toy, folder.parent, split)
    images = 12 if split == "train" else 4
    message = rf"{split} \w+ of {images} real and {images} fake images, now \w+ of {images // 2}"
    with pytest.raises(errors.UsageError, match=message) as told:
        run_training(data, folder.parent, *ON)
    assert "--allow_changes data" in str(told.value)
    assert "\n" not in str(told.value)
    for epochs in (2, 3):  # what is allowed once is what the run is made from
        allow = ("--allow_changes", "data") if epochs == 2 else ()
        run_training(data, folder.parent, "--niter", epochs, "--continue_train", *allow)
    assert f"goes on with other data: {split}" in capsys.readouterr().err
    assert load(folder)["made_from"]["data"][split].endswith(f"{images // 2} fake images")


def test_another_number_of_processes_is_refused_unless_allowed(
    toy: pathlib.Path, folder: pathlib.Path
) -> None:
    path = folder / run_folder.LATEST
    checkpoint = load(folder)
    checkpoint["made_from"]["processes"]["processes"] = 2
    torch.save(checkpoint, path)
    with pytest.raises(errors.UsageError, match=r"processes 2, now 1; .*--allow_changes processes"):
        run_training(toy, folder.parent, *ON)
    run_training(toy, folder.parent, *ON, "--allow_changes", "processes")
    assert load(folder)["total_steps"] == 6


def test_another_machine_is_told(
    toy: pathlib.Path, folder: pathlib.Path, capsys: pytest.CaptureFixture[str]
) -> None:
    checkpoint = load(folder)
    checkpoint["made_from"]["machine"]["torch"] = earlier = "1.0"
    torch.save(checkpoint, folder / run_folder.LATEST)
    run_training(toy, folder.parent, *ON)
    assert f"not to the same bits: torch {earlier}, now" in capsys.readouterr().err


@pytest.mark.parametrize("name", ["options.json", "run.json"])
@pytest.mark.parametrize("text", [None, "{"])
def test_a_lost_or_damaged_note_costs_nothing(
    toy: pathlib.Path,
    folder: pathlib.Path,
    two_epochs: pathlib.Path,
    capsys: pytest.CaptureFixture[str],
    name: str,
    text: str | None,
) -> None:
    (folder / name).unlink() if text is None else (folder / name).write_text(text)
    with pytest.raises(errors.UsageError, match=r"--lr was 0\.0001, is 0\.1"):  # all the same
        run_training(toy, folder.parent, *ON, "--lr", 0.1)
    run_training(toy, folder.parent, *ON)
    assert ("run.json: lost" in capsys.readouterr().err) == (name == "run.json")
    assert_same_run(two_epochs, folder)
    assert json.loads((folder / "options.json").read_text())["niter"] == 2


def test_a_checkpoint_of_an_earlier_version_is_continued(
    toy: pathlib.Path,
    folder: pathlib.Path,
    two_epochs: pathlib.Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    checkpoint = load(folder)
    del checkpoint["made_from"], checkpoint["device_random_state"]
    del checkpoint["progress"]["part"]  # type: ignore[attr-defined]
    torch.save(checkpoint, folder / run_folder.LATEST)
    with pytest.raises(errors.UsageError, match=r"--lr was 0\.0001, is 0\.1"):
        run_training(toy, folder.parent, *ON, "--lr", 0.1)
    (folder / "options.json").unlink()
    run_training(toy, folder.parent, *ON)
    assert "options.json: lost" in capsys.readouterr().err
    assert_same_run(two_epochs, folder)


@pytest.mark.parametrize("lost", [("latest",), ("latest", "previous")])
def test_where_the_latest_is_lost_another_checkpoint_stands_in(
    toy: pathlib.Path,
    two_epochs: pathlib.Path,
    tmp_path: pathlib.Path,
    capsys: pytest.CaptureFixture[str],
    lost: tuple[str, ...],
) -> None:
    folder = shutil.copytree(two_epochs, tmp_path / "run")
    for which in lost:
        (folder / f"model_epoch_{which}.pth").unlink()
    run_training(toy, tmp_path, *ON)
    told = capsys.readouterr().err
    assert "latest.pth: no such weights file; going on from" in told
    assert ("the one before it" in told) == (len(lost) == 1)
    assert_same_run(two_epochs, folder)


@pytest.mark.parametrize("kind", ["published weights", "another network", "half a checkpoint"])
def test_a_foreign_checkpoint_as_the_latest_is_one_line(
    toy: pathlib.Path, folder: pathlib.Path, kind: str
) -> None:
    checkpoint = load(folder)
    if kind == "published weights":
        checkpoint = {"model": checkpoint["model"], "total_steps": 3}
    elif kind == "another network":
        checkpoint["model"] = {"fc.weight": torch.ones(1)}
    else:
        del checkpoint["progress"]
    torch.save(checkpoint, folder / run_folder.LATEST)
    with pytest.raises(errors.UsageError, match=r"latest\.pth: is no checkpoint that") as told:
        run_training(toy, folder.parent, *ON)
    assert "\n" not in str(told.value)
    assert "--init" in str(told.value)


def locked_by(folder: pathlib.Path, **changes: object) -> pathlib.Path:
    run_lock.acquire(str(folder))
    path = folder / run_lock.NAME
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))
    return path


def test_a_folder_is_one_process_at_a_time(toy: pathlib.Path, folder: pathlib.Path) -> None:
    process = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    started = run_lock._started(process.pid)
    path = locked_by(folder, process=process.pid, started=started)
    for flags in (ON, ("--overwrite",)):
        with pytest.raises(errors.UsageError, match=rf"lock\.json: process {process.pid} is at"):
            run_training(toy, folder.parent, *flags)
    assert load(folder)["total_steps"] == 3
    process.kill()  # now a zombie, until it is asked for
    run_training(toy, folder.parent, *ON)
    assert load(folder)["total_steps"] == 6
    assert not path.exists()
    process.communicate()


def test_the_lock_of_a_dead_process_is_taken_over_with_a_word(
    folder: pathlib.Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Dead, or of another process that has got the number since."""
    for changes in ({"process": 2**22 + 1}, {"process": os.getppid(), "started": "earlier"}):
        path = locked_by(folder, **changes)
        run_lock.acquire(str(folder))
        assert "is dead; taking over" in capsys.readouterr().err
        run_lock.release(str(folder))
        assert not path.exists()


def test_the_lock_of_another_machine_is_refused_and_named(
    toy: pathlib.Path, folder: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = locked_by(folder, host="elsewhere", job="7")
    with pytest.raises(errors.UsageError, match=rf"{path}: a process on elsewhere may be at work"):
        run_training(toy, folder.parent, *ON)
    assert path.exists()  # another's lock is not ours to remove
    monkeypatch.setenv("SLURM_JOB_ID", "7")  # the same job, requeued on this machine
    run_lock.acquire(str(folder))
    assert json.loads(path.read_text())["host"] == platform.node()
    run_lock.release(str(folder))
    path.write_text("")
    with pytest.raises(errors.UsageError, match="an unknown machine"):
        run_lock.acquire(str(folder))


def test_nobody_holds_a_run_that_has_ended_or_failed(
    toy: pathlib.Path, folder: pathlib.Path
) -> None:
    with pytest.raises(errors.UsageError, match="--lr was"):
        run_training(toy, folder.parent, *ON, "--lr", 0.1)
    run_training(toy, folder.parent, *ON)
    assert not list(folder.glob("lock*"))


def test_the_weights_to_start_from_are_not_overwritten(
    toy: pathlib.Path, folder: pathlib.Path
) -> None:
    best = folder / run_folder.BEST
    before = best.read_bytes()
    with pytest.raises(errors.UsageError, match=r"--init .*best\.pth is a file of the run"):
        run_training(toy, folder.parent, "--niter", 1, "--overwrite", "--init", best)
    assert best.read_bytes() == before


def test_weights_are_compared_with_those_that_training_began_with(
    toy: pathlib.Path, one_epoch: pathlib.Path, tmp_path: pathlib.Path
) -> None:
    init = shutil.copy(one_epoch / run_folder.BEST, tmp_path / "init.pth")
    roots = ("--testroots", toy / "test", "--init")
    folder = run_training(toy, tmp_path, "--niter", 1, *roots, init)
    with pytest.raises(errors.UsageError, match="holds other weights than those"):
        run_training(toy, tmp_path, *ON, *roots, folder / run_folder.BEST)
    assert load(folder)["total_steps"] == 3


def test_weights_that_change_while_training_are_compared_with_nothing(
    toy: pathlib.Path,
    one_epoch: pathlib.Path,
    tmp_path: pathlib.Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    init = pathlib.Path(shutil.copy(one_epoch / run_folder.BEST, tmp_path / "init.pth"))
    finish = train.finish_epoch

    def change(*arguments: object, **known: object) -> None:
        finish(*arguments, **known)
        shutil.copy(tmp_path / "run" / run_folder.BEST, init)

    monkeypatch.setattr(train, "finish_epoch", change)
    with pytest.raises(errors.WorkError, match=r"init\.pth: has changed since training began"):
        run_training(toy, tmp_path, "--niter", 1, "--testroots", toy / "test", "--init", init)
    assert not (tmp_path / "run/before_after/comparison.csv").exists()
