"""Backbones of timm: built, trained, resumed, evaluated, explained; and refused in one line."""

from __future__ import annotations

import pathlib
import sys
from typing import Any

import numpy as np
import pytest
import timm
import torch
from safetensors.torch import save_file
from torch import Tensor, nn
from torch.nn import functional

import eval as evaluation_script
from networks import timm_models
from networks.architectures import architecture
from networks.create import create_network
from networks.detector import load_detector
from networks.fit import check_fit
from networks.freeze import freeze, frozen_part
from networks.gradcam import gradcam
from networks.maps import Maps, maps_of
from networks.weights import read_weights
from options.eval_options import EvalOptions
from options.parse import parse
from tests.tolerances import assert_as_exact, exact_logits
from tests.toy_runs import assert_same_run, load, run_training
from util.errors import UsageError

TINY = "timm:vit_tiny_patch16_224@32"  # a transformer for images of 32x32 pixels
CNN = "timm:resnet10t"


def test_what_timm_says_of_a_backbone_is_what_is_used() -> None:
    for name in ("vit_tiny_patch16_224.augreg_in21k", "resnet50.tv_in1k", "convnext_tiny.fb_in1k"):
        its, config = architecture(f"timm:{name}"), timm.get_pretrained_cfg(name)
        assert (its.mean, its.std) == (config.mean, config.std)
        assert (its.size, its.interpolation) == (config.input_size[1], config.interpolation)
        assert its.any_size == (not name.startswith("vit"))
    assert architecture(TINY).size == 32
    assert architecture("timm:resnet50.tv_in1k").interpolation == "bilinear"


def test_it_trains_resumes_to_the_bit_and_carries_its_input(
    toy: pathlib.Path, tmp_path: pathlib.Path, capsys: pytest.CaptureFixture[str]
) -> None:
    on = ("--arch", TINY, "--niter", 2)
    whole = run_training(toy, tmp_path / "whole", *on)
    run_training(toy, tmp_path / "parts", *on, "--max_steps", 4)
    assert_same_run(whole, run_training(toy, tmp_path / "parts", *on, "--continue_train"))
    checkpoint = load(whole)
    assert checkpoint["arch"] == TINY
    assert (checkpoint["mean"], checkpoint["std"]) == ((0.5,) * 3, (0.5,) * 3)
    assert checkpoint["interpolation"] == "bicubic"

    path = str(whole / "model_epoch_best.pth")
    argv = ["--model_path", path, "--dataroot", str(toy / "test"), "--results_dir", str(tmp_path)]
    assert evaluation_script.main(parse(EvalOptions, [*argv, "--bootstrap", "0"])) == 0
    assert f"{TINY}, weights" in capsys.readouterr().out


def test_the_logits_are_timms_own_on_pixels_of_its_statistics(tmp_path: pathlib.Path) -> None:
    torch.manual_seed(0)
    network = timm.create_model("vit_tiny_patch16_224", num_classes=1, img_size=32).eval()
    content = {"model": network.state_dict(), "arch": TINY, "crop_size": 32}
    content |= {"mean": (0.5, 0.5, 0.5), "std": (0.5, 0.5, 0.5)}
    torch.save(content, tmp_path / "w.pth")
    detector = load_detector(str(tmp_path / "w.pth"), device="cpu")
    images = torch.randint(0, 256, (12, 3, 32, 32), dtype=torch.uint8)
    normalized = (images / 255 - 0.5) / 0.5
    with torch.inference_mode():
        own = network(normalized)
    assert_as_exact(detector.logits(images), own, exact_logits(network, normalized))


def test_the_sizes_that_are_not_given_are_those_of_the_backbone(
    toy: pathlib.Path, tmp_path: pathlib.Path, capsys: pytest.CaptureFixture[str]
) -> None:
    import train  # noqa: PLC0415
    from options.train_options import TrainOptions  # noqa: PLC0415

    def options_of(arch: str) -> str:
        argv = ["--dry_run", "--dataroot", str(toy), "--arch", arch, "--batch_size", "4"]
        train.main(parse(TrainOptions, [*argv, "--checkpoints_dir", str(tmp_path)]))
        return capsys.readouterr().out

    said = options_of("timm:vit_small_patch16_384")
    assert '"cropSize": 384' in said
    assert '"loadSize": 439' in said
    assert '"bicubic"' in said
    said = options_of("resnet50")
    assert '"cropSize": 224' in said
    assert '"loadSize": 256' in said
    assert '"bilinear"' in said


def test_a_fixed_size_is_refused_in_one_line() -> None:
    with pytest.raises(UsageError, match=r"--cropSize 24: .* takes 32 alone; .*@24") as error:
        check_fit(TINY, 24)
    assert "\n" not in str(error.value)
    check_fit(TINY, 32)
    check_fit(CNN, 77)


