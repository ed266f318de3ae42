"""What a GPU computes, beside what the processor does. `make gpu-check` runs this on one, which it
names in TEST_DEVICE; elsewhere the processor runs the same lines against itself.
"""

from __future__ import annotations

import csv
import os
import pathlib

import numpy as np
import pytest
import torch
from torch import Tensor

from networks.detector import NetworkDetector, load_detector
from networks.device import choose_device
from networks.gradcam import gradcam
from networks.normalize import normalize
from tests.tolerances import assert_as_exact, exact_logits, near
from tests.toy_runs import RESNET, assert_same_run, load, run_training

DEVICE = choose_device(os.environ.get("TEST_DEVICE", "cpu"))
HALF = ["bf16", *(["fp16"] if DEVICE.type == "cuda" else [])]  # what it can train in
ON = (*RESNET, "--device", DEVICE, "--niter", 2)


@pytest.fixture(scope="module")
def run(toy: pathlib.Path, tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    """A run on the device."""
    return run_training(toy, tmp_path_factory.mktemp("run"), *ON)


@pytest.fixture(scope="module")
def images() -> Tensor:
    return torch.from_numpy(np.random.default_rng(0).integers(0, 256, (16, 3, 40, 40), np.uint8))


def detector(run: pathlib.Path, device: object = DEVICE, **known: object) -> NetworkDetector:
    path = str(run / "model_epoch_latest.pth")
    found = load_detector(path, device=str(device), **known)
    assert isinstance(found, NetworkDetector)
    return found


def losses(run: pathlib.Path) -> list[float]:
    return [float(row["loss"]) for row in csv.DictReader((run / "history.csv").open())]


def test_fp32_is_as_exact_as_the_processors(run: pathlib.Path, images: Tensor) -> None:
    """A checkpoint of the device is the processor's, too."""
    plain = detector(run, "cpu")
    exact = exact_logits(plain.network, normalize(images))
    ours = detector(run).logits(images).cpu()
    assert_as_exact(ours, plain.logits(images), exact)


@pytest.mark.parametrize("precision", HALF)
def test_half_precision_ranks_as_fp32_does(
    run: pathlib.Path, images: Tensor, precision: str
) -> None:
    whole = detector(run).logits(images).cpu().numpy()
    ours = detector(run, precision=precision).logits(images).cpu().numpy()
    assert ours.dtype == whole.dtype == np.float32
    assert ours.tolist() != whole.tolist()
    assert ours == near(whole, 0.2 * np.ptp(whole), "8 bits of mantissa through 18 layers")


@pytest.mark.skipif(DEVICE.type == "cpu", reason="tests/test_inference.py compiles there")
def test_what_is_compiled_gives_the_same_logits(run: pathlib.Path, images: Tensor) -> None:
    plain = detector(run, "cpu")
    exact = exact_logits(plain.network, normalize(images))
    assert_as_exact(detector(run, compile=True).logits(images).cpu(), plain.logits(images), exact)


def test_grad_cam_shows_the_same(run: pathlib.Path, images: Tensor) -> None:
    ours, plain = (gradcam(detector(run, device), images[0]) for device in (DEVICE, "cpu"))
    assert ours == near(plain, 0.02, "of maps from 0 to 1, whose sums are ordered otherwise")


def test_a_run_that_is_continued_ends_as_if_never_stopped(
    toy: pathlib.Path, tmp_path: pathlib.Path, run: pathlib.Path
) -> None:
    """The random state of the device included; to the bit on a processor, while a GPU's sums may be
    ordered anew.
    """
    run_training(toy, tmp_path, *ON, "--max_steps", 4)
    again = run_training(toy, tmp_path, *ON, "--continue_train")
    if DEVICE.type == "cpu":
        assert_same_run(run, again)
    assert losses(again) == near(losses(run), 0.05, "the order of a GPU's sums, over six steps")
    state = load(again)["device_random_state"]
    assert (state is None) == (DEVICE.type == "cpu")


@pytest.mark.parametrize("precision", HALF)
def test_training_in_half_precision_is_training(
    toy: pathlib.Path, tmp_path: pathlib.Path, precision: str
) -> None:
    more = ("--accumulate", 2, "--ema", 0.9)
    whole, ours = (
        losses(run_training(toy, tmp_path / name, *ON, *more, "--precision", name))
        for name in ("fp32", precision)
    )
    assert ours != whole
    assert ours == near(whole, 0.1, "8 bits of mantissa in six steps")
