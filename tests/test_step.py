"""What --accumulate, --ema and --compile do to the training step."""

from __future__ import annotations

import pathlib

import pytest
import torch
from torch import nn

import train
import training.epoch
from tests.toy_runs import assert_same_run, load, run_training


@pytest.fixture
def plain_network(monkeypatch: pytest.MonkeyPatch) -> None:
    """A network without batch norm, whose gradients do not depend on how a batch is split."""

    def create(arch: str, init: str) -> nn.Module:
        torch.manual_seed(1)
        layers = [nn.Conv2d(3, 4, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(2), nn.Flatten()]
        return nn.Sequential(*layers, nn.Linear(16, 1))

    monkeypatch.setattr(train, "create_network", create)


@pytest.mark.parametrize("parts", [2, 3, 8])
def test_parts_of_a_batch_add_up_to_the_same_step(
    toy: pathlib.Path, tmp_path: pathlib.Path, plain_network: None, parts: int
) -> None:
    options = ("--niter", 2, "--optim", "sgd", "--lr", 0.1)
    whole = load(run_training(toy, tmp_path, "--name", "whole", *options))
    split = load(run_training(toy, tmp_path, "--name", "split", *options, "--accumulate", parts))
    start = create_again()
    for key, value in whole["model"].items():  # type: ignore[attr-defined]
        torch.testing.assert_close(split["model"][key], value, rtol=0, atol=1e-6)
        assert (value - start[key]).abs().max() > 1e-4  # it did train
    losses = [load_["progress"]["history"][0]["loss"] for load_ in (whole, split)]
    assert losses[0] == pytest.approx(losses[1], abs=1e-6)


def create_again() -> dict[str, torch.Tensor]:
    state: dict[str, torch.Tensor] = train.create_network("", "").state_dict()
    return state


def test_the_moving_average_is_that_of_a_plain_loop(
    toy: pathlib.Path, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    states: list[dict[str, torch.Tensor]] = []
    original = training.epoch.save

    def spied(state: object, folder: str, name: str) -> None:
        if name.endswith("latest.pth"):
            states.append({k: v.clone() for k, v in state.network.state_dict().items()})  # type: ignore[attr-defined]
        original(state, folder, name)

    monkeypatch.setattr(train, "save", spied)
    options = ("--max_steps", 2, "--save_latest_freq", 1, "--lr", 0.01, "--ema", 0.75)
    final = load(run_training(toy, tmp_path, *options))
    assert len(states) == 2
    for key, first in states[0].items():
        if first.is_floating_point():  # the first step starts the average
            expected = 0.75 * first + 0.25 * states[1][key]
            torch.testing.assert_close(final["model"][key], expected, rtol=1e-5, atol=1e-6)
            assert torch.equal(final["trained"][key], states[1][key])
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
    run_training(toy, tmp_path / "new", "--dry_run", "--preset", "blur_jpg_0.1", "--jpg_prob", 0.3)
    out = capsys.readouterr().out
    assert '"blur_prob": 0.1' in out
    assert '"jpg_prob": 0.3' in out
    assert "12 real and 12 fake images" in out
    assert "3 steps an epoch" in out
    assert not (tmp_path / "new").exists()