def test_whole_images_of_a_fixed_size_are_refused(tmp_path: pathlib.Path) -> None:
    network = create_network(TINY)
    torch.save({"model": network.state_dict(), "arch": TINY}, tmp_path / "w.pth")
    detector = load_detector(str(tmp_path / "w.pth"), device="cpu")
    assert detector.input.crop(None, whole=False, default=None) == 32
    with pytest.raises(UsageError, match="--no_crop: "):
        detector.check_size(None)


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("timm:no_such_net", "timm has no such model"),
        ("timm:resnet18.no_such_tag", "timm has no such model"),
        ("timm:vit_tiny_patch16_224@x", "size after @"),
        ("timm:resnet18@64", "timm cannot build it"),
    ],
)
def test_an_unknown_backbone_is_one_line(name: str, words: str) -> None:
    with pytest.raises(UsageError, match=words) as error:
        architecture(name)
    assert name in str(error.value)
    assert "\n" not in str(error.value)


def test_without_timm_it_is_named_and_all_else_works(
    toy: pathlib.Path, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "timm", None)
    timm_models.timm_architecture.cache_clear()
    with pytest.raises(UsageError, match=r"pip install -r requirements-timm\.txt"):
        run_training(toy, tmp_path, "--arch", CNN)
    run_training(toy, tmp_path, "--max_steps", 1)


def pretrained_file(path: pathlib.Path, name: str) -> nn.Module:
    """Save what timm would publish: the backbone with its own head."""
    torch.manual_seed(3)
    network: nn.Module = timm.create_model(name)
    save_file(network.state_dict(), str(path))
    return network


def test_pretrained_weights_of_a_file_fit_to_the_key(tmp_path: pathlib.Path) -> None:
    theirs = pretrained_file(tmp_path / "model.safetensors", "resnet10t")
    network = create_network(CNN, str(tmp_path / "model.safetensors"))
    state = network.state_dict()
    for key, value in theirs.state_dict().items():
        if not key.startswith("fc."):
            assert torch.equal(state[key], value), key
    assert state["fc.weight"].shape == (1, 512)

    lacking = {k: v for k, v in theirs.state_dict().items() if k != "layer1.0.conv1.weight"}
    save_file(lacking, str(tmp_path / "lacking.safetensors"))
    with pytest.raises(UsageError, match=r"lacking\.safetensors: .*layer1\.0\.conv1\.weight"):
        create_network(CNN, str(tmp_path / "lacking.safetensors"))
    (tmp_path / "broken.safetensors").write_bytes(b"x")
    with pytest.raises(UsageError, match=r"broken\.safetensors"):
        create_network(CNN, str(tmp_path / "broken.safetensors"))


def test_pretrained_weights_fit_another_size_but_for_the_position_embedding(
    tmp_path: pathlib.Path,
) -> None:
    theirs = pretrained_file(tmp_path / "vit.safetensors", "vit_tiny_patch16_224").state_dict()
    state = create_network(TINY, str(tmp_path / "vit.safetensors")).state_dict()
    assert state["pos_embed"].shape == (1, 1 + 4, 192)  # a class token and 2x2 patches
    assert torch.equal(state["pos_embed"][:, 0], theirs["pos_embed"][:, 0])
    own = [key for key in theirs if not key.startswith(("head.", "pos_embed"))]
    assert all(torch.equal(state[key], theirs[key]) for key in own)


def test_pretrained_weights_are_nothing_to_score_with(
    toy: pathlib.Path, tmp_path: pathlib.Path
) -> None:
    """Also not as what fine-tuning is compared with: said before anything is trained."""
    file = tmp_path / "model.safetensors"
    pretrained_file(file, "resnet10t")
    with pytest.raises(UsageError, match=r"does not fit .*: of another shape: fc\.weight"):
        load_detector(str(file), arch=CNN, device="cpu")
    flags = ("--arch", CNN, "--init", file, "--testroots", toy / "test")
    with pytest.raises(UsageError, match=r"does not fit .*: of another shape: fc\.weight"):
        run_training(toy, tmp_path, *flags)
    assert not (tmp_path / "run").exists()
    assert load(run_training(toy, tmp_path, *flags[:4], "--max_steps", 1))["arch"] == CNN


def test_a_checkpoint_of_ours_is_started_from_as_it_is(tmp_path: pathlib.Path) -> None:
    network = create_network(CNN)
    torch.save({"model": network.state_dict(), "arch": CNN}, tmp_path / "ours.pth")
    again = create_network(CNN, str(tmp_path / "ours.pth"))
    assert torch.equal(again.get_parameter("fc.weight"), network.get_parameter("fc.weight"))
    torch.save(network.state_dict(), tmp_path / "bare.pth")  # of a training elsewhere
    bare = create_network(CNN, str(tmp_path / "bare.pth"))
    assert torch.equal(bare.get_parameter("fc.weight"), network.get_parameter("fc.weight"))
    load_detector(str(tmp_path / "bare.pth"), arch=CNN, device="cpu")
    torch.save({"model": network.state_dict(), "arch": "resnet18"}, tmp_path / "other.pth")
    assert read_weights(str(tmp_path / "other.pth")).arch == "resnet18"


