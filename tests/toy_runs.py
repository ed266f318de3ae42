"""Training runs on the toy data set, in this process, and how two of them are compared."""

from __future__ import annotations

import csv
import pathlib

import torch

import train
from options.parse import parse
from options.train_options import TrainOptions
from tests.conftest import TOY_OPTIONS

TIMES = ("images_per_second",)
RESNET = ("--arch", "resnet18")  # where a test names its layers; others take a smaller network


def run_training(toy: pathlib.Path, out: pathlib.Path, *argv: object) -> pathlib.Path:
    """Train in this process; return the run's folder."""
    more = [str(value) for value in argv]
    name = [] if "--name" in more else ["--name", "run"]
    train.main(
        parse(
            TrainOptions,
            [*TOY_OPTIONS, "--dataroot", str(toy), "--checkpoints_dir", str(out), *name, *more],
        )
    )
    return out / (more[more.index("--name") + 1] if "--name" in more else "run")


def load(folder: pathlib.Path, which: str = "latest") -> dict[str, object]:
    loaded: dict[str, object] = torch.load(folder / f"model_epoch_{which}.pth", weights_only=True)
    return loaded


def assert_same_run(first: pathlib.Path, second: pathlib.Path) -> None:
    """The same bits in network and optimiser, the same history but for the times."""
    for which in ("latest", "best"):
        one, other = load(first, which), load(second, which)
        for part in ("model", "optimizer", "schedule", "random_state", "total_steps"):
            assert_equal(one[part], other[part])
    histories = [list(csv.DictReader((f / "history.csv").open())) for f in (first, second)]
    for row in (*histories[0], *histories[1]):
        for column in TIMES:
            del row[column]
    assert histories[0] == histories[1]


def assert_equal(one: object, other: object) -> None:
    if isinstance(one, torch.Tensor):
        assert isinstance(other, torch.Tensor)
        assert torch.equal(one, other)
    elif isinstance(one, dict):
        assert isinstance(other, dict)
        assert one.keys() == other.keys()
        for key in one:
            assert_equal(one[key], other[key])
    elif isinstance(one, list):
        assert isinstance(other, list)
        assert len(one) == len(other)
        for a, b in zip(one, other, strict=True):
            assert_equal(a, b)
    else:
        assert one == other
