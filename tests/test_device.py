"""Which device, and how exact its arithmetic is: what a machine without a GPU can tell."""

from __future__ import annotations

import copy
from collections.abc import Iterator

import pytest
import torch
from torch import nn
from torchvision.models import VisionTransformer

from networks import inference
from networks.architectures import ARCHITECTURES, Architecture
from networks.create import create_network
from networks.device import choose_device
from networks.freeze import freeze, frozen_part
from options.eval_options import EvalOptions
from options.parse import parse
from options.predict_options import PredictOptions
from options.train_options import TrainOptions
from util.errors import UsageError


@pytest.fixture(autouse=True)
def tf32() -> Iterator[None]:
    """What torch allows after the test is what it allowed before."""
    before = torch.backends.cudnn.allow_tf32, torch.get_float32_matmul_precision()
    yield
    torch.backends.cudnn.allow_tf32 = before[0]
    torch.set_float32_matmul_precision(before[1])


def test_fp32_is_fp32_unless_tf32_is_allowed() -> None:
    torch.backends.cudnn.allow_tf32 = True  # torch's default
    torch.set_float32_matmul_precision("high")
    choose_device("cpu")
    assert not torch.backends.cudnn.allow_tf32
    assert torch.get_float32_matmul_precision() == "highest"
    choose_device("cpu", tf32=True)
    assert torch.backends.cudnn.allow_tf32
    assert torch.get_float32_matmul_precision() == "high"


def test_every_script_can_allow_tf32() -> None:
    weights = ["--model_path", "w.pth"]
    assert parse(TrainOptions, ["--tf32"]).tf32
    assert parse(EvalOptions, [*weights, "--dataroot", "d", "--tf32"]).tf32
    assert parse(PredictOptions, [*weights, "a.png", "--tf32"]).tf32
    assert not parse(TrainOptions, []).tf32


def test_one_gpu_for_all_processes_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 8)
    monkeypatch.setattr(torch.cuda, "set_device", lambda _: None)
    monkeypatch.setenv("LOCAL_RANK", "3")
    monkeypatch.setenv("LOCAL_WORLD_SIZE", "4")
    assert choose_device("cuda") == torch.device("cuda:3")
    with pytest.raises(
        UsageError, match=r"--device cuda:0: .* 4 processes .*--device cuda"
    ) as told:
        choose_device("cuda:0")
    assert "\n" not in str(told.value)
    monkeypatch.setenv("LOCAL_WORLD_SIZE", "1")  # a machine's only process may choose
    assert choose_device("cuda:2") == torch.device("cuda:2")


def test_batch_norms_are_folded_on_the_cpu_whatever_the_device(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """In double precision, which Apple's GPUs do not have. Torch's meta device stands for them."""
    network = create_network("resnet18").eval().to("meta")
    copied = copy.deepcopy(network).to_empty(device="cpu")  # meta has no values to copy
    monkeypatch.setattr(nn.Module, "cpu", lambda _: copied)
    folded_on = []
    original = inference._folded

    def spied(plain: nn.Module) -> nn.Module:
        folded_on.append(next(plain.parameters()).device.type)
        return original(plain)

    monkeypatch.setattr(inference, "_folded", spied)
    fast = inference.for_inference(network)
    assert folded_on == ["cpu"]
    assert {p.device.type for p in (*fast.parameters(), *network.parameters())} == {"meta"}


def transformer() -> nn.Module:
    return VisionTransformer(
        image_size=32, patch_size=16, num_layers=2, num_heads=2, hidden_dim=8, mlp_dim=8
    )


def test_the_root_parameters_of_a_transformer_are_frozen_with_its_backbone(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    small_vit = Architecture(build=transformer, head="heads.head", features=None, stages=())
    monkeypatch.setitem(ARCHITECTURES, "small_vit", small_vit)
    network = transformer()
    freeze(frozen_part(network, "small_vit", "backbone"))
    assert [name for name, p in network.named_parameters() if p.requires_grad] == [
        "heads.head.weight",
        "heads.head.bias",
    ]
