"""The one door to a detector, and what may come through it."""

from __future__ import annotations

import dataclasses
import functools
import pathlib
import subprocess
import sys
from typing import Any

import numpy as np
import pytest
import torch
import torchvision
from PIL import Image
from torch import Tensor
from torchvision.transforms import v2

from data.samples import find_samples
from evaluation.degrade import variants
from evaluation.evaluation import Evaluation, Provenance
from evaluation.measure import Measuring
from evaluation.protocol import ScoringProtocol
from evaluation.score_testsets import Job, score_testsets
from evaluation.scoring import Reading
from evaluation.store import store_folder
from evaluation.sweep import Entry, evaluate
from networks.architectures import ARCHITECTURES, architecture
from networks.create import create_network
from networks.detector import Detector, load_detector
from networks.input_spec import InputSpec
from networks.weights import read_weights
from tests.commands import ROOT, run
from tests.conftest import write_image
from tests.test_results import save_weights
from tests.tolerances import assert_as_exact, exact_logits
from tests.toy_runs import RESNET, load, run_training
from util.errors import UsageError

CPU = torch.device("cpu")
MEAN, STD = (0.1, 0.2, 0.3), (0.9, 0.8, 0.7)
SIZES = ((40, 60), (60, 40), (33, 32), (32, 32), (20, 70), (12, 9))


@pytest.fixture
def images(tmp_path: pathlib.Path) -> pathlib.Path:
    for number, size in enumerate([*SIZES, *SIZES]):
        write_image(tmp_path / f"set/{('0_real', '1_fake')[number % 2]}/{number}.png", number, size)
    return tmp_path / "set"


def pixels(count: int = 16, side: int = 32) -> Tensor:
    generator = torch.Generator().manual_seed(3)
    return torch.randint(0, 256, (count, 3, side, side), dtype=torch.uint8, generator=generator)


def test_a_checkpoints_own_statistics_are_used(tmp_path: pathlib.Path) -> None:
    path = str(save_weights(tmp_path / "w.pth", mean=MEAN, std=STD))
    detector = load_detector(path, device="cpu")
    assert detector.input == InputSpec(32)
    network = torchvision.models.resnet18(num_classes=1).eval()
    network.load_state_dict(torch.load(path, weights_only=True)["model"])
    normalized = v2.functional.normalize(pixels() / 255, list(MEAN), list(STD))
    with torch.no_grad():
        plain = network(normalized)
    assert_as_exact(detector.logits(pixels()), plain, exact_logits(network, normalized))
    usual = load_detector(str(save_weights(tmp_path / "usual.pth")), device="cpu")
    assert not torch.equal(detector.logits(pixels()), usual.logits(pixels()))


@pytest.mark.parametrize("mean", [(0.5,), "half", {"a": 1}])
def test_statistics_that_are_none_are_refused(tmp_path: pathlib.Path, mean: object) -> None:
    with pytest.raises(UsageError, match=r"w\.pth: mean is .*, not three numbers"):
        read_weights(str(save_weights(tmp_path / "w.pth", mean=mean)))


def test_a_trained_checkpoint_carries_what_its_network_needs(
    toy: pathlib.Path, tmp_path: pathlib.Path
) -> None:
    checkpoint: Any = load(run_training(toy, tmp_path, *RESNET, "--max_steps", 1))
    its = architecture("resnet18")
    assert (checkpoint["arch"], checkpoint["crop_size"]) == ("resnet18", 32)
    assert (checkpoint["mean"], checkpoint["std"]) == (its.mean, its.std)


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_every_entry_names_modules_that_are_there(name: str) -> None:
    its = architecture(name)
    with torch.device("meta"):
        network = its.build()
    for path in (its.head, its.features, *its.stem, *its.stages):
        network.get_submodule(path)
    inside = [m for p in (*its.stem, *its.stages) for m in network.get_submodule(p).parameters()]
    outside = {id(p) for p in network.parameters()} - {id(p) for p in inside}
    head = {id(p) for p in network.get_submodule(its.head).parameters()}
    assert head <= outside
    assert its.pretrained.startswith("https://") or name in ("resnet50_2stages", "patch23")


def test_patches_are_scored_of_whole_images_unless_a_crop_is_asked_for(
    tmp_path: pathlib.Path,
) -> None:
    path = tmp_path / "p.pth"
    network = create_network("patch23", "scratch")
    torch.save({"model": network.state_dict(), "arch": "patch23", "crop_size": 64}, path)
    crop = load_detector(str(path)).input.crop
    assert crop(None, whole=False, default=224) is None
    assert crop(48, whole=False, default=224) == 48


