"""What a network cannot take is refused before the work begins."""

from __future__ import annotations

import pathlib

import pytest
import torch

import train
from networks.architectures import ARCHITECTURES
from networks.create import create_network
from networks.fit import check_fit, smallest_part
from tests.commands import run
from tests.conftest import TOY_OPTIONS, assert_wrong_usage
from tests.toy_runs import RESNET, run_training
from util.errors import UsageError

SMALLEST = {"vgg16": 32, "convnext_tiny": 32, "swin_t": 4}  # of all others: 1


@pytest.mark.parametrize("arch", ARCHITECTURES)
def test_the_smallest_side_that_works_is_the_first_that_is_not_refused(arch: str) -> None:
    smallest = SMALLEST.get(arch, 1)
    check_fit(arch, smallest)
    if smallest > 1:
        message = rf"--cropSize {smallest - 1}: too small for --arch {arch}, .* least {smallest}$"
        with pytest.raises(UsageError, match=message):
            check_fit(arch, smallest - 1)
    check_fit(arch, None)  # whole images


@pytest.mark.parametrize(("arch", "side"), [("vgg16", 31), ("convnext_tiny", 31), ("swin_t", 3)])
def test_what_is_refused_would_fail(arch: str, side: int) -> None:
    network = create_network(arch).eval()
    with torch.inference_mode():
        assert network(torch.zeros(1, 3, side + 1, side + 1)).shape == (1, 1)
        with pytest.raises((RuntimeError, AssertionError)):
            network(torch.zeros(1, 3, side, side))


@pytest.mark.parametrize("side", [32, 33])
@pytest.mark.parametrize("images", [1, 2])
def test_batch_norm_learns_from_one_value_a_channel_no_more_here_than_there(
    side: int, images: int
) -> None:
    network = create_network("resnet18").train()
    fails = (side, images) == (32, 1)
    try:
        network(torch.zeros(images, 3, side, side))
    except ValueError:
        assert fails
    else:
        assert not fails
    if not fails:
        check_fit("resnet18", side, train_on=images)
        return
    with pytest.raises(UsageError) as error:
        check_fit("resnet18", side, train_on=images)
    for word in ("--batch_size", "--accumulate", "--cropSize 32", "--arch resnet18"):
        assert word in str(error.value)


def test_a_frozen_backbone_and_networks_without_batch_norm_learn_from_one_image() -> None:
    check_fit("resnet18", 32, train_on=1, fixed_part="backbone")
    check_fit("convnext_tiny", 32, train_on=1)
    with pytest.raises(UsageError, match="--batch_size"):
        check_fit("resnet18", 32, train_on=1, fixed_part="stages:1")


@pytest.mark.parametrize(
    ("batch", "parts", "smallest"), [(8, 1, 8), (9, 4, 3), (10, 4, 1), (8, 8, 1), (3, 2, 1)]
)
def test_the_smallest_part_is_the_smallest_that_is_trained_on(
    batch: int, parts: int, smallest: int
) -> None:
    assert smallest_part(batch, parts) == smallest
    assert smallest == min(map(len, torch.zeros(batch).chunk(parts)))


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        (("--arch", "vgg16", "--cropSize", 16), ("--cropSize 16", "--arch vgg16", "32")),
        (("--batch_size", 1), ("--batch_size", "--cropSize 32", "resnet18")),
        (("--accumulate", 8), ("--accumulate", "--cropSize 32", "resnet18")),
    ],
)
def test_training_refuses_it_and_makes_no_folder(
    toy: pathlib.Path, tmp_path: pathlib.Path, flags: tuple[object, ...], words: tuple[str, ...]
) -> None:
    with pytest.raises(UsageError) as error:
        run_training(toy, tmp_path / "new", *RESNET, *flags)
    for word in words:
        assert word in str(error.value)
    assert not (tmp_path / "new").exists()


def test_one_image_of_a_process_counts(toy: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from options.parse import parse  # noqa: PLC0415
    from options.train_options import TrainOptions  # noqa: PLC0415

    monkeypatch.setattr(train.distributed, "world_size", lambda: 8)
    monkeypatch.setattr(train.distributed, "start", lambda _: None)
    options = parse(TrainOptions, [*TOY_OPTIONS, "--dataroot", str(toy)])
    with pytest.raises(UsageError, match="--batch_size"):
        train.main(options)


def test_eval_and_predict_refuse_it_before_they_look_at_an_image(
    toy: pathlib.Path, tmp_path: pathlib.Path
) -> None:
    state = create_network("convnext_tiny").state_dict()
    torch.save({"model": state, "arch": "convnext_tiny", "crop_size": 64}, tmp_path / "w.pth")
    flags = ["--model_path", tmp_path / "w.pth", "--cropSize", 8, "--device", "cpu"]
    wanted = ("--cropSize 8", "--arch convnext_tiny", "at least 32")
    data = ["--dataroot", toy / "test", "--results_dir", tmp_path / "results"]
    assert_wrong_usage(run("eval.py", *flags, *data), *wanted)
    result = run("predict.py", *flags, toy / "test/biggan/0_real")
    assert (result.returncode, result.stdout) == (2, "")
    for word in wanted:
        assert word in result.stderr.splitlines()[-1]
    assert not (tmp_path / "results").exists()
