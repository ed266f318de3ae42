"""The detectors that stand on CLIP: released files to the key, and logits against a slow textbook
CLIP that is written here; whoever falls into one of the known traps gives other logits.
"""

from __future__ import annotations

import math
import sys
from types import SimpleNamespace
from typing import Any, NamedTuple

import pytest
import torch
from torch import Tensor

from networks.detector import NetworkDetector
from networks.detectors import clip
from networks.detectors.release import Blueprint, release
from networks.inference import for_inference
from networks.input_spec import InputSpec
from networks.timm_models import import_timm
from networks.weights import Weights, load_weights
from tests import textbook_clip as textbook
from tests.tolerances import assert_as_exact
from util.errors import UsageError

timm = pytest.importorskip("timm")

State = dict[str, Tensor]
Shapes = dict[str, tuple[int, ...]]


class Size(NamedTuple):
    width: int
    blocks: int
    heads: int
    patch: int
    side: int
    projected: int


FULL = Size(1024, 24, 16, 14, 224, 768)
NARROW = Size(16, 3, 2, 4, 12, 16)  # projected to as many: a projection too many fits, too
RINE = {"rine-1class": (4, 1024), "rine-2class": (4, 128), "rine-4class": (2, 1024)}
RINE["rine-ldm"] = RINE["rine-1class"]
FILES = ["univfd", *RINE, "clipdet", "effort-ufd", "effort-bench", "c2pclip"]


def layer(name: str, inputs: int, outputs: int) -> Shapes:
    return {f"{name}.weight": (outputs, inputs), f"{name}.bias": (outputs,)}


def norm(name: str, width: int) -> Shapes:
    return {f"{name}.weight": (width,), f"{name}.bias": (width,)}


