"""Published detectors that are Vision Transformers: commfor, dda and bfree."""

from __future__ import annotations

import functools
import importlib
import math
import pathlib
import sys
import types
from collections.abc import Callable

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor, nn
from torchvision import transforms

from data.augment import Transform
from data.geometry import CentreCrop, Resize
from data.images import open_image
from evaluation.metrics import METRICS
from networks.detectors import bfree, dda
from networks.detectors.release import Blueprint, release
from networks.input_spec import InputSpec
from networks.normalize import normalize
from networks.weights import Weights, load_weights
from tests.conftest import write_image
from tests.plain_vit import (
    LINEAR,
    Shapes,
    State,
    grid_of_patches,
    logit_of_patches,
    random_state,
    vit_shapes,
)
from tests.tolerances import assert_as_exact
from util.errors import UsageError

timm = pytest.importorskip("timm")

IMAGENET = ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
CLIP = ((0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711))
NAMES = ("commfor", "dda", "bfree")
RNG = np.random.default_rng(0)
COMMFOR = {384: 577, 224: 197}  # side of the crops -> positions
Narrow = Callable[..., Blueprint]


def commfor_shapes(size: int, dim: int = 384, depth: int = 12) -> Shapes:
    shapes = vit_shapes(dim=dim, depth=depth, patch=16, positions=COMMFOR[size])
    return {"vit." + key: shape for key, shape in shapes.items()}


def dda_shapes(dim: int = 1024, depth: int = 24, grid: int = 37) -> Shapes:
    """DINOv2's own positions are for 518 pixels: 37 by 37 patches."""
    shapes = vit_shapes(dim=dim, depth=depth, patch=14, positions=1 + grid**2, scale=True)
    named: Shapes = {"base_model.model.mask_token": (1, dim)}
    for key, shape in shapes.items():
        layer, _, part = key.rpartition(".")
        if layer == "head":
            named["base_model.fc." + part] = shape
        elif not layer.endswith(LINEAR):
            named["base_model.model." + key] = shape
        else:
            named[f"base_model.model.{layer}.original_layer.{part}"] = shape
            if part == "weight":
                named[f"base_model.model.{layer}.lora.lora_A"] = (8, shape[1])
                named[f"base_model.model.{layer}.lora.lora_B"] = (shape[0], 8)
    return named


def bfree_shapes(dim: int = 768, depth: int = 12) -> Shapes:
    return vit_shapes(dim=dim, depth=depth, patch=14, positions=1296, registers=4, scale=True)


ALL = {
    "commfor-384": ("commfor", commfor_shapes(384)),
    "commfor-224": ("commfor", commfor_shapes(224)),
    "dda": ("dda", dda_shapes()),
    "bfree": ("bfree", bfree_shapes()),
}


def on_meta(shapes: Shapes) -> State:
    return {key: torch.empty(shape, device="meta") for key, shape in shapes.items()}


def blueprint(name: str, state: State) -> Blueprint:
    return release(name).blueprint(state)


@pytest.fixture
def narrow(monkeypatch: pytest.MonkeyPatch) -> Narrow:
    """A released state -> the loaded blueprint, where timm builds narrow twins of its networks."""

    def build(name: str, state: State, **narrower: int) -> Blueprint:
        twin = functools.partial(timm.create_model, **narrower)
        module = importlib.import_module(f"networks.detectors.{name}")
        fake = types.SimpleNamespace(create_model=twin)
        monkeypatch.setattr(module, "import_timm", lambda: fake)
        made = blueprint(name, state)
        made.network.load_state_dict(made.state, assign=True)
        tensors = [*made.network.parameters(), *made.network.buffers()]
        assert not any(tensor.is_meta for tensor in tensors)
        made.network.eval()
        return made

    return build


def logits(network: nn.Module, images: Tensor) -> Tensor:
    with torch.inference_mode():
        out: Tensor = network(images)
    assert out.shape == (len(images), 1)
    return out.flatten()


def normalized(pixels: Tensor, statistics: tuple[tuple[float, ...], ...]) -> Tensor:
    mean, std = (torch.tensor(v, dtype=torch.float64).view(3, 1, 1) for v in statistics)
    return (pixels.double() / 255 - mean) / std


def random_images(number: int, height: int, width: int) -> Tensor:
    return torch.from_numpy(RNG.integers(0, 256, (number, 3, height, width), dtype=np.uint8))


