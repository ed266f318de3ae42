"""The published ResNets, from file to logit, against plain loops that know nothing of ours."""

from __future__ import annotations

import copy
import pathlib
import re
from collections.abc import Callable

import numpy as np
import pytest
import torch
import torchvision
from PIL import Image
from torch import Tensor, nn

from data.dataset import apply
from data.images import open_image
from data.transforms import eval_transform
from networks import tiled
from networks.detector import NetworkDetector
from networks.detectors.release import Blueprint, State, release
from networks.inference import for_inference
from networks.tiled import Tiled
from tests.test_stem import by_hand, pictures, resnet10, shaken, slow_details
from tests.tolerances import assert_as_exact

NAMES = ("resnet50_nodown", "npr", "safe")
# Width and height; both odd, one odd, none.
SIZES = [(9, 13), (16, 12), (11, 20), (14, 15), (21, 9), (18, 18), (7, 7), (12, 19), (15, 10)]
SIZES += [(10, 8), (13, 13), (17, 20)]
IMAGENET = ([0.485, 0.456, 0.406], [0.229, 0.224, 0.225])


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> list[pathlib.Path]:
    """Photographs of mixed small sizes, PNG and JPEG in turn."""
    folder = tmp_path_factory.mktemp("files")
    rng = np.random.default_rng(11)
    paths = []
    for number, (width, height) in enumerate(SIZES):
        pixels = rng.integers(0, 256, (height, width, 3), dtype=np.uint8)
        paths.append(folder / f"{number}{('.png', '.jpg')[number % 2]}")
        Image.fromarray(pixels).save(paths[-1])
    return paths


def released(name: str) -> nn.Module:
    """The network as its authors have it, with random weights."""
    torch.manual_seed(7)
    network: nn.Module = torchvision.models.resnet50(num_classes=1)
    if name != "resnet50_nodown":
        network.conv1 = nn.Conv2d(3, 64, 3, 2, 1, bias=False)
        network.fc1 = nn.Linear(512, 2 if name == "safe" else 1)
        del network.layer3, network.layer4, network.fc
    return shaken(network)


def opened(its: Blueprint) -> NetworkDetector:
    its.network.load_state_dict(its.state, assign=True)
    return NetworkDetector(
        its.network,
        name="x",
        device=torch.device("cpu"),
        mean=its.mean,
        std=its.std,
        input=its.input,
        fast=for_inference(its.network),
    )


def our_logits(detector: NetworkDetector, files: list[pathlib.Path]) -> Tensor:
    crop = eval_transform(detector.input.crop(None, whole=False, default=224))
    images = [apply(crop, open_image(str(path)), (0,)) for path in files]
    return torch.cat([detector.logits(image[None]) for image in images])


def decoded(path: pathlib.Path, dtype: torch.dtype) -> Tensor:
    pixels = np.array(Image.open(path).convert("RGB"))
    return torch.from_numpy(pixels.transpose(2, 0, 1)).to(dtype) / 255


def normalised(image: Tensor) -> Tensor:
    mean, std = (torch.tensor(values, dtype=image.dtype)[:, None, None] for values in IMAGENET)
    return (image - mean) / std


def plain_nodown(network: nn.Module, image: Tensor) -> Tensor:
    return by_hand(network, normalised(image)[None], 1, "")


def plain_npr(network: nn.Module, image: Tensor) -> Tensor:
    return by_hand(network, normalised(image)[None], 2, "npr", "fc1")


DETAILS = np.array([slow_details(line) for line in np.eye(256)]).T  # (130, 256)


def plain_safe(network: nn.Module, image: Tensor) -> Tensor:
    square = torchvision.transforms.functional.center_crop(image, [256, 256])
    details = torch.from_numpy(DETAILS).to(image.dtype)
    band = details @ square @ details.T
    resized = torchvision.transforms.functional.resize(band, [256, 256])[None]
    two = by_hand(network, resized, 2, "", "fc1")
    return torch.logit(two.double().softmax(1)[:, 1:]).to(image.dtype)


PLAIN: dict[str, Callable[[nn.Module, Tensor], Tensor]] = {
    "resnet50_nodown": plain_nodown,
    "npr": plain_npr,
    "safe": plain_safe,
}


