"""What the loop asks of the device and of other processes, and when."""

from __future__ import annotations

import csv
import math
import os
import pathlib
import signal
from collections.abc import Sequence

import numpy as np
import pytest
import torch

import train
import training.watch
from data.samples import Samples
from tests.toy_runs import load, run_training
from training.state import Progress, TrainingState
from training.watch import Watch
from util import distributed, errors

SAMPLES = Samples("root", np.array([f"{i}.png".encode() for i in range(9)]), np.zeros(9, np.uint8))


def watch(signals: Sequence[int] = (0,)) -> Watch:
    return Watch(SAMPLES, "run", lambda: signals[0])


def test_the_loss_is_the_mean_over_all_processes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of every step, also of those between two looks; the signal of any stops all."""
    gathered = []

    def gather(value: tuple[list[float], int, float]) -> list[object]:
        gathered.append(value)
        losses, _, seconds = value
        return [value, ([loss + 1 for loss in losses], signal.SIGTERM, seconds)]

    monkeypatch.setattr(distributed, "gather", gather)
    own, progress = watch(), Progress(step=3, total_steps=3)
    for loss in (0.25, 0.5, 1.0):
        own.add([torch.tensor(loss / 2), torch.tensor(loss / 2)], [0, 1])
    assert own.look(progress) == (1.5, signal.SIGTERM)
    assert progress.loss_sum == 0.75 + 1.0 + 1.5
    assert [value[0] for value in gathered] == [[0.25, 0.5, 1.0]]


def test_all_processes_agree_on_the_next_look(monkeypatch: pytest.MonkeyPatch) -> None:
    """The slowest one decides, so that a stop is seen within about a second."""
    slow = 0.3
    monkeypatch.setattr(distributed, "gather", lambda value: [value, (value[0], 0, slow)])
    own, looks = watch(), []
    for step in range(1, 11):
        if own.add([torch.tensor(1.0)], [0]):
            own.look(Progress(step=step, total_steps=step))
            looks.append(step)
    assert looks == [1, 4, 7, 10]
    slow = 30.0
    assert own.add([torch.tensor(1.0)], [0]) is False
    own.look(Progress(step=11, total_steps=11))
    assert own.add([torch.tensor(1.0)], [0]) is True  # after each step, where one takes so long


def test_a_loss_that_was_not_looked_at_at_once_is_told_with_its_own_files() -> None:
    own = watch()
    for step, loss in enumerate((1.0, math.nan, math.inf)):
        own.add([torch.tensor(loss)], [3 * step, 3 * step + 1])
    with pytest.raises(errors.WorkError, match=r"the loss is nan after 8 steps, on .*3\.png, .*4"):
        own.look(Progress(step=3, total_steps=10))


def test_the_host_waits_once_a_second_and_not_for_each_step(
    toy: pathlib.Path, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    looks = []
    original = Watch.look

    def look(self: Watch, progress: Progress) -> tuple[float, int]:
        looks.append(progress.total_steps)
        return original(self, progress)

    monkeypatch.setattr(Watch, "look", look)
    monkeypatch.setattr(training.watch, "SECONDS", 1e9)
    options = ("--niter", 2, "--loss_freq", 5, "--batch_size", 2)  # 12 steps an epoch
    rare = run_training(toy, tmp_path, *options)
    assert looks == [1, 5, 10, 12, 15, 20, 24]  # the first, those logged, the epoch's last
    monkeypatch.setattr(training.watch, "SECONDS", 0.0)
    often = run_training(toy, tmp_path, *options, "--name", "often")
    assert looks[7:] == list(range(1, 25))
    losses = [
        [row["loss"] for row in csv.DictReader((f / "history.csv").open())] for f in (rare, often)
    ]
    assert losses[0] == losses[1]


def test_a_stop_between_two_looks_is_seen_at_the_next_one(
    toy: pathlib.Path, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(training.watch, "SECONDS", 1e9)
    steps, original = 0, train.normalize

    def interrupt(images: torch.Tensor, *stats: object) -> torch.Tensor:
        nonlocal steps
        steps += 1
        if steps == 2:
            os.kill(os.getpid(), signal.SIGINT)
        return original(images, *stats)

    monkeypatch.setattr(train, "normalize", interrupt)
    with pytest.raises(errors.Interrupted, match="saved after 5 steps"):
        run_training(toy, tmp_path, "--loss_freq", 5, "--batch_size", 2, "--niter", 1)
    assert load(tmp_path / "run")["progress"]["step"] == 5


@pytest.mark.parametrize("overflows", [True, False])
def test_what_counts_steps_stands_still_where_fp16_leaves_one_out(
    toy: pathlib.Path, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch, overflows: bool
) -> None:
    """A scale so large that gradients overflow, and twice smaller after each step left out."""
    create = torch.amp.GradScaler

    def scaler(device: str, enabled: bool) -> torch.amp.GradScaler:
        return create(device, init_scale=1e37 if overflows else 1.0, enabled=enabled)

    monkeypatch.setattr(torch.amp, "GradScaler", scaler)
    options = ("--precision", "fp16", "--ema", 0.5, "--schedule", "onecycle", "--max_steps", 3)
    checkpoint = load(run_training(toy, tmp_path, *options))
    assert checkpoint["total_steps"] == 3
    taken = 0 if overflows else 3
    assert checkpoint["num_averaged"] == taken
    assert checkpoint["schedule"]["last_epoch"] == taken


def test_gradients_of_parts_are_reduced_once(
    toy: pathlib.Path, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []
    original = distributed.sync_gradients

    def reducing(model: object, is_last: bool) -> object:
        asked.append(is_last)
        return original(model, is_last)

    monkeypatch.setattr(distributed, "sync_gradients", reducing)
    run_training(toy, tmp_path, "--max_steps", 2, "--accumulate", 3)
    assert asked == [False, False, True] * 2


def test_the_generator_of_a_device_is_kept_and_given_back(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The device is a stand-in: a network on "meta", and a module that has its generator."""
    network = torch.nn.Linear(2, 1, device="meta")
    given: list[torch.Tensor] = []

    class Module:
        @staticmethod
        def get_rng_state() -> torch.Tensor:
            return torch.tensor([1, 2, 3], dtype=torch.uint8)

        set_rng_state = given.append

    monkeypatch.setattr(torch, "get_device_module", lambda device: Module)
    optimizer = torch.optim.SGD(network.parameters(), lr=1.0)
    rule = torch.optim.lr_scheduler.ReduceLROnPlateau(optimizer)
    scaler = torch.amp.GradScaler("cpu", enabled=False)
    first = TrainingState(network, optimizer, rule, scaler, None, {})
    checkpoint = first.checkpoint()
    assert checkpoint["device_random_state"].tolist() == [1, 2, 3]
    first.resume(checkpoint, "latest.pth")
    assert [tensor.tolist() for tensor in given] == [[1, 2, 3]]
    network = torch.nn.Linear(2, 1)
    assert TrainingState(network, optimizer, rule, scaler, None, {}).device_random_state() is None