def test_offline_the_file_wanted_is_named_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []

    def unreachable(address: str, timeout: float) -> object:
        assert timeout <= 1
        asked.append(address)
        raise OSError("no route")

    monkeypatch.setattr(timm_models.urllib.request, "urlopen", unreachable)
    monkeypatch.setattr("huggingface_hub.try_to_load_from_cache", lambda *args: None)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", False)
    with pytest.raises(
        UsageError, match=r"model\.safetensors of .*timm/resnet10t\S* .*--init FILE"
    ):
        create_network("timm:resnet10t.c3_in1k", "pretrained")
    assert len(asked) == 1
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    with pytest.raises(UsageError, match="HF_HUB_OFFLINE is set"):
        create_network("timm:resnet10t.c3_in1k", "pretrained")
    assert len(asked) == 1
    with pytest.raises(UsageError, match="--init pretrained, scratch, or a weights file"):
        create_network(CNN, "imagenet")


def test_online_the_hubs_weights_are_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of the library's own path only the download itself is replaced."""
    torch.manual_seed(4)
    theirs = timm.create_model("resnet10t").state_dict()
    monkeypatch.setattr(timm_models, "_require_hub", lambda *args: None)
    builder = sys.modules["timm.models._builder"]
    monkeypatch.setattr(builder, "load_state_dict_from_hf", lambda *args, **kwargs: dict(theirs))
    network = create_network("timm:resnet10t.c3_in1k", "pretrained")
    assert torch.equal(
        network.state_dict()["layer4.0.conv1.weight"], theirs["layer4.0.conv1.weight"]
    )
    assert network.get_parameter("fc.weight").shape == (1, 512)


def trained_after(arch: str, part: str) -> set[str]:
    network = create_network(arch)
    freeze(frozen_part(network, arch, part))
    return {name for name, p in network.named_parameters() if p.requires_grad}


def test_freezing_counts_blocks() -> None:
    head = {"head.weight", "head.bias"}
    assert trained_after(TINY, "backbone") == head
    some = trained_after(TINY, "stages:11")
    assert {name.split(".")[1] for name in some if name.startswith("blocks")} == {"11"}
    assert not {"cls_token", "pos_embed", "patch_embed.proj.weight"} & some
    assert head < some
    some = trained_after(CNN, "stages:3")
    assert {name.split(".")[0] for name in some} == {"layer4", "fc"}


def test_tokens_are_maps_row_by_row() -> None:
    tokens = torch.arange(2 + 6).float().reshape(1, 8, 1)
    maps = Maps("x", "tokens", prefix_tokens=2).as_nchw(tokens, 32, 48)
    assert maps.tolist() == [[[[2, 3, 4], [5, 6, 7]]]]
    assert Maps("x", "NHWC").as_nchw(torch.zeros(1, 2, 3, 5), 32, 48).shape == (1, 5, 2, 3)


def test_gradcam_of_a_transformer_is_that_of_its_last_attention() -> None:
    torch.manual_seed(1)
    network = create_network(TINY).eval()
    nn.init.normal_(network.get_parameter("head.weight"))
    detector = detector_of(network)
    pixels = np.random.default_rng(0).integers(0, 256, (3, 32, 32), dtype=np.uint8)
    image = torch.from_numpy(pixels)
    heat = gradcam(detector, image)

    assert heat.max() == 1
    assert_as_exact(
        heat, *(by_hand(network.to(kind), image) for kind in (torch.float32, torch.float64))
    )


def by_hand(network: nn.Module, image: Tensor) -> Tensor:
    """From the class token's logit as a function of what enters the last block's attention."""
    pixels = (image[None].to(next(network.parameters()).dtype) / 255 - 0.5) / 0.5
    kept: dict[str, Tensor] = {}
    last: Any = network.get_submodule("blocks.11")
    hook = last.register_forward_pre_hook(
        lambda module, inputs: kept.update(before=inputs[0].detach())
    )
    with torch.no_grad():
        verdict = network(pixels).item()
    hook.remove()
    normed = last.norm1(kept["before"]).detach().requires_grad_()
    after = kept["before"] + last.ls1(last.attn(normed))
    after = after + last.ls2(last.mlp(last.norm2(after)))
    score = network.get_submodule("head")(network.get_submodule("norm")(after)[:, 0]).squeeze()
    (gradient,) = torch.autograd.grad(score if verdict > 0 else -score, normed)
    weights = gradient[0, 1:].mean(dim=0)
    cells = (normed.detach()[0, 1:] @ weights).relu().reshape(1, 1, 2, 2)
    wanted = functional.interpolate(cells, (32, 32), mode="bilinear")[0, 0]
    return wanted / wanted.max()


def detector_of(network: nn.Module) -> Any:  # noqa: ANN401
    from networks.detector import NetworkDetector  # noqa: PLC0415

    its = architecture(TINY)
    return NetworkDetector(
        network,
        name=TINY,
        device=torch.device("cpu"),
        mean=its.mean,
        std=its.std,
        maps=maps_of(its),
    )
