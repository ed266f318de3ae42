"""What is fixed, what learns at which rate, and how few images are chosen."""

from __future__ import annotations

import pathlib

import numpy as np
import pytest
import torch

from data.order import find_pairs
from data.samples import at_most, find_samples
from networks.create import NETWORKS, create_network
from networks.freeze import frozen_part
from options.parse import parse
from options.train_options import TrainOptions
from tests.conftest import write_image
from tests.toy_runs import load, run_training
from training.build import parameter_groups
from util.errors import InputError


@pytest.mark.parametrize(
    ("freeze", "moves"),
    [
        ("none", ("conv1", "bn1", "layer1", "layer2", "layer3", "layer4", "fc")),
        ("stages:1", ("layer2", "layer3", "layer4", "fc")),
        ("stages:4", ("fc",)),
        ("backbone", ("fc",)),
    ],
)
def test_frozen_parts_do_not_move_by_a_bit_and_all_others_do(
    toy: pathlib.Path, tmp_path: pathlib.Path, freeze: str, moves: tuple[str, ...]
) -> None:
    """Two epochs, so that validation in between has put the network into evaluation mode; batch
    norm's running statistics count, too.
    """
    start = load(run_training(toy, tmp_path, "--max_steps", 1, "--lr", 1e-3))["model"]
    init = str(tmp_path / "run/model_epoch_latest.pth")
    options = ("--name", "fine", "--init", init, "--freeze", freeze, "--niter", 2, "--lr", 1e-3)
    end = load(run_training(toy, tmp_path, *options))["model"]
    for key, value in start.items():  # type: ignore[attr-defined]
        if value.is_floating_point():
            moved = not torch.equal(value, end[key])
            assert moved == key.startswith(moves), key


@pytest.mark.parametrize("arch", ["resnet18", "vgg16", "mobilenet_v3_small", "swin_t"])
def test_the_backbone_is_all_but_the_last_layer(arch: str) -> None:
    network = create_network(arch)
    fixed = {id(p) for m in frozen_part(network, arch, "backbone") for p in m.parameters()}
    head = {id(p) for p in network.get_submodule(NETWORKS[arch].head).parameters()}
    assert fixed == {id(p) for p in network.parameters()} - head
    assert frozen_part(network, arch, "none") == []
    first = {id(p) for m in frozen_part(network, arch, "stages:1") for p in m.parameters()}
    assert set() < first < fixed or arch == "vgg16"
    with pytest.raises(InputError, match=rf"stages:99: {arch} has \d+ stages"):
        frozen_part(network, arch, "stages:99")


def test_the_last_layer_learns_at_its_own_rate(toy: pathlib.Path, tmp_path: pathlib.Path) -> None:
    network = create_network("resnet18")
    options = parse(TrainOptions, "--arch resnet18 --lr 0.01 --head_lr 0.2".split())  # noqa: SIM905
    rest, head = parameter_groups(network, options)
    assert head["lr"] == 0.2
    assert [p.shape for p in head["params"]] == [(1, 512), (1,)]
    assert len(rest["params"]) + 2 == len(list(network.parameters()))
    flags = ("--optim", "sgd", "--schedule", "onecycle", "--niter", 4, "--lr", 0.01)
    checkpoint = load(run_training(toy, tmp_path, *flags, "--head_lr", 0.2))
    groups = checkpoint["optimizer"]["param_groups"]
    assert [group["max_lr"] for group in groups] == [0.01, 0.2]
    plateau = load(run_training(toy, tmp_path, "--name", "p", "--head_lr", 0.2, "--niter", 1))
    rates = [group["lr"] for group in plateau["optimizer"]["param_groups"]]
    assert rates == [1e-4, 0.2]


def test_few_images_are_chosen_by_class_and_label_in_pairs(tmp_path: pathlib.Path) -> None:
    for folder in ("cat", "dog"):
        for number in range(12):
            for label in ("0_real", "1_fake"):
                write_image(tmp_path / folder / label / f"{number}.png", number, (8, 8))
    samples = find_samples(str(tmp_path))
    few = at_most(samples, 5, seed=0)
    assert len(few.labels) == 2 * 2 * 5
    assert few.labels.sum() == 10
    assert sum(b"cat/" in path for path in few.paths) == 10
    assert len(find_pairs(few)) == 10  # raises where a partner is missing
    assert few.paths.tolist() == sorted(few.paths.tolist())
    np.testing.assert_array_equal(few.paths, at_most(samples, 5, seed=0).paths)
    assert at_most(samples, 5, seed=1).paths.tolist() != few.paths.tolist()
    fewer = at_most(samples, 2, seed=0)
    assert set(fewer.paths.tolist()) < set(few.paths.tolist())  # studies of 2 and 5 are nested
    assert len(at_most(samples, 99, seed=0).labels) == 48
