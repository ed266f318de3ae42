"""What is fixed, what learns at which rate, and how few images are chosen."""

from __future__ import annotations

import pathlib

import numpy as np
import pytest
import torch
from torch import nn
from torchvision.ops import StochasticDepth

from data.dataset import TrainItem
from data.order import find_pairs
from data.samples import find_samples, subsample
from networks.architectures import ARCHITECTURES, architecture
from networks.create import build, create_network
from networks.freeze import freeze, frozen_part
from options.parse import parse
from options.train_options import TrainOptions
from tests.conftest import TOY_OPTIONS, write_image
from tests.toy_runs import RESNET, load, run_training
from training.setup import build_datasets, parameter_groups, with_input_size
from util.errors import UsageError


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
    start = load(run_training(toy, tmp_path, *RESNET, "--max_steps", 1, "--lr", 1e-3))["model"]
    init = str(tmp_path / "run/model_epoch_latest.pth")
    options = ("--name", "fine", "--init", init, "--freeze", freeze, "--niter", 2, "--lr", 1e-3)
    end = load(run_training(toy, tmp_path, *RESNET, *options))["model"]
    for key, value in start.items():  # type: ignore[attr-defined]
        if value.is_floating_point():
            moved = not torch.equal(value, end[key])
            assert moved == key.startswith(moves), key


@pytest.mark.parametrize("arch", ["resnet18", "vgg16", "mobilenet_v3_small", "swin_t"])
def test_the_backbone_is_all_but_the_last_layer(arch: str) -> None:
    network = create_network(arch)
    fixed = {id(p) for m in frozen_part(network, arch, "backbone") for p in m.parameters()}
    head = {id(p) for p in network.get_submodule(ARCHITECTURES[arch].head).parameters()}
    assert fixed == {id(p) for p in network.parameters()} - head
    assert frozen_part(network, arch, "none") == []
    first = {id(p) for m in frozen_part(network, arch, "stages:1") for p in m.parameters()}
    assert set() < first < fixed or arch == "vgg16"
    with pytest.raises(UsageError, match=rf"stages:99: {arch} has \d+ stages"):
        frozen_part(network, arch, "stages:99")


NORMS = (nn.BatchNorm2d, nn.LayerNorm, nn.GroupNorm)
TIMMS = (
    *("timm:vit_tiny_patch16_224", "timm:convnext_atto", "timm:resnet10t", "timm:resnetv2_50"),
    *("timm:resnet26t", "timm:mambaout_femto"),
)


@pytest.mark.parametrize(
    "arch", ["resnet18", "mobilenet_v3_small", "convnext_tiny", "swin_t", *TIMMS]
)
def test_norms_learn_with_the_last_layer_where_all_else_is_frozen(arch: str) -> None:
    if arch.startswith("timm:"):
        pytest.importorskip("timm")
    with torch.device("meta"):
        network = build(arch).train()
    head = network.get_submodule(architecture(arch).head)
    wanted = {id(p) for m in network.modules() if isinstance(m, NORMS) for p in m.parameters()}
    wanted |= {id(p) for p in head.parameters()}
    freeze(frozen_part(network, arch, "all_but_norm"))
    assert {id(p) for p in network.parameters() if p.requires_grad} == wanted
    assert set() < wanted < {id(p) for p in network.parameters()}
    for module in network.modules():
        if isinstance(module, NORMS):
            assert module.training  # batch norm's statistics
        elif list(module.parameters(recurse=False)) and module is not head:
            assert not any(p.requires_grad for p in module.parameters(recurse=False))
        if isinstance(module, nn.Dropout | StochasticDepth):
            assert not module.training


def test_norms_of_other_classes_learn_too_and_none_is_an_error() -> None:
    timm_layers = pytest.importorskip("timm.layers")
    network = nn.ModuleDict({"fc": nn.Linear(4, 1), "x": nn.Conv2d(3, 4, 1)})
    network["a"] = nn.Sequential(timm_layers.RmsNorm(4), timm_layers.BatchNormAct2d(4))
    network["b"] = nn.Sequential(nn.BatchNorm2d(4, affine=False), nn.RMSNorm(4), nn.Linear(4, 4))
    freeze(frozen_part(network.train(), "resnet18", "all_but_norm"))
    learn = {name for name, p in network.named_parameters() if p.requires_grad}
    assert {name for name, _ in network.named_parameters()} - learn == {
        *("x.weight", "x.bias", "b.2.weight", "b.2.bias"),
    }
    assert network["b"][0].training  # has statistics alone
    with torch.device("meta"), pytest.raises(UsageError, match="vgg16 has no normalisation layer"):
        frozen_part(build("vgg16"), "vgg16", "all_but_norm")


def test_norms_and_head_alone_move_in_training(toy: pathlib.Path, tmp_path: pathlib.Path) -> None:
    start = load(run_training(toy, tmp_path, "--max_steps", 1))["model"]
    init = str(tmp_path / "run/model_epoch_latest.pth")
    options = ("--name", "fine", "--init", init, "--freeze", "all_but_norm", "--lr", 1e-2)
    end = load(run_training(toy, tmp_path, *options, "--niter", 2))["model"]
    assert isinstance(start, dict)
    norms = {key.rpartition(".")[0] for key in start if key.endswith("running_mean")}
    for key, value in start.items():
        moves = key.rpartition(".")[0] in {*norms, "classifier.3"}
        assert torch.equal(value, end[key]) != moves, key


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
    few = subsample(samples, 5, seed=0)
    assert len(few.labels) == 2 * 2 * 5
    assert few.labels.sum() == 10
    assert sum(b"cat/" in path for path in few.paths) == 10
    assert len(find_pairs(few)) == 10  # raises where a partner is missing
    assert few.paths.tolist() == sorted(few.paths.tolist())
    np.testing.assert_array_equal(few.paths, subsample(samples, 5, seed=0).paths)
    assert subsample(samples, 5, seed=1).paths.tolist() != few.paths.tolist()
    fewer = subsample(samples, 2, seed=0)
    assert set(fewer.paths.tolist()) < set(few.paths.tolist())  # studies of 2 and 5 are nested
    assert len(subsample(samples, 99, seed=0).labels) == 48


def test_old_images_are_replayed_in_every_batch(
    toy: pathlib.Path, tmp_path: pathlib.Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for number in range(3):
        for label in ("0_real", "1_fake"):
            write_image(tmp_path / "new/train" / label / f"{number}.png", number, (32, 32))
            write_image(tmp_path / "new/val" / label / f"{number}.png", 10 + number, (32, 32))
    flags = ["--name", "fine", "--replay_root", str(toy), "--replay_fraction", "0.75"]
    data = [*flags, "--dataroot", str(tmp_path / "new")]
    options = with_input_size(parse(TrainOptions, [*TOY_OPTIONS, *data]))
    train_set, _, pools = build_datasets(options, world_size=1)
    assert [pool.per_batch for pool in pools] == [2, 6]
    for index in np.concatenate([pool.numbers for pool in pools]):
        opened = train_set[0, int(index)]
        assert isinstance(opened, TrainItem)  # paths of both folders lead to their images
        assert (opened.sample, opened.label) == (index, train_set.samples.labels[index])
    run_training(tmp_path / "new", tmp_path, *flags, "--niter", 1)
    said = capsys.readouterr().out
    assert "train: 3 real and 3 fake images, 2 in a batch, with 6 replayed of 12 real and" in said
    assert load(tmp_path / "fine")["total_steps"] == 3