def test_a_network_of_one_size_takes_that_and_no_whole_images(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fixed = dataclasses.replace(architecture("resnet18"), size=48, any_size=False)
    monkeypatch.setitem(ARCHITECTURES, "resnet18", fixed)
    path = save_weights(tmp_path / "w.pth", crop_size=None)
    detector = load_detector(str(path), device="cpu")
    crop = functools.partial(detector.input.crop, default=None)
    assert (crop(None, whole=False), crop(40, whole=False)) == (48, 40)
    with pytest.raises(UsageError, match="--no_crop: resnet18 takes no images of other"):
        detector.check_size(crop(None, whole=True))
    usual = InputSpec(None)
    assert (
        usual.crop(None, whole=False, default=224),
        usual.crop(None, whole=True, default=7),
    ) == (
        224,
        None,
    )
    assert InputSpec(32).crop(None, whole=False, default=224) == 32


def score(root: pathlib.Path, detector: Detector, protocol: ScoringProtocol) -> list[float]:
    folder = f"{store_folder(str(root.parent), detector.id, protocol)}/set"
    job = Job("set", find_samples(str(root)), [detector], protocol, [folder])
    [(scored,)] = score_testsets([job], Reading(4), variants({}))
    assert not scored.unreadable
    return scored.variants["plain"].logits.tolist()


class Peak:
    """A detector that no network is behind: the brightness of an image's first pixel."""

    name = id = "peak"
    input, device, precision = InputSpec(None), CPU, "fp32"
    weights = sha256 = ""
    trained_on = trained = num_parameters = None

    def logits(self, images: Tensor) -> Tensor:
        return images[:, :, 0, 0].float().mean(dim=1)

    def check_size(self, size: int | None) -> None: ...


class Average(Peak):
    """What averages two detectors: all that it takes is in here."""

    def __init__(self, first: Detector, second: Detector) -> None:
        self.both = (first, second)
        self.id = f"mean-of-{first.id}-{second.id}"

    def logits(self, images: Tensor) -> Tensor:
        return torch.stack([detector.logits(images) for detector in self.both]).mean(dim=0)


def test_a_detector_need_not_be_one_network(images: pathlib.Path, tmp_path: pathlib.Path) -> None:
    parts = [
        load_detector(str(save_weights(tmp_path / f"{seed}.pth", seed)), device="cpu")
        for seed in (1, 2)
    ]
    protocol = ScoringProtocol(crop_size=32)
    own = np.array([score(images, detector, protocol) for detector in parts])
    detector = Average(*parts)
    samples = {"set": find_samples(str(images))}
    origin = Provenance.of(detector, protocol, dataroot="", testsets=samples)
    evaluation = Evaluation("both", origin, Measuring(bootstrap=10))
    entry = Entry(detector, protocol, evaluation, str(tmp_path / "store"))
    pace = evaluate([entry], Reading(4), testsets=samples)
    assert pace.scores == len(SIZES) * 2
    assert_as_exact(evaluation.scores["set"].logits, np.float32(own.mean(axis=0)), own.mean(axis=0))
    assert evaluation.rows()[-1]["ap"] == evaluation.measured["set"].metrics["ap"].value


def views(root: pathlib.Path, crops: int, resize: int | None) -> list[list[Image.Image]]:
    """By torchvision, with zeros first put around an image that is smaller than the crop."""
    many = {1: v2.CenterCrop(32), 5: v2.FiveCrop(32), 10: v2.TenCrop(32)}[crops]
    found = []
    for samples in [find_samples(str(root))]:
        for index in range(len(samples.paths)):
            image = Image.open(samples.path(index)).convert("RGB")
            if resize:
                image = v2.functional.resize(image, [resize])
            width, height = image.size
            if min(width, height) < 32:
                image = v2.functional.center_crop(image, [max(height, 32), max(width, 32)])
            crop = many(image)
            found.append([crop] if crops == 1 else list(crop))
    return found


@pytest.mark.parametrize(("crops", "resize"), [(1, None), (5, None), (10, None), (1, 36), (5, 48)])
def test_crops_are_torchvisions_and_score_by_their_mean_logit(
    images: pathlib.Path, crops: int, resize: int | None
) -> None:
    protocol = ScoringProtocol(crop_size=32, crops=crops, resize=resize)
    ours = score(images, Peak(), protocol)
    expected = [
        np.mean([np.asarray(view)[0, 0].mean(dtype=np.float32) for view in its], dtype=np.float64)
        for its in views(images, crops, resize)
    ]
    assert ours == [float(f"{np.float32(value):.9g}") for value in expected]
    words = protocol.describe()
    assert (f"{crops} crops of 32" in words) == (crops > 1)
    assert ("resized to" in words) == (resize is not None)


def test_eval_takes_crops_and_says_so(images: pathlib.Path, tmp_path: pathlib.Path) -> None:
    weights = save_weights(tmp_path / "w.pth")
    flags = ["--model_path", weights, "--dataroot", images, "--results_dir", tmp_path / "r"]
    result = run(
        "eval.py", *flags, "--crops", 5, "--resize", 40, "--name", "x", "--thumbnails", "none"
    )
    assert result.returncode == 0, result.stderr
    assert "mean logit of 5 crops of 32, short side resized to 40" in result.stdout
    again = run("eval.py", *flags, "--name", "x", "--thumbnails", "none")
    assert (again.returncode, "results of another crops (5, now none)" in again.stderr) == (2, True)
    wrong = run("eval.py", *flags, "--crops", 3)
    assert (wrong.returncode, "--crops must be 1, 5 or 10" in wrong.stderr) == (2, True)


def test_training_alone_needs_no_matplotlib() -> None:
    code = "import sys, train; sys.exit('matplotlib' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=False)
    assert done.returncode == 0