@pytest.mark.parametrize("name", NAMES)
def test_logits_from_file_are_those_of_a_plain_loop(name: str, files: list[pathlib.Path]) -> None:
    network = released(name)
    ours = our_logits(opened(release(name).blueprint(network.state_dict())), files)
    exactly = copy.deepcopy(network).double()
    with torch.no_grad():
        plain, exact = (
            torch.cat([PLAIN[name](its, decoded(path, dtype)) for path in files])
            for its, dtype in ((network, torch.float32), (exactly, torch.float64))
        )
    assert ours.shape == (len(files),)
    assert_as_exact(ours, plain, exact)


@pytest.mark.parametrize("name", NAMES)
def test_a_blueprint_takes_no_memory_and_says_how_images_come_in(name: str) -> None:
    its = release(name).blueprint(released(name).state_dict())
    expected = its.network.state_dict()
    assert {k: v.shape for k, v in its.state.items()} == {k: v.shape for k, v in expected.items()}
    assert {value.device.type for value in expected.values()} == {"meta"}
    crop = its.input.crop(None, whole=False, default=224)
    assert crop == (256 if name == "safe" else None)
    assert its.input.crop(96, whole=False, default=224) == 96
    assert its.input.resize is None


@pytest.mark.parametrize("name", NAMES)
def test_a_key_that_is_not_the_detectors_stays_and_one_that_lacks_is_missed(name: str) -> None:
    state: State = dict(released(name).state_dict())
    state["extra.bias"] = torch.zeros(1)
    del state["layer1.0.conv1.weight"]
    its = release(name).blueprint(state)
    with pytest.raises(RuntimeError) as error:
        its.network.load_state_dict(its.state, assign=True)
    assert "extra.bias" in str(error.value)
    assert "layer1.0.conv1.weight" in str(error.value)


def test_a_safe_of_other_than_two_outputs_does_not_fit() -> None:
    state = dict(released("safe").state_dict())
    state["fc1.weight"], state["fc1.bias"] = torch.zeros(3, 512), torch.zeros(3)
    its = release("safe").blueprint(state)
    with pytest.raises(RuntimeError, match=r"fc\.weight"):
        its.network.load_state_dict(its.state, assign=True)


@pytest.mark.parametrize("name", NAMES)
def test_what_is_known_of_a_release_is_well_formed(name: str) -> None:
    its = release(name)
    assert all(re.fullmatch("[0-9a-f]{64}", digest) for digest in its.sha256.values())
    assert set(its.sha256) <= set(its.files)
    assert all(address.startswith("https://") for address in (its.source, *its.files.values()))
    assert all(0 < value < 1 for row in its.published.values() for value in row.values())
    assert its.free == (its.licence == "Apache-2.0")


def slow_tiles(network: nn.Module, image: Tensor, limit: int, side: int) -> Tensor:
    """The mean logit of tiles, each counted once for every pixel that it has."""
    _, height, width = image.shape
    if height <= limit or width <= limit:
        return network(image[None])
    logits, areas = [], []
    for top in range(0, height, side):
        for left in range(0, width, side):
            tile = image[:, top : min(top + side, height), left : min(left + side, width)]
            logits.append(network(tile[None]))
            areas.append(tile[0].numel())
    assert sum(areas) == height * width
    return sum(logit * area / sum(areas) for logit, area in zip(logits, areas, strict=True))


@pytest.mark.parametrize("sides", [(21, 40), (33, 33), (20, 50), (50, 20), (32, 48), (12, 9)])
def test_a_large_image_is_the_mean_of_its_tiles(
    sides: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tiled, "LIMIT", 20)
    monkeypatch.setattr(tiled, "SIDE", 16)
    network, images = resnet10(), pictures(*sides, 12)
    exactly = copy.deepcopy(network).double()
    fast = for_inference(Tiled(network))
    assert not [module for module in fast.modules() if isinstance(module, nn.BatchNorm2d)]
    with torch.no_grad():
        plain = torch.cat([slow_tiles(network, image, 20, 16) for image in images])
        exact = torch.cat([slow_tiles(exactly, image, 20, 16) for image in images.double()])
        for ours in (Tiled(network), fast):
            assert_as_exact(ours(images), plain, exact)


def test_tiles_are_those_of_the_released_code() -> None:
    assert (tiled.LIMIT, tiled.SIDE) == (1536, 1024)
    assert isinstance(release("resnet50_nodown").blueprint({}).network, Tiled)
