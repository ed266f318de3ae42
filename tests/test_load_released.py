"""From a released file to a detector: to the key, or one line; and never by running the file."""

from __future__ import annotations

import argparse
import pathlib

import pytest
import timm
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from networks.architectures import IMAGENET_MEAN, IMAGENET_STD
from networks.create import create_network
from networks.detector import load_detector
from networks.detectors import load as loading
from networks.detectors.release import Blueprint, Release, release
from networks.gradcam import gradcam
from networks.input_spec import InputSpec
from options.names import DETECTORS
from tests.tolerances import assert_as_exact, exact_logits
from util.errors import UsageError

State = dict[str, Tensor]


class Probe(nn.Module):
    """A backbone of timm and a last layer of its own, as UnivFD is one."""

    def __init__(self, num_classes: int) -> None:
        super().__init__()
        self.backbone = timm.create_model("resnet10t", num_classes=num_classes)
        self.head = nn.Linear(num_classes or 512, 1)

    def forward(self, images: Tensor) -> Tensor:
        logits: Tensor = self.head(self.backbone(images))
        return logits


def probe(num_classes: int = 0, **more: object) -> Release:
    def blueprint(state: State) -> Blueprint:
        with torch.device("meta"):
            network = Probe(num_classes)
        renamed = {"head.weight": state.pop("fc.weight"), "head.bias": state.pop("fc.bias")}
        input = InputSpec(48, any_size=False, usual=48)
        return Blueprint(network, {**renamed, **state}, IMAGENET_MEAN, IMAGENET_STD, input)

    about = {"paper": "x", "source": "https://x", "licence": "MIT", "free": True}
    files = {"other.bin": "https://x/other.bin"}
    return Release(blueprint=blueprint, backbone="resnet10t", files=files, **about, **more)


@pytest.fixture
def backbone(tmp_path: pathlib.Path) -> pathlib.Path:
    torch.manual_seed(5)
    state = timm.create_model("resnet10t").state_dict()
    save_file(state, str(tmp_path / "backbone.safetensors"))
    return tmp_path / "backbone.safetensors"


def head_file(path: pathlib.Path, features: int = 512, **more: Tensor) -> str:
    torch.manual_seed(6)
    torch.save({"fc.weight": torch.randn(1, features), "fc.bias": torch.ones(1), **more}, path)
    return str(path)


@pytest.mark.parametrize("num_classes", [0, 1000])
def test_a_head_and_the_backbones_own_file_make_a_detector(
    tmp_path: pathlib.Path, backbone: pathlib.Path, num_classes: int
) -> None:
    """With the backbone's head where the detector stands on it (as on CLIP's), else without."""
    path = head_file(tmp_path / "fc.pth", num_classes or 512)
    network, _ = loading.load_released(
        probe(num_classes), "probe", path=path, backbone=str(backbone)
    )
    assert not any(p.is_meta for p in (*network.parameters(), *network.buffers()))
    plain = timm.create_model("resnet10t", num_classes=num_classes).eval()
    theirs = load_file(backbone)
    plain.load_state_dict({key: theirs[key] for key in plain.state_dict()})
    head = torch.load(path, weights_only=True)
    images = torch.randn(12, 3, 48, 48)
    with torch.inference_mode():
        ours = network(images)
        wanted = plain(images) @ head["fc.weight"].T + head["fc.bias"]
        features = exact_logits(plain, images)
    assert_as_exact(ours, wanted, features @ head["fc.weight"].double().T + 1)


def test_what_does_not_fit_is_named(tmp_path: pathlib.Path, backbone: pathlib.Path) -> None:
    def refused(match: str, path: str, its: Release, backbone: str = "") -> None:
        with pytest.raises(UsageError, match=match) as error:
            loading.load_released(its, "probe", path=path, backbone=backbone)
        assert "\n" not in str(error.value)

    own, theirs = head_file(tmp_path / "fc.pth"), str(backbone)
    another = head_file(tmp_path / "another.pth", 7)
    more = head_file(tmp_path / "more.pth", rest=torch.zeros(1))
    torch.save({"weight": torch.zeros(1)}, tmp_path / "foreign.pth")
    foreign = str(tmp_path / "foreign.pth")
    refused(
        r"another\.pth: does not fit --detector probe: .*head\.weight", another, probe(), theirs
    )
    refused(r"more\.pth: does not fit --detector probe: unexpected: rest", more, probe(), theirs)
    refused(
        r"foreign\.pth: is no file of --detector probe: .*'fc\.weight'", foreign, probe(), theirs
    )
    refused(r"fc\.pth: .*no such weights file|none\.pth: no such", own, probe(), "none.pth")
    elsewhere = probe(backbone_file="https://x/other.bin")
    refused(
        r"needs the file of its backbone after a comma, from https://x/other\.bin", own, elsewhere
    )
    whole = str(tmp_path / "NPR.pth")
    torch.save(create_network("resnet50_2stages").state_dict(), whole)
    refused("its file holds all of it", whole, release("npr"), theirs)


def test_a_detector_that_is_not_known_is_one_line() -> None:
    with pytest.raises(UsageError, match="--detector nobody is not one of commfor, "):
        release("nobody")
    assert all(release(name).licence for name in DETECTORS)


def test_files_in_half_precision_score_in_single(tmp_path: pathlib.Path) -> None:
    state = create_network("resnet50_2stages").state_dict()
    half = {k: v.half() if v.is_floating_point() else v for k, v in state.items()}
    torch.save({"model": half}, tmp_path / "half.pth")
    detector = load_detector(str(tmp_path / "half.pth"), name="npr", device="cpu")
    assert {p.dtype for p in detector.network.parameters()} == {torch.float32}
    assert detector.logits(torch.zeros(1, 3, 9, 8, dtype=torch.uint8)).dtype == torch.float32
    image = torch.arange(3 * 32 * 32).reshape(3, 32, 32).to(torch.uint8)
    assert gradcam(detector, image).shape == (32, 32)


class Evil:
    """What would run code when it is unpickled."""

    def __reduce__(self) -> tuple[object, ...]:
        return (pathlib.Path.touch, (pathlib.Path("was-run"),))


def test_options_beside_the_weights_are_read_and_code_is_not(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """SAFE's file holds the argparse.Namespace of its training."""
    monkeypatch.chdir(tmp_path)
    state = create_network("resnet50_2stages").state_dict()
    options = argparse.Namespace(lr=0.1, data_path="x")
    torch.save({"model": state, "args": options}, "safe.pth")
    assert load_detector("safe.pth", name="safe", device="cpu").input.size == 256
    torch.save({"model": state, "args": argparse.Namespace(lr=Evil())}, "evil.pth")
    with pytest.raises(UsageError, match="refused"):
        load_detector("evil.pth", name="safe", device="cpu")
    assert not pathlib.Path("was-run").exists()


def test_a_stem_of_stride_1_takes_smaller_batches(tmp_path: pathlib.Path) -> None:
    torch.save(create_network("resnet50").state_dict(), tmp_path / "w.pth")
    detector = load_detector(str(tmp_path / "w.pth"), name="resnet50_nodown", device="cpu")
    assert (detector.input.cost, detector.input.whole) == (16, True)
    stride1 = load_detector(str(tmp_path / "w.pth"), arch="resnet50-stride1", device="cpu")
    assert stride1.input.cost == 16
    assert load_detector(str(tmp_path / "w.pth"), device="cpu").input.cost == 1
