"""A stem without downsampling, and input filters: against slow loops, and with the plain keys."""

from __future__ import annotations

import copy
import dataclasses
import pathlib

import numpy as np
import numpy.typing as npt
import pytest
import torch
import torchvision
from torch import Tensor, nn
from torchvision.models.resnet import BasicBlock, ResNet

import eval as evaluation
from networks.architectures import ARCHITECTURES, architecture
from networks.create import build, create_network, create_trained
from networks.detector import NetworkDetector, load_detector
from networks.freeze import frozen_part
from networks.gradcam import gradcam
from networks.inference import for_inference
from networks.maps import maps_of
from networks.stem import FILTERS, hh, npr, split_stem, stem_name
from networks.weights import read_weights
from options.eval_options import EvalOptions
from options.parse import parse
from options.train_options import TrainOptions
from tests.tolerances import assert_as_exact, exact_logits
from tests.toy_runs import assert_same_run, load, run_training
from training.setup import network_name
from util.errors import UsageError

Array = npt.NDArray[np.float64]
SIDES = [(16, 16), (17, 16), (9, 13), (6, 5), (3, 4), (2, 2)]
# Decomposition, high pass, of the biorthogonal wavelet 1.3 (Cohen, Daubechies, Feauveau 1992).
BIOR13 = np.array([0, 0, -1, 1, 0, 0]) / np.sqrt(2)


def pictures(height: int, width: int, count: int = 1) -> Tensor:
    generator = torch.Generator().manual_seed(height * width)
    return torch.randn(count, 3, height, width, generator=generator)


def slow_npr(picture: Array) -> Array:
    height, width = (side - side % 2 for side in picture.shape)
    residual = np.zeros((height, width))
    for y in range(height):
        for x in range(width):
            residual[y, x] = (picture[y, x] - picture[y - y % 2, x - x % 2]) * 2 / 3
    return residual


def slow_details(line: Array) -> Array:
    """One level of the wavelet transform of a line, edges reflected: out[k] = sum of h[j] x[2k+1-j]
    over the filter's six coefficients.
    """
    length = len(line)
    out = np.zeros((length + 5) // 2)
    for k in range(len(out)):
        for j in range(6):
            at = (2 * k + 1 - j) % (2 * length)
            out[k] += BIOR13[j] * line[at if at < length else 2 * length - 1 - at]
    return out


def slow_resize(small: Array, height: int, width: int) -> Array:
    """Bilinear, pixels' centres aligned, edges repeated."""
    rows, columns = small.shape
    large = np.zeros((height, width))
    for y in range(height):
        for x in range(width):
            v = min(max((y + 0.5) * rows / height - 0.5, 0), rows - 1)
            u = min(max((x + 0.5) * columns / width - 0.5, 0), columns - 1)
            top, left = int(v), int(u)
            bottom, right = min(top + 1, rows - 1), min(left + 1, columns - 1)
            above = small[top, left] * (1 - u + left) + small[top, right] * (u - left)
            below = small[bottom, left] * (1 - u + left) + small[bottom, right] * (u - left)
            large[y, x] = above * (1 - v + top) + below * (v - top)
    return large


def slow_hh(picture: Array) -> Array:
    across = np.array([slow_details(row) for row in picture])
    band = np.array([slow_details(column) for column in across.T]).T
    return slow_resize(band, *picture.shape)


SLOW = {"npr": slow_npr, "hh": slow_hh}


@pytest.mark.parametrize("sides", SIDES)
@pytest.mark.parametrize("name", FILTERS)
def test_a_filter_is_its_slow_textbook_loop(name: str, sides: tuple[int, int]) -> None:
    images = pictures(*sides)
    slow = [SLOW[name](channel) for channel in images[0].double().numpy()]
    exact = np.stack(slow)
    filtered = FILTERS[name](images)[0]
    assert filtered.shape == exact.shape
    assert_as_exact(filtered, exact.astype(np.float32), exact)
    assert FILTERS[name](images.to("meta")).shape == images.shape[:2] + exact.shape[1:]


def test_a_filter_sees_no_flat_colour() -> None:
    flat = torch.full((1, 3, 8, 8), 0.7)
    assert not npr(flat).any()
    assert not hh(flat).any()


def test_a_name_says_the_stem_and_is_read_again() -> None:
    for stride in (1, 2):
        for input in ("rgb", "npr", "hh"):
            name = stem_name("timm:vit_b.x-y", stride=stride, input=input)
            expected = ("timm:vit_b.x-y", stride == 1, input.replace("rgb", ""))
            assert split_stem(name) == expected
    assert stem_name("resnet50", stride=1, input="npr") == "resnet50-stride1-npr"
    assert stem_name("resnet50", stride=2, input="rgb") == "resnet50"
    flags = "--arch resnet18 --stem_stride 1 --stem_input hh".split()  # noqa: SIM905
    assert network_name(parse(TrainOptions, flags)) == "resnet18-stride1-hh"
    assert network_name(parse(TrainOptions, [])) == "resnet50"


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("resnet50-npr-stride1", "resnet50-npr-stride1 is not one of resnet18, .* -stride1, -npr"),
        ("resnet50-stride1-stride1", "is not one of"),
        ("resnet50-rgb", "is not one of"),
        ("resnet50-npr-hh", "is not one of"),
        ("-npr", "is not one of"),
        ("vgg16-stride1", "vgg16 has no stem with stride 1 .--stem_stride.: ResNets have"),
    ],
)
def test_a_stem_that_there_is_not_is_refused(name: str, words: str) -> None:
    with pytest.raises(UsageError, match=words):
        architecture(name)


