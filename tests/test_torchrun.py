"""The scripts in two processes on a CPU, over gloo; under torchrun where it has a part in it."""

from __future__ import annotations

import csv
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import time

import pytest
import torch
import torchvision

from tests.commands import run_in_two_processes
from tests.conftest import ROOT, TOY_OPTIONS, Script, children, write_image
from tests.plain_protocol import plain_logits
from tests.tolerances import assert_as_exact
from tests.toy_runs import RESNET, assert_same_run, load


def start(*arguments: object) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "torch.distributed.run", "--nproc_per_node", "2"]
    return subprocess.Popen(
        [*command, "--standalone", *map(str, arguments)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=ROOT,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )


def torchrun(*arguments: object) -> subprocess.CompletedProcess[str]:
    process = start(*arguments)
    stdout, stderr = process.communicate(timeout=300)
    return subprocess.CompletedProcess(process.args, process.returncode, stdout, stderr)


@pytest.mark.parametrize("protocol", [["--no_crop"], ["--robustness", "--jpeg_qualities", "60"]])
def test_two_processes_write_the_same_predictions(
    tmp_path: pathlib.Path, script: Script, protocol: list[str]
) -> None:
    torch.manual_seed(0)
    state = torchvision.models.resnet18(num_classes=1).state_dict()
    torch.save({"model": state, "arch": "resnet18", "crop_size": 32}, tmp_path / "w.pth")
    for number in range(13):  # an odd number: nothing is padded to make the shares equal
        label = ("0_real", "1_fake")[number % 2]
        write_image(tmp_path / f"test/progan/{label}/{number}.png", number, (30 + number, 40))
    (tmp_path / "test/progan/0_real/junk.png").write_bytes(b"junk")
    arguments: list[object] = ["--model_path", tmp_path / "w.pth", "--dataroot", tmp_path / "test"]
    arguments += ["--num_threads", 0, "--skip_unreadable", *protocol]
    one = script("eval.py", *arguments, "--results_dir", tmp_path / "one")
    two = run_in_two_processes("eval.py", *arguments, "--results_dir", tmp_path / "two")
    assert one.returncode == 0, one.stderr
    assert two.returncode == 0, two.stderr
    assert two.stdout.count("| test set ") == 1  # one process prints
    files = [tmp_path / f"{n}/w/predictions.csv" for n in ("one", "two")]
    rows = [list(csv.DictReader(file.open())) for file in files]
    assert len(rows[0]) == 13
    assert [row["path"] for row in rows[0]] == [row["path"] for row in rows[1]]
    network = torchvision.models.resnet18(num_classes=1)
    network.load_state_dict(state)
    paths = [tmp_path / "test/progan" / row["path"] for row in rows[0]]
    expected = plain_logits(network, paths, None if "--no_crop" in protocol else 32)
    for its in rows:
        assert_as_exact([float(row["logit"]) for row in its], *expected)
    tables = [list(csv.DictReader((file.parent / "table.csv").open())) for file in files]
    assert [table[0]["num_unreadable"] for table in tables] == ["1", "1"]
    again = script("eval.py", *arguments, "--results_dir", tmp_path / "two")
    assert "nothing was scored anew" in again.stdout  # what two processes kept, one takes


def test_two_processes_train_one_run_and_continue_it(
    toy: pathlib.Path, tmp_path: pathlib.Path
) -> None:
    arguments = ["train.py", *TOY_OPTIONS, "--dataroot", toy, "--checkpoints_dir", tmp_path]
    arguments += [*RESNET, "--name", "run", "--continue_train"]
    first = run_in_two_processes(*arguments, "--niter", 1)
    assert first.returncode == 0, first.stderr
    second = run_in_two_processes(*arguments, "--niter", 2)
    assert second.returncode == 0, second.stderr
    assert second.stdout.count("continues after 3 steps") == 1
    history = list(csv.DictReader((tmp_path / "run/history.csv").open()))
    assert [row["total_steps"] for row in history] == ["3", "6"]
    checkpoint = torch.load(tmp_path / "run/model_epoch_latest.pth", weights_only=True)
    torchvision.models.resnet18(num_classes=1).load_state_dict(checkpoint["model"])


def test_two_processes_killed_or_told_to_end_go_on_with_the_same_bits(
    toy: pathlib.Path, tmp_path: pathlib.Path
) -> None:
    arguments = ["train.py", *TOY_OPTIONS, "--dataroot", toy, "--name", "run", "--niter", 4]
    arguments += ["--save_latest_freq", 1, "--continue_train", "--checkpoints_dir"]
    whole = run_in_two_processes(*arguments, tmp_path / "whole")
    assert whole.returncode == 0, whole.stderr
    folder = tmp_path / "parts/run"
    for number in (signal.SIGKILL, signal.SIGTERM):
        process = start(*arguments, tmp_path / "parts")
        before = steps_done(folder)
        while process.poll() is None and steps_done(folder) == before:
            time.sleep(0.02)
        if number == signal.SIGKILL:
            for pid in (*children(process.pid), process.pid):
                os.kill(pid, signal.SIGKILL)
        else:
            process.terminate()  # torchrun alone, which passes it on
        _, stderr = process.communicate(timeout=60)
        assert process.returncode != 0
    assert "train.py: stopped: saved after" in stderr
    rest = run_in_two_processes(*arguments, tmp_path / "parts")
    assert rest.returncode == 0, rest.stderr
    assert_same_run(tmp_path / "whole/run", folder)


def steps_done(folder: pathlib.Path) -> int:
    try:
        return int(load(folder)["total_steps"])  # type: ignore[call-overload]
    except FileNotFoundError:
        return 0


def test_the_failure_of_one_process_ends_all_with_its_message(
    toy: pathlib.Path, tmp_path: pathlib.Path
) -> None:
    for split in ("train", "val"):
        shutil.copytree(toy / split, tmp_path / "data" / split)
    bad = next((tmp_path / "data/train/cat/0_real").iterdir())
    bad.write_bytes(b"junk")
    arguments = ["train.py", *TOY_OPTIONS, "--dataroot", tmp_path / "data", "--name", "run"]
    result = torchrun(*arguments, "--checkpoints_dir", tmp_path, "--niter", 2)
    assert result.returncode != 0
    assert "train.py: error: 1 of 32 images could not be read" in result.stderr
    assert str(bad) in result.stderr