@pytest.mark.parametrize(("name", "shapes"), ALL.values(), ids=ALL)
def test_a_released_state_fits_to_the_key(name: str, shapes: Shapes) -> None:
    made = blueprint(name, on_meta(shapes))
    assert all(tensor.is_meta for tensor in made.network.state_dict().values())
    load_weights(made.network, Weights("w.pth", made.state), name)  # raises where it does not


@pytest.mark.parametrize(
    ("kind", "parameters", "tensors", "positions"),
    [
        ("commfor-384", 21_811_969, 152, (1, 577, 384)),
        ("commfor-224", 21_666_049, 152, (1, 197, 384)),
        ("bfree", 86_526_721, 177, (1, 1296, 768)),
    ],
)
def test_networks_have_the_size_of_the_released_ones(
    kind: str, parameters: int, tensors: int, positions: tuple[int, ...]
) -> None:
    name, shapes = ALL[kind]
    state = blueprint(name, on_meta(shapes)).network.state_dict()
    assert sum(tensor.numel() for tensor in state.values()) == parameters
    assert len(state) == tensors
    assert [tuple(t.shape) for k, t in state.items() if k.endswith("pos_embed")] == [positions]
    assert sum(math.prod(shape) for shape in shapes.values()) == parameters


@pytest.mark.parametrize(
    ("kind", "key", "shape", "named"),
    [
        ("commfor-384", "vit.norm.bias", None, r"missing: norm\.bias"),
        ("commfor-384", "vit.extra", (1,), "unexpected: extra"),
        ("commfor-384", "vit.pos_embed", (1, 300, 384), r"pos_embed \(1, 300, 384\) instead of"),
        ("commfor-224", "vit.head.weight", (2, 384), r"head\.weight \(2, 384\) instead of \(1,"),
        ("dda", "base_model.fc.bias", None, r"missing: head\.bias"),
        ("dda", "base_model.model.extra", (1,), "unexpected: extra"),
        ("dda", "base_model.model.pos_embed", (1, 300, 1024), r"\(1, 300, 1024\) instead of"),
        ("dda", "base_model.model.pos_embed", (3,), r"pos_embed \(3,\) instead of"),
        ("bfree", "reg_token", None, r"missing: vit\.reg_token"),
        ("bfree", "pos_embed", (1, 1369, 768), r"pos_embed \(1, 1369, 768\) instead of"),
    ],
)
def test_a_state_that_does_not_fit_is_named(
    kind: str, key: str, shape: tuple[int, ...] | None, named: str
) -> None:
    name, shapes = ALL[kind]
    shapes = {k: s for k, s in shapes.items() if k != key} | ({key: shape} if shape else {})
    made = blueprint(name, on_meta(shapes))
    with pytest.raises(UsageError, match=rf"w\.pth: does not fit {name}: .*{named}"):
        load_weights(made.network, Weights("w.pth", made.state), name)


def test_a_layer_without_its_lora_is_named() -> None:
    layer = "base_model.model.blocks.7.mlp.fc1."
    lacking = {k: v for k, v in dda_shapes().items() if not k.startswith(layer + "lora")}
    with pytest.raises(UsageError, match=r"lacks blocks\.7\.mlp\.fc1\.lora\.lora_A"):
        blueprint("dda", on_meta(lacking))
    merged = {k.replace("original_layer.", ""): v for k, v in lacking.items()}
    with pytest.raises(UsageError, match=r"lacks blocks\.0\.attn\.qkv\.original_layer"):
        blueprint("dda", on_meta(merged))
    other = dda_shapes() | {layer + "lora.lora_B": (4096, 4)}
    with pytest.raises(UsageError, match=r"blocks\.7\.mlp\.fc1 and its LoRA do not fit: .*, 4\)"):
        blueprint("dda", on_meta(other))


def test_what_they_are_given() -> None:
    """The input that timm or the backbone's authors would give is another one."""
    given = {kind: blueprint(name, on_meta(shapes)) for kind, (name, shapes) in ALL.items()}
    assert {kind: (made.mean, made.std) for kind, made in given.items()} == {
        "commfor-384": IMAGENET, "commfor-224": IMAGENET, "dda": CLIP, "bfree": IMAGENET
    }  # fmt: skip
    assert timm.get_pretrained_cfg("vit_small_patch16_384").mean == (0.5, 0.5, 0.5)
    assert timm.get_pretrained_cfg("vit_large_patch14_dinov2").mean == IMAGENET[0]
    assert {kind: made.input for kind, made in given.items()} == {
        "commfor-384": InputSpec(384, 384, any_size=False, resize=440),
        "commfor-224": InputSpec(224, 224, any_size=False, resize=256),
        "dda": InputSpec(336, 336, any_size=False),
        "bfree": InputSpec(None, 504, any_size=True, whole=True),
    }