def tower(size: Size) -> Shapes:
    """The names that transformers gives its CLIPVisionTransformer."""
    width = size.width
    shapes: Shapes = {
        "embeddings.class_embedding": (width,),
        "embeddings.patch_embedding.weight": (width, 3, size.patch, size.patch),
        "embeddings.position_embedding.weight": ((size.side // size.patch) ** 2 + 1, width),
        **norm("pre_layrnorm", width),
        **norm("post_layernorm", width),
    }
    for block in (f"encoder.layers.{number}" for number in range(size.blocks)):
        for part in ("q_proj", "k_proj", "v_proj", "out_proj"):
            shapes |= layer(f"{block}.self_attn.{part}", width, width)
        shapes |= layer(f"{block}.mlp.fc1", width, 4 * width)
        shapes |= layer(f"{block}.mlp.fc2", 4 * width, width)
        shapes |= norm(f"{block}.layer_norm1", width) | norm(f"{block}.layer_norm2", width)
    return shapes


def released(file: str, size: Size) -> Shapes:
    """What a released file holds, without DataParallel's prefix."""
    name, _, kind = file.partition("-")
    whole = tower(size)
    if name == "univfd":
        return {"weight": (1, size.projected), "bias": (1,)}
    if name == "clipdet":
        return layer("fc", size.width, 1)
    if name == "rine":
        layers, width = RINE[file] if size is FULL else (RINE[file][0], 12)
        shapes: Shapes = {"alpha": (1, size.blocks, width)}
        for index in (1, 4, 7, 10)[:layers]:
            shapes |= layer(f"proj1.{index}", size.width if index == 1 else width, width)
            shapes |= layer(f"proj2.{index}", width, width)
        shapes |= layer("head.0", width, width) | layer("head.3", width, width)
        return shapes | layer("head.6", width, 1)
    if name == "c2pclip":
        shapes = {f"model.vision_model.{key}": whole[key] for key in whole}
        shapes["model.visual_projection.weight"] = (size.projected, size.width)
        return shapes | layer("model.fc", size.projected, 1)
    shapes = {}
    prefix = "backbone." if kind == "bench" else "model.vision_model."
    for key, shape in whole.items():
        if ".self_attn." not in key or key.endswith("bias"):
            shapes[prefix + key] = shape
            continue
        one, rank = prefix + key.removesuffix("weight"), 1 if size is FULL else 2
        shapes |= {f"{one}weight_main": shape, f"{one}S_residual": (rank,)}
        shapes |= {f"{one}U_residual": (size.width, rank), f"{one}V_residual": (rank, size.width)}
        if kind == "bench":
            shapes |= {f"{one}S_r": (3,), f"{one}U_r": (size.width, 3), f"{one}V_r": (3, 5)}
    if kind == "bench":
        return shapes | layer("head", size.width, 2)
    rest: Shapes = {"model.text_model.final_layer_norm.weight": (8,), "model.logit_scale": ()}
    rest["model.visual_projection.weight"] = (size.projected, size.width)
    rest["model.text_projection.weight"] = (size.projected, 8)
    rest["model.vision_model.embeddings.position_ids"] = (1, 10)
    return shapes | rest | layer("fc", size.width, 1)


def on_meta(file: str) -> State:
    return {key: torch.empty(s, device="meta") for key, s in released(file, FULL).items()}


def loaded(file: str, state: State, backbone: State | None = None) -> Blueprint:
    """What became of the file, together with the backbone's own weights where it has none."""
    name = file.partition("-")[0]
    made = release(name).blueprint(state)
    own = made.network.backbone.state_dict() if backbone is None else backbone
    frozen = {f"backbone.{k}": own[k] for k in made.network.backbone.state_dict() if k in own}
    full = {**frozen, **made.state} if release(name).backbone else made.state
    if not next(iter(full.values())).is_meta:
        made.network.to_empty(device="cpu")
    load_weights(made.network, Weights(f"{file}.pth", full), name)
    return made


@pytest.mark.parametrize("file", FILES)
def test_a_released_file_loads_to_the_key(file: str) -> None:
    made = loaded(file, on_meta(file))
    keys = made.network.state_dict()
    in_backbone = sum(key.startswith("backbone.") for key in keys)
    assert in_backbone == (295 if file.startswith(("clipdet", "effort")) else 297)
    head = {"backbone.head.weight", "backbone.head.bias"} <= set(keys)
    assert head == (in_backbone == 297)
    others = [key for key in keys if not key.startswith("backbone.")]
    if file.startswith("rine"):
        assert set(others) == set(released(file, FULL))
        assert {key: tuple(keys[key].shape) for key in others} == released(file, FULL)
    else:
        assert others == ["head.weight", "head.bias"]
    parameters = sum(value.numel() for value in keys.values())
    projection = 768 * 1024 + 768
    if in_backbone == 295:
        assert parameters == 303_180_801  # timm's count for this tower with one output
    elif not file.startswith("rine"):
        assert parameters == 303_180_801 - 1025 + projection + 769
    images = torch.empty(2, 3, 224, 224, device="meta")
    assert made.network.eval()(images).shape == (2, 1)
    resize = {"clipdet": 224, "effort-bench": (224, 224)}.get(file)
    how = "bicubic" if file == "clipdet" else "bilinear"
    assert made.input == InputSpec(224, 224, any_size=False, resize=resize, interpolation=how)


@pytest.mark.parametrize(
    ("file", "size"), [("univfd", 4_083), ("rine-2class", 1_139_686), ("clipdet", 5_155)]
)
def test_the_tensors_fill_the_file_that_the_authors_offer(file: str, size: int) -> None:
    tensors = sum(4 * math.prod(shape) for shape in released(file, FULL).values())
    assert tensors < size < tensors + 8_000  # a zip's directory, and the names


@pytest.mark.parametrize("file", ["univfd", "rine-2class", "clipdet", "effort-ufd", "c2pclip"])
def test_another_detectors_file_is_named(file: str) -> None:
    for other in ("univfd", "rine-4class", "clipdet", "effort-bench", "c2pclip"):
        if other[:4] != file[:4]:
            with pytest.raises(
                UsageError, match=rf"^{file}\.pth: does not fit .*(missing|unexpected): "
            ):
                loaded(file, on_meta(other))


@pytest.mark.parametrize(
    ("file", "lost", "named"),
    [
        ("univfd", "bias", "missing: head.bias"),
        ("rine-1class", "proj1.10.bias", "missing: proj1.10.bias"),
        ("rine-4class", "alpha", "missing: alpha"),
        ("clipdet", "fc.weight", "missing: head.weight"),
        ("effort-ufd", "model.vision_model.encoder.layers.2.self_attn.q_proj.U_residual", "2.attn"),
        ("effort-bench", "backbone.encoder.layers.9.self_attn.k_proj.bias", "blocks.9.attn.qkv"),
        ("effort-bench", "head.weight", "missing: head.weight"),
        ("c2pclip", "model.vision_model.encoder.layers.5.mlp.fc1.bias", "blocks.5.mlp.fc1.bias"),
        ("c2pclip", "model.visual_projection.weight", "missing: backbone.head.weight"),
    ],
)
def test_a_missing_tensor_is_named(file: str, lost: str, named: str) -> None:
    state = on_meta(file)
    del state[lost]
    with pytest.raises(UsageError, match=named):
        loaded(file, state)


def test_tensors_that_do_not_fit_each_other_are_named() -> None:
    state = on_meta("effort-ufd")
    attention = "model.vision_model.encoder.layers.0.self_attn"
    state[f"{attention}.k_proj.bias"] = torch.empty(3, 3, device="meta")
    state[f"{attention}.out_proj.V_residual"] = torch.empty(7, 5, device="meta")
    with pytest.raises(UsageError, match=r"attn\.qkv\.bias.*attn\.proj\.weight.*unexpected"):
        loaded("effort-ufd", state)
    with pytest.raises(UsageError, match="unexpected: more"):
        loaded("univfd", {**on_meta("univfd"), "more": torch.empty(1, device="meta")})


@pytest.mark.parametrize("file", FILES)
def test_each_block_has_the_activation_that_the_weights_were_trained_with(file: str) -> None:
    """In the network that is built for the file; all entries of timm have the same keys."""
    network: Any = release(file.partition("-")[0]).blueprint(on_meta(file)).network
    blocks = network.backbone.blocks
    x = torch.linspace(-4, 4, 33)
    quick, plain = x * torch.sigmoid(1.702 * x), x * (1 + torch.erf(x / math.sqrt(2))) / 2
    wanted, other = (plain, quick) if file == "clipdet" else (quick, plain)
    assert len(blocks) == 24
    for block in blocks:
        assert_as_exact(block.mlp.act(x), wanted, wanted.double())
        with pytest.raises(AssertionError):
            assert_as_exact(block.mlp.act(x), other, other.double())


@pytest.fixture
def narrow(monkeypatch: pytest.MonkeyPatch) -> None:
    """Timm's entries, of which only the sizes are others."""

    def create_model(name: str, **asked: Any) -> torch.nn.Module:  # noqa: ANN401
        sizes = {"embed_dim": NARROW.width, "depth": NARROW.blocks, "num_heads": NARROW.heads}
        sizes |= {"patch_size": NARROW.patch, "img_size": NARROW.side}
        made: torch.nn.Module = timm.create_model(
            name, **{"num_classes": NARROW.projected, **sizes, **asked}
        )
        return made

    monkeypatch.setattr(clip, "import_timm", lambda: SimpleNamespace(create_model=create_model))


class Made(NamedTuple):
    file: str
    state: State  # the released file
    tower: State  # CLIP's, by transformers' names, as it is to be computed with
    projection: Tensor


def random_tensors(shapes: Shapes, seed: int) -> State:
    generator = torch.Generator().manual_seed(seed)
    made = {key: torch.randn(shape, generator=generator) for key, shape in shapes.items()}
    # of such a size that every layer matters: sums of a width's products near one, norms near one
    for key, value in made.items():
        if value.ndim > 1 and not key.endswith(("class_embedding", "alpha")):
            value.mul_(2 / math.sqrt(value[0].numel()))
        if "norm" in key and key.endswith("weight"):
            value.mul_(0.3).add_(1)
    return made


def made_of(file: str, trap: str = "") -> Made:
    """A released file of random numbers, and CLIP's weights as its authors would compute them."""
    state = random_tensors(released(file, NARROW), 1)
    tower_state = random_tensors(tower(NARROW), 2)
    projection = random_tensors({"projection": (NARROW.projected, NARROW.width)}, 3)["projection"]
    prefix = "backbone." if file == "effort-bench" else "model.vision_model."
    for key in tower_state if file.startswith(("effort", "c2pclip")) else ():
        if prefix + key in state:
            tower_state[key] = state[prefix + key]
            continue
        one = prefix + key.removesuffix("weight")
        u, s, v = (state[f"{one}{part}_residual"] for part in "USV")
        s = torch.ones_like(s) if trap == "no diagonal" else s
        residual = sum(s[i] * torch.outer(u[:, i], v[i]) for i in range(len(s)))
        assert isinstance(residual, Tensor)
        residual = {"order of the merge": residual.T, "no residual": 0 * residual}.get(
            trap, residual
        )
        tower_state[key] = state[f"{one}weight_main"] + residual
    own = state.get("model.visual_projection.weight", projection)
    return Made(file, state, tower_state, own)


def images() -> Tensor:
    generator = torch.Generator().manual_seed(4)
    shape = (16, 3, NARROW.side, NARROW.side)
    return torch.randint(0, 256, shape, generator=generator, dtype=torch.uint8)


def ours(made: Made) -> Tensor:
    """As a user has it: from the file and CLIP's weights to logits of pixels."""
    backbone = clip.from_transformers({f"x.{k}": v for k, v in made.tower.items()}, "x.").backbone
    own = {key.removeprefix("backbone."): value for key, value in backbone.items()}
    own |= {"head.weight": made.projection, "head.bias": torch.zeros(NARROW.projected)}
    out = loaded(made.file, made.state, own)
    detector = NetworkDetector(
        out.network,
        name=made.file,
        device=torch.device("cpu"),
        mean=out.mean,
        std=out.std,
        input=out.input,
        fast=for_inference(out.network),
    )
    return detector.logits(images())


def by_hand(made: Made, dtype: torch.dtype, trap: str = "") -> Tensor:
    state, tower_state = (
        {key: value.to(dtype) for key, value in part.items()} for part in (made.state, made.tower)
    )
    projection = made.projection.to(dtype)
    logits = textbook.logits(made.file, state, tower_state, projection, images(), trap)
    assert logits.isfinite().all()
    return logits


@pytest.mark.usefixtures("narrow")
@pytest.mark.parametrize("file", FILES)
def test_logits_are_the_textbooks(file: str) -> None:
    made = made_of(file)
    logits = ours(made)
    assert logits.std() > 0.02  # of images that are told apart
    assert_as_exact(logits, by_hand(made, torch.float32), by_hand(made, torch.float64))


PROBES = ["univfd", "clipdet", "effort-ufd", "c2pclip"]
TRAPS = [
    *[(file, "activation") for file in ("rine-4class", *PROBES)],
    *[(file, "imagenet") for file in ("rine-4class", *PROBES)],
    *[(file, "order of q, k, v") for file in ("effort-ufd", "effort-bench", "c2pclip")],
    *[(file, "length") for file in PROBES],
    *[(file, "projection") for file in PROBES],
    *[(file, "block output") for file in ("rine-1class", "rine-2class", "rine-4class")],
    *[(file, "axis of the softmax") for file in ("rine-1class", "rine-2class", "rine-4class")],
    ("effort-ufd", "order of the merge"),
    ("effort-ufd", "no diagonal"),
    ("effort-bench", "no residual"),
]


@pytest.mark.usefixtures("narrow")
@pytest.mark.parametrize(("file", "trap"), TRAPS)
def test_a_port_that_falls_into_a_trap_gives_other_logits(file: str, trap: str) -> None:
    """So that the test above sees it."""
    logits, made = ours(made_of(file)), made_of(file, trap)
    trapped = by_hand(made, torch.float32, trap), by_hand(made, torch.float64, trap)
    with pytest.raises(AssertionError, match="off by"):
        assert_as_exact(logits, *trapped)


def test_without_timm_one_line_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "timm", None)
    with pytest.raises(UsageError, match=r"needs timm: pip install -r requirements-timm\.txt$"):
        import_timm()


def test_timm_has_the_backbones_and_one_needs_a_file_of_its_own() -> None:
    for name in ("univfd", "rine"):
        assert timm.is_model_pretrained(release(name).backbone)
        assert not release(name).backbone_file
    assert timm.is_model(release("clipdet").backbone.partition(".")[0])
    assert release("clipdet").backbone_file.startswith("https://")
