"""No checkpoint holds weights that are spoiled."""

from __future__ import annotations

import math
import pathlib

import pytest
import torch
import torchvision

import train
from networks.normalize import normalize
from tests.toy_runs import RESNET, load, run_training
from util import checkpoint, errors

HUGE = ("--optim", "sgd", "--lr", 1e30, "--niter", 3, "--save_latest_freq", 1)


def test_weights_that_the_step_has_spoiled_are_not_saved(
    toy: pathlib.Path, tmp_path: pathlib.Path
) -> None:
    """At such a rate the first step leaves weights that are finite, but too large to use."""
    with pytest.raises(errors.WorkError, match="not finite; none was saved") as told:
        run_training(toy, tmp_path, *HUGE)
    assert "\n" not in str(told.value)
    assert not list((tmp_path / "run").glob("*.pth"))


def test_the_last_good_checkpoint_is_named_and_left_as_it_was(
    toy: pathlib.Path, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = run_training(toy, tmp_path, *RESNET, "--niter", 1)
    before = {path.name: path.read_bytes() for path in folder.glob("*.pth")}
    steps = 0
    original = train.normalize

    def spoil(images: torch.Tensor, *stats: object) -> torch.Tensor:
        nonlocal steps
        steps += 1
        return original(images, *stats) * (1e38 if steps == 2 else 1)

    monkeypatch.setattr(train, "normalize", spoil)
    with pytest.raises(errors.WorkError, match=r"last good checkpoint is .*latest\.pth"):
        more = ("--niter", 2, "--save_latest_freq", 9, "--continue_train")
        run_training(toy, tmp_path, *RESNET, *more)
    assert {path.name: path.read_bytes() for path in folder.glob("*.pth")} == before
    images = normalize(torch.zeros(2, 3, 32, 32, dtype=torch.uint8))
    network = torchvision.models.resnet18(num_classes=1).eval()
    network.load_state_dict(load(folder)["model"])
    assert torch.isfinite(network(images)).all()


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
def test_every_tensor_of_a_checkpoint_is_looked_at(bad: float) -> None:
    state = {
        "model": {"a": torch.ones(3, 2), "n": torch.tensor(3), "none": torch.empty(0)},
        "optimizer": {"state": {7: {"exp_avg": torch.full((4,), 3e38), "step": torch.tensor(1.0)}}},
        "average": [torch.ones(2, dtype=torch.bfloat16), None, "text"],
        "best": -math.inf,
    }
    assert checkpoint.not_finite(state) == ""
    for tensor, place in (
        (state["model"]["a"], "model.a"),
        (state["optimizer"]["state"][7]["exp_avg"], "optimizer.state.7.exp_avg"),
        (state["average"][0], "average.0"),
    ):
        kept = tensor.clone()
        tensor.view(-1)[1] = bad
        assert checkpoint.not_finite(state) == place
        tensor.copy_(kept)


@pytest.mark.parametrize("part", ["buffer", "optimizer"])
def test_a_state_that_is_not_finite_is_never_written(
    toy: pathlib.Path, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch, part: str
) -> None:
    original = train.finish_epoch

    def spoil(state: object, *rest: object, **known: object) -> None:
        if part == "buffer":
            state.network.get_buffer("bn1.running_var")[0] = math.nan  # type: ignore[attr-defined]
        else:
            next(iter(state.optimizer.state.values()))["exp_avg"][0] = math.inf  # type: ignore[attr-defined]
        original(state, *rest, **known)

    monkeypatch.setattr(train, "finish_epoch", spoil)
    with pytest.raises(errors.WorkError, match=r"best\.pth is not written: after 3 steps .* holds"):
        run_training(toy, tmp_path, *RESNET, "--niter", 1)
    assert not list((tmp_path / "run").glob("*.pth"))