@pytest.mark.parametrize("size", COMMFOR)
def test_commfor_from_file_to_logit(size: int, tmp_path: pathlib.Path, narrow: Narrow) -> None:
    sizes = [(50, 90), (90, 50), (64, 64), (33, 47), (500, 441), (440, 700)]
    paths = [tmp_path / f"{i}.{end}" for end in ("png", "jpg") for i in range(len(sizes))]
    for number, path in enumerate(paths):
        write_image(path, number, sizes[number % len(sizes)])
    released = random_state(commfor_shapes(size, dim=12, depth=2))
    made = narrow("commfor", released, embed_dim=12, depth=2, num_heads=2)

    walk: list[Transform] = [Resize(made.input.resize), CentreCrop(made.input.size)]
    batch = []
    for path in paths:
        pixels = open_image(str(path))
        for transform in walk:
            pixels = transform(pixels, RNG)
        batch.append(torch.from_numpy(pixels.copy()).permute(2, 0, 1))
    ours = logits(made.network, normalize(torch.stack(batch), made.mean, made.std))

    state = {key.removeprefix("vit."): value for key, value in released.items()}
    resize = transforms.Resize({384: 440, 224: 256}[size])
    plain_walk = transforms.Compose([resize, transforms.CenterCrop(size), transforms.PILToTensor()])
    images = [normalized(plain_walk(Image.open(p).convert("RGB")), IMAGENET) for p in paths]
    plain = [logit_of_patches(state, grid_of_patches(state, i.float()), 2) for i in images]
    exact = [logit_of_patches(state, grid_of_patches(state, i), 2) for i in images]
    assert torch.stack(exact).std() > 0.01  # they tell images apart
    assert_as_exact(ours, torch.stack(plain), torch.stack(exact))


def cubic(distance: float) -> float:
    """The kernel of bicubic interpolation (Keys 1981) with a = -0.75, as torch has it."""
    a, x = -0.75, abs(distance)
    if x <= 1:
        return (a + 2) * x**3 - (a + 3) * x**2 + 1
    return a * (x**3 - 5 * x**2 + 8 * x - 4) if x < 2 else 0.0


def dinov2_positions(positions: Tensor, side: int) -> Tensor:
    """Interpolated on a grid that is stretched to side + 0.1, of which `side` rows are taken; in
    the precision that the positions have.
    """
    old = math.isqrt(positions.shape[1] - 1)
    rows = torch.arange(side, dtype=positions.dtype) + 0.5
    weights = torch.zeros(side, old, dtype=positions.dtype)
    for row, place in enumerate((rows / ((side + 0.1) / old) - 0.5).tolist()):
        for near in range(math.floor(place) - 1, math.floor(place) + 3):
            weights[row, min(max(near, 0), old - 1)] += cubic(place - near)
    grid = positions[0, 1:].reshape(old, old, -1)
    grid = torch.einsum("ri,cj,ijd->rcd", weights, weights, grid)
    return torch.cat([positions[:, :1], grid.reshape(1, side * side, -1)], 1)


def test_positions_are_interpolated_as_dinov2_does() -> None:
    positions = torch.randn(1, 1 + 37**2, 8, generator=torch.Generator().manual_seed(1))
    plain, exact = (dinov2_positions(p, 24) for p in (positions, positions.double()))
    assert_as_exact(dda.resize_positions(positions, 24), plain, exact)
    for antialias in (False, True):  # timm's
        other = timm.layers.resample_abs_pos_embed(positions, [24, 24], antialias=antialias)
        assert (other - exact).abs().max() > 0.1
    assert dda.resize_positions(positions, 37) is positions


def test_dda_is_its_backbone_with_lora(narrow: Narrow) -> None:
    released = random_state(dda_shapes(dim=16, depth=2))
    made = narrow("dda", released, embed_dim=16, depth=2, num_heads=2)
    pixels = random_images(12, 336, 336)
    ours = logits(made.network, normalize(pixels, made.mean, made.std))
    state = {
        key.replace("base_model.fc.", "head.").removeprefix("base_model.model."): value
        for key, value in released.items()
    }
    images = normalized(pixels, CLIP)
    plain, exact = ([plain_dda(state, i) for i in batch] for batch in (images.float(), images))
    assert_as_exact(ours, torch.stack(plain), torch.stack(exact))


