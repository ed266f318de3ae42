"""What two processes train, against what one does with the same parts of each batch."""

from __future__ import annotations

import csv
import pathlib

import pytest
import torch

from networks.create import create_network
from tests.conftest import TOY_OPTIONS
from tests.test_torchrun import torchrun
from tests.tolerances import near
from tests.toy_runs import RESNET, load, run_training
from util import errors


def test_two_processes_train_as_one_that_takes_their_shares_in_turn(
    toy: pathlib.Path, tmp_path: pathlib.Path
) -> None:
    """Two shares of two parts each are the four parts of the whole batch: the same gradients and,
    in the history, the same loss, as it is the mean over both processes.
    """
    options = (*RESNET, "--niter", 1, "--optim", "sgd", "--lr", 1e-3, "--name", "run")
    base = ("train.py", *TOY_OPTIONS, "--dataroot", toy, "--checkpoints_dir", tmp_path)
    result = torchrun(*base, *options, "--accumulate", 2)
    assert result.returncode == 0, result.stderr
    two, one = tmp_path / "run", run_training(toy, tmp_path / "one", *options, "--accumulate", 4)
    losses = [next(csv.DictReader((run / "history.csv").open()))["loss"] for run in (two, one)]
    assert float(losses[0]) == near(
        float(losses[1]), 1e-3, "sums in another order, which three steps carry on"
    )
    torch.manual_seed(0)
    start = create_network("resnet18")
    names = [name for name, _ in start.named_parameters()]
    begun, ended, other = (
        torch.cat([state[name].flatten() for name in names])
        for state in (start.state_dict(), load(one)["model"], load(two)["model"])
    )
    assert (other - ended).norm() < 0.02 * (ended - begun).norm()  # to rounding, that is
    assert not list(two.glob("lock*"))
    with pytest.raises(errors.UsageError, match="processes 2, now 1"):
        flags = ("--niter", 2, "--accumulate", 2, "--continue_train")
        run_training(toy, tmp_path, *options, *flags)