@pytest.mark.parametrize("stem", ["-stride1", "-npr", "-stride1-hh"])
def test_keys_and_all_but_the_input_are_the_plain_networks(stem: str) -> None:
    others = () if "stride1" in stem else ("vgg16", "mobilenet_v3_small", "swin_t")
    for plain in ("resnet18", "resnet50_2stages", "resnext50_32x4d", *others):
        with torch.device("meta"):
            ours, theirs = build(plain + stem), build(plain)
        expected = {key: value.shape for key, value in theirs.state_dict().items()}
        assert {key: value.shape for key, value in ours.state_dict().items()} == expected
        its, other = architecture(plain + stem), architecture(plain)
        assert dataclasses.replace(its, build=other.build) == other
    with torch.device("meta"):
        network = build("resnet18" + stem)
    fixed = frozen_part(network, "resnet18" + stem, "stages:1")
    assert fixed == [*list(network.children())[:5]]  # the stem, and layer1


def by_hand(
    network: nn.Module, images: Tensor, stride: int, filter: str, last: str = "fc"
) -> Tensor:
    """What a ResNet's layer `last` gives, its stem written out."""
    double = images.dtype == torch.float64
    if filter:
        slow = [[SLOW[filter](c) for c in picture] for picture in images.double().numpy()]
        images = torch.from_numpy(np.array(slow)).to(images.dtype)
    weight = network.get_parameter("conv1.weight")
    side = weight.shape[-1] // 2
    maps = torch.nn.functional.conv2d(images, weight, stride=stride, padding=side)
    maps = network.get_submodule("bn1")(maps).relu()
    maps = torch.nn.functional.max_pool2d(maps, 3, stride, 1)
    for name, stage in network.named_children():
        if name.startswith("layer"):
            maps = stage(maps)
    assert maps.dtype == (torch.float64 if double else torch.float32)
    logits: Tensor = network.get_submodule(last)(maps.mean(dim=(2, 3)))
    return logits


def resnet10() -> nn.Module:
    """As a ResNet-18, and half as long."""
    torch.manual_seed(3)
    return shaken(ResNet(BasicBlock, [1, 1, 1, 1], num_classes=1))


def shaken(network: nn.Module) -> nn.Module:
    """The network, in evaluation mode, with batch norms that do something."""
    for norm in network.modules():
        if isinstance(norm, nn.BatchNorm2d):
            nn.init.uniform_(norm.weight, 0.5, 1.5)
            nn.init.normal_(norm.bias, 0.0, 0.3)
            nn.init.uniform_(norm.running_var, 0.5, 1.5)
            nn.init.normal_(norm.running_mean, 0.0, 0.3)
    return network.eval()


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """A network that is built in no time: a short ResNet under the name of ResNet-18."""
    short = dataclasses.replace(ARCHITECTURES["resnet18"], build=resnet10)
    monkeypatch.setitem(ARCHITECTURES, "resnet18", short)


@pytest.mark.usefixtures("small")
@pytest.mark.parametrize("filter", ["", "npr", "hh"])
@pytest.mark.parametrize("stride", [1, 2])
def test_logits_are_those_of_a_stem_by_hand_folded_or_not(stride: int, filter: str) -> None:
    network = build(stem_name("resnet18", stride=stride, input=filter or "rgb"))
    images = pictures(17, 14, 12)
    with torch.no_grad():
        plain = by_hand(network, images, stride, filter)
        exact = by_hand(copy.deepcopy(network).double(), images.double(), stride, filter)
        fast = for_inference(network)
        assert not [module for module in fast.modules() if isinstance(module, nn.BatchNorm2d)]
        for ours in (network, fast):
            assert_as_exact(ours(images), plain, exact)
    assert_as_exact(plain, plain, exact_logits(network, images))