def plain_dda(state: State, image: Tensor) -> Tensor:
    positions = dinov2_positions(state["pos_embed"].to(image.dtype), 24)
    return logit_of_patches(state | {"pos_embed": positions}, grid_of_patches(state, image), 2)


def test_bfree_is_the_mean_over_five_windows(narrow: Narrow) -> None:
    released = random_state(bfree_shapes(dim=8, depth=1))
    made = narrow("bfree", released, embed_dim=8, depth=1, num_heads=2)
    ours, plain, exact = [], [], []
    for number, height, width in ((5, 519, 583), (4, 100, 600), (3, 504, 517)):
        pixels = random_images(number, height, width)
        ours.append(logits(made.network, normalize(pixels, made.mean, made.std)))
        for image in normalized(pixels, IMAGENET):
            plain.append(plain_bfree(released, image.float()))
            exact.append(plain_bfree(released, image))
    assert_as_exact(torch.cat(ours), torch.stack(plain), torch.stack(exact))


def plain_bfree(state: State, image: Tensor) -> Tensor:
    grid = grid_of_patches(state, image)
    rows, columns = grid.shape[:2]
    if min(rows, columns) < 36:  # a wall of tiles, seen through a window of 36 by 36
        tiles = [[grid[r % rows, c % columns] for c in range(36)] for r in range(36)]
        grid = torch.stack([torch.stack(line) for line in tiles])
        rows = columns = 36
    middle = ((rows - 36) // 2, (columns - 36) // 2)
    places = [middle, (0, 0), (rows - 36, 0), (rows - 36, columns - 36), (0, columns - 36)]
    windows = [grid[r : r + 36, c : c + 36] for r, c in places]
    return torch.stack([logit_of_patches(state, window, 2) for window in windows]).mean(0)


def windows_of(height: int, width: int, side: int = 3) -> list[list[int]]:
    """The windows of a grid of patches that are numbered 10 * row + column."""
    grid = torch.tensor([[10 * row + column for column in range(width)] for row in range(height)])
    windows = bfree.five_windows(grid[None, None], side, side)
    assert {tuple(window.shape) for window in windows} == {(1, 1, side, side)}
    return [window.flatten().tolist() for window in windows]


def test_the_five_windows() -> None:
    assert [window[0] for window in windows_of(8, 6)] == [21, 0, 50, 53, 3]
    assert windows_of(8, 6)[3] == [53, 54, 55, 63, 64, 65, 73, 74, 75]
    assert [window[0] for window in windows_of(4, 3)] == [0, 0, 10, 10, 0]
    assert windows_of(3, 3) == [[0, 1, 2, 10, 11, 12, 20, 21, 22]]


def test_a_small_grid_is_repeated_to_one_window() -> None:
    assert windows_of(2, 2) == [[0, 1, 0, 10, 11, 10, 0, 1, 0]]
    assert windows_of(1, 3) == [[0, 1, 2] * 3]
    assert windows_of(2, 7) == [[0, 1, 2, 10, 11, 12, 0, 1, 2]]  # cut, as in the authors' code


def test_an_image_smaller_than_a_patch_is_refused() -> None:
    network = blueprint("bfree", on_meta(bfree_shapes())).network
    with pytest.raises(UsageError, match=r"an image of 20x13 pixels is too small.* below 14"):
        network(torch.empty(1, 3, 20, 13, device="meta"))


@pytest.mark.parametrize("name", NAMES)
def test_without_timm_only_the_network_is_wanting(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "timm", None)
    monkeypatch.delitem(sys.modules, f"networks.detectors.{name}")
    its = release(name)
    with pytest.raises(UsageError, match=r"pip install -r requirements-timm\.txt"):
        its.blueprint({})


@pytest.mark.parametrize("name", NAMES)
def test_published_figures_are_fractions_of_known_metrics(name: str) -> None:
    its = release(name)
    benchmarks = {"foren11", "ufd19", "genimage8", "synthbuster", "aigibench25", "wildrf"}
    assert its.published.keys() <= benchmarks
    for figures in its.published.values():
        assert figures.keys() <= METRICS.keys()
        assert all(0 < value <= 1 for value in figures.values())
    assert its.sha256.keys() <= its.files.keys()
    assert all(address.startswith("https://") for address in its.files.values())
    assert its.free == (name == "commfor")
