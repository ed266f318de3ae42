"""A run that is stopped, by whatever, and continued ends as one that was never stopped."""

from __future__ import annotations

import functools
import os
import pathlib
import pickle
import random
import signal
import threading
import time
from collections.abc import Callable

import pytest
import torch

import train
from tests.commands import CONTEXT, start, start_server
from tests.conftest import TOY_OPTIONS
from tests.toy_runs import assert_same_run, load, run_training
from training import run_folder
from util import errors

Run = Callable[..., pathlib.Path]


@pytest.fixture(scope="module")
def never_stopped(toy: pathlib.Path, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """Train with these options, once for all tests."""
    return functools.cache(lambda *argv: run_training(toy, tmp_path_factory.mktemp("whole"), *argv))


@pytest.mark.parametrize("stop_after", [2, 3, 4], ids=["mid-epoch", "epoch's end", "next epoch"])
@pytest.mark.parametrize(
    "extra", ["", "--schedule onecycle --class_bal --optim sgd --momentum 0.9"]
)
def test_an_interrupted_run_ends_with_the_same_bits(
    toy: pathlib.Path,
    tmp_path: pathlib.Path,
    monkeypatch: pytest.MonkeyPatch,
    never_stopped: Run,
    stop_after: int,
    extra: str,
) -> None:
    options = ("--niter", 2, "--blur_prob", 0.5, *extra.split())
    whole = never_stopped(*options)
    with pytest.MonkeyPatch.context() as patch:
        steps = 0
        original = train.normalize

        def count_and_interrupt(images: torch.Tensor, *stats: object) -> torch.Tensor:
            nonlocal steps
            steps += 1
            if steps == stop_after:
                os.kill(os.getpid(), signal.SIGINT)
            return original(images, *stats)

        patch.setattr(train, "normalize", count_and_interrupt)
        with pytest.raises(errors.Interrupted, match=f"saved after {stop_after} steps"):
            run_training(toy, tmp_path / "parts", *options)
    assert load(tmp_path / "parts/run")["total_steps"] == stop_after
    parts = run_training(toy, tmp_path / "parts", *options, "--continue_train")
    assert_same_run(whole, parts)


def test_a_killed_run_goes_on_with_the_same_bits(toy: pathlib.Path, tmp_path: pathlib.Path) -> None:
    """SIGKILL in the middle of an epoch, in a process of its own, with workers."""
    options = ["--niter", "3", "--num_threads", "1", "--jpg_prob", "0.5"]
    base = [*TOY_OPTIONS, "--dataroot", str(toy), "--name", "run", *options]
    run_training(toy, tmp_path / "whole", *options)
    argv = ["train.py", *base, "--checkpoints_dir", str(tmp_path / "parts")]
    argv += ["--save_latest_freq", "2", "--continue_train"]
    latest = tmp_path / "parts/run" / run_folder.LATEST
    command = start(*argv)
    process = command.process
    while not latest.exists() and process.is_alive():
        time.sleep(0.01)
    process.kill()
    command.result()
    killed_at = load(tmp_path / "parts/run")["total_steps"]
    run_training(toy, tmp_path / "parts", *options, "--continue_train")
    print(f"killed after a checkpoint at step {killed_at}")
    assert_same_run(tmp_path / "whole/run", tmp_path / "parts/run")


def run_quietly(arguments: list[object]) -> None:
    """In a process of its own, to be killed."""
    with open(os.devnull, "w") as nothing:
        os.dup2(nothing.fileno(), 1)
        os.dup2(nothing.fileno(), 2)
    torch.set_num_threads(1)
    run_training(*arguments)


@pytest.mark.parametrize("number", [6, pytest.param(20, marks=pytest.mark.slow)])
def test_kills_change_no_bit_and_no_reader_sees_half_a_checkpoint(
    toy: pathlib.Path, tmp_path: pathlib.Path, number: int
) -> None:
    """A server process that has imported torch forks each run, so that a start takes no seconds."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    options: list[object] = ["--niter", number + 4, "--jpg_prob", 0.5, "--ema", 0.9]
    options += ["--save_latest_freq", 1]
    whole = run_training(toy, tmp_path / "whole", *options)
    start_server()
    folder, unreadable, seen = tmp_path / "parts/run", [], set()
    done = threading.Event()

    def poll() -> None:
        while not done.is_set():
            for which in ("latest", "previous", "best"):
                try:
                    seen.add(load(folder, which)["total_steps"])
                except FileNotFoundError:
                    pass
                except (RuntimeError, EOFError, pickle.UnpicklingError) as error:
                    unreadable.append(error)
            time.sleep(0.05)

    reader = threading.Thread(target=poll)
    reader.start()
    rng = random.Random(0)
    arguments = [toy, tmp_path / "parts", *options, "--continue_train"]
    kills, finished = 0, False
    try:
        while kills < number and not finished:
            process = CONTEXT.Process(target=run_quietly, args=(arguments,))
            process.start()
            before, looks = len(seen), rng.randrange(70)
            # at a random moment, but on a slow machine not before every second one got somewhere,
            # and on a fast one not after all the work is done
            while process.is_alive() and (
                (kills % 2 == 0 and len(seen) == before) or (looks > 0 and len(seen) < before + 2)
            ):
                process.join(0.01)
                looks -= 1
            finished = process.exitcode == 0
            if not finished:
                process.kill()
                process.join()
                kills += 1
        if not finished:
            run_training(*arguments)
    finally:
        done.set()
        reader.join()
    torch.set_num_threads(threads)
    assert kills == number
    assert not unreadable
    assert len(seen) >= 5  # the reader did read
    assert_same_run(whole, folder)
    assert not list(folder.glob("*.tmp"))


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_ctrl_c_and_sigterm_save_and_exit_cleanly(
    toy: pathlib.Path, tmp_path: pathlib.Path, number: int, code: int
) -> None:
    argv = ["train.py", *TOY_OPTIONS, "--dataroot", str(toy), "--name", "run"]
    argv += ["--checkpoints_dir", str(tmp_path), "--num_threads", "2", "--save_latest_freq", "1"]
    command = start(*argv, own_group=True)
    while not (tmp_path / "run" / run_folder.LATEST).exists() and command.process.is_alive():
        time.sleep(0.01)
    # as a terminal and a cluster do: to the workers, too
    os.killpg(command.process.pid or 0, number)
    result = command.result(timeout=60)
    assert result.returncode == code
    assert "--continue_train goes on" in result.stderr.splitlines()[-1]
    assert "Traceback" not in result.stderr


def test_the_checkpoint_before_is_kept_and_stands_in_for_a_damaged_one(
    toy: pathlib.Path, tmp_path: pathlib.Path, capsys: pytest.CaptureFixture[str]
) -> None:
    whole = run_training(toy, tmp_path / "whole", "--niter", 3)
    folder = run_training(toy, tmp_path / "parts", "--niter", 2)
    assert (load(folder, "previous")["total_steps"], load(folder)["total_steps"]) == (3, 6)
    latest = folder / run_folder.LATEST
    latest.write_bytes(latest.read_bytes()[:10_000])
    run_training(toy, tmp_path / "parts", "--niter", 3, "--continue_train")
    assert "going on from the one before" in capsys.readouterr().err
    assert_same_run(whole, folder)
    for path in folder.glob("*.pth"):
        path.write_bytes(b"")
    with pytest.raises(errors.UsageError, match="damaged"):
        run_training(toy, tmp_path / "parts", "--niter", 4, "--continue_train")


def test_a_kill_between_keeping_the_old_and_writing_the_new_leaves_no_link_behind(
    toy: pathlib.Path, tmp_path: pathlib.Path
) -> None:
    folder = run_training(toy, tmp_path, "--max_steps", 1)
    os.link(folder / run_folder.LATEST, folder / run_folder.PREVIOUS)
    run_training(toy, tmp_path, "--max_steps", 2, "--continue_train")
    assert not list(folder.glob("*.tmp"))


def test_what_a_killed_run_left_unfinished_is_removed(
    toy: pathlib.Path, tmp_path: pathlib.Path
) -> None:
    folder = run_training(toy, tmp_path, "--max_steps", 1)
    for name in ("model_epoch_latest.pth", "lock.json"):
        (folder / f"{name}.123.tmp").write_bytes(b"half")
    (folder / "mine.tmp").write_text("not ours")
    run_training(toy, tmp_path, "--max_steps", 2, "--continue_train")
    assert [path.name for path in folder.glob("*.tmp")] == ["mine.tmp"]
