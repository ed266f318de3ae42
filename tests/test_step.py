"""What --accumulate, --ema and --compile do to the training step."""

from __future__ import annotations

import pathlib
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

import train
import training.epoch
from networks.normalize import normalize
from tests.tolerances import assert_as_exact, near
from tests.toy_runs import RESNET, assert_same_run, load, run_training


def plain_network() -> nn.Module:
    """A network without batch norm, whose gradients do not depend on how a batch is split."""
    torch.manual_seed(1)
    layers = [nn.Conv2d(3, 4, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(2), nn.Flatten()]
    return nn.Sequential(*layers, nn.Linear(16, 1))


def in_double(images: torch.Tensor, *stats: tuple[float, float, float]) -> torch.Tensor:
    return normalize(images, *stats).double()


@pytest.mark.parametrize("parts", [2, 3, 8])
def test_parts_of_a_batch_add_up_to_the_same_step(
    toy: pathlib.Path, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch, parts: int
) -> None:
    monkeypatch.setattr(train, "create_network", lambda *_: plain_network())
    monkeypatch.setattr(train, "check_fit", lambda *_, **__: None)  # of resnet18
    options = ("--niter", 2, "--optim", "sgd", "--lr", 0.1)
    whole = load(run_training(toy, tmp_path, "--name", "whole", *options))
    split = load(run_training(toy, tmp_path, "--name", "split", *options, "--accumulate", parts))
    monkeypatch.setattr(train, "normalize", in_double)
    monkeypatch.setattr("networks.detector.normalize", in_double)
    monkeypatch.setattr(train, "create_network", lambda *_: plain_network().double())
    exact = load(run_training(toy, tmp_path, "--name", "exact", *options))
    runs = [split, whole, exact]
    assert_as_exact(*(all_values(run["model"]) for run in runs))
    start = plain_network().state_dict()
    for key, value in whole["model"].items():  # type: ignore[attr-defined]
        assert (value - start[key]).abs().max() > 1e-4  # it did train
    losses = [run["progress"]["history"][0]["loss"] for run in runs]
    eps = float(np.finfo(np.float32).eps)
    assert losses[:2] == near([losses[2]] * 2, 16 * eps * losses[2], "the loss is in float32")


def all_values(state: Any, start: str = "") -> torch.Tensor:  # noqa: ANN401
    chosen = [value.ravel() for key, value in state.items() if key.startswith(start)]
    return torch.cat([value for value in chosen if value.is_floating_point()])


def test_the_moving_average_is_that_of_a_plain_loop(
    toy: pathlib.Path, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    states: list[dict[str, torch.Tensor]] = []
    original = training.epoch.save

    def spied(state: object, folder: str, name: str) -> None:
        if name.endswith("latest.pth"):
            states.append({k: v.clone() for k, v in state.network.state_dict().items()})  # type: ignore[attr-defined]
        original(state, folder, name)

    monkeypatch.setattr("training.step_log.save", spied)
    options = ("--max_steps", 2, "--save_latest_freq", 1, "--lr", 0.01, "--ema", 0.75)
    final = load(run_training(toy, tmp_path, *RESNET, *options))
    assert len(states) == 2
    for layer in {key.rpartition(".")[0] for key in states[0]}:  # the first step starts it
        first, second, average, trained = (
            all_values(state, f"{layer}.") for state in (*states, final["model"], final["trained"])
        )
        exact = 0.75 * first.double() + 0.25 * second.double()
        assert_as_exact(average, 0.75 * first + 0.25 * second, exact)
        assert torch.equal(trained, second)
    assert not torch.equal(final["model"]["fc.weight"], final["trained"]["fc.weight"])


def test_a_run_with_parts_and_an_average_resumes_to_the_bit(
    toy: pathlib.Path, tmp_path: pathlib.Path
) -> None:
    options = ("--ema", 0.9, "--accumulate", 2)
    whole = run_training(toy, tmp_path / "whole", *options, "--niter", 3)
    run_training(toy, tmp_path / "parts", *options, "--niter", 1)
    parts = run_training(toy, tmp_path / "parts", *options, "--niter", 3, "--continue_train")
    assert_same_run(whole, parts)


def test_dry_run_tells_and_touches_nothing(
    toy: pathlib.Path, tmp_path: pathlib.Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run_training(
        toy, tmp_path / "new", "--dry_run", "--preset", "blur_jpg_prob0.1", "--jpg_prob", 0.3
    )
    out = capsys.readouterr().out
    assert '"blur_prob": 0.1' in out
    assert '"jpg_prob": 0.3' in out
    assert "12 real and 12 fake images" in out
    assert "3 steps an epoch" in out
    assert not (tmp_path / "new").exists()