@pytest.mark.usefixtures("small")
def test_gradcam_sees_the_same_logit_and_finer_cells() -> None:
    name = "resnet18-stride1-npr"
    network, shapes = build(name), []
    network.get_submodule("layer4").register_forward_hook(
        lambda module, inputs, maps: shapes.append(maps.shape[2:])
    )
    image = torch.randint(0, 256, (3, 24, 32), dtype=torch.uint8)
    detector = NetworkDetector(
        network, name=name, device=torch.device("cpu"), maps=maps_of(architecture(name))
    )
    heats = [gradcam(detector, image, threshold) for threshold in (-np.inf, np.inf)]
    assert shapes == [(3, 4)] * 2  # an eighth
    assert max(heat.max() for heat in heats) == 1
    assert heats[0].shape == (24, 32)


def test_the_half_resnet_is_the_first_half_behind_a_small_convolution() -> None:
    network = create_network("resnet50_2stages")
    state = network.state_dict()
    assert sum(value.numel() for value in state.values()) == 1_447_897
    whole = torchvision.models.resnet50().state_dict()
    same = [key for key in state if not key.startswith(("conv1.", "fc."))]
    assert all(state[key].shape == whole[key].shape for key in same)
    assert not [key for key in whole if key.startswith(("layer1", "layer2")) and key not in same]
    assert state["conv1.weight"].shape == (64, 3, 3, 3)
    assert network(torch.zeros(2, 3, 20, 24)).shape == (2, 1)
    stages: list[tuple[int, ...]] = []
    network.get_submodule("layer2").register_forward_hook(
        lambda module, inputs, maps: stages.append(tuple(maps.shape))
    )
    network(torch.zeros(1, 3, 64, 48))
    assert stages == [(1, 512, 8, 6)]
    with pytest.raises(UsageError, match="resnet50_2stages has no such weights; use --init scr"):
        create_network("resnet50_2stages", "imagenet")


@pytest.mark.usefixtures("small")
def test_weights_of_another_stem_are_refused_though_their_keys_fit(tmp_path: pathlib.Path) -> None:
    path = tmp_path / "w.pth"
    torch.save({"model": resnet10().state_dict(), "arch": "resnet18-npr"}, path)
    weights = read_weights(str(path))
    create_trained("resnet18-npr", weights)
    for other in ("resnet18", "resnet18-hh", "resnet18-stride1-npr"):
        with pytest.raises(UsageError, match=f"is a resnet18-npr, no {other}: .*--stem_input"):
            create_trained(other, weights)
    torch.save({"model": resnet10().state_dict()}, path)  # says nothing, as published weights do
    assert load_detector(str(path), arch="resnet18-stride1", device="cpu").name.endswith("stride1")


@pytest.mark.usefixtures("small")
def test_train_resume_and_eval_with_another_stem(
    toy: pathlib.Path, tmp_path: pathlib.Path, capsys: pytest.CaptureFixture[str]
) -> None:
    flags = [*("--arch", "resnet18", "--stem_stride", 1, "--stem_input", "npr")]
    flags += [*("--cropSize", 16, "--niter", 1)]
    whole = run_training(toy, tmp_path / "whole", *flags)
    assert "; resnet18-stride1-npr from scratch on cpu" in capsys.readouterr().out
    run_training(toy, tmp_path / "parts", *flags, "--max_steps", 2)
    parts = run_training(toy, tmp_path / "parts", *flags, "--continue_train")
    assert_same_run(whole, parts)
    assert load(parts, "best")["arch"] == "resnet18-stride1-npr"
    argv = ["--model_path", str(parts / "model_epoch_best.pth"), "--dataroot", str(toy / "test")]
    argv += ["--testsets", "biggan", "--bootstrap", "0", "--thumbnails", "none", "--device", "cpu"]
    argv += ["--results_dir", str(tmp_path / "results"), "--num_threads", "0", "--name"]
    tables = []
    for name, more in (("a", []), ("b", ["--arch", "resnet18-stride1-npr"])):
        assert evaluation.main(parse(EvalOptions, [*argv, name, *more])) == 0
        tables.append((tmp_path / "results" / name / "predictions.csv").read_bytes())
    assert tables[0] == tables[1]
    with pytest.raises(UsageError, match="is a resnet18-stride1-npr, no resnet18"):
        evaluation.main(parse(EvalOptions, [*argv, "plain", "--arch", "resnet18"]))
