from __future__ import annotations

import copy
import os
import subprocess
import sys

import pytest
import torch
from torch import nn
from torchvision.models.resnet import BasicBlock, ResNet

from networks.architectures import ARCHITECTURES
from networks.create import create_network
from networks.inference import for_inference
from tests.conftest import ROOT, assert_wrong_usage
from tests.tolerances import assert_as_exact, exact_logits
from util.errors import UsageError


def has_compiler() -> bool:
    from torch._inductor import cpp_builder  # noqa: PLC0415

    try:
        cpp_builder.get_cpp_compiler()
    except RuntimeError:
        return False
    return True


needs_compiler = pytest.mark.skipif(not has_compiler(), reason="torch.compile needs g++ here")


def trained(name: str) -> nn.Module:
    """A network whose batch norms do something: statistics of random images, random affine."""
    torch.manual_seed(0)
    network = shortest_resnet() if name == "shortest" else create_network(name)
    norms = [module for module in network.modules() if isinstance(module, nn.BatchNorm2d)]
    for norm in norms:
        nn.init.uniform_(norm.weight, 0.5, 1.5)
        nn.init.normal_(norm.bias, 0.0, 0.3)
        norm.momentum = None
    with torch.no_grad():
        network.train()(2 * images(6, 48, 48) + 0.5)
    return network.eval()


def shortest_resnet() -> nn.Module:
    """As a ResNet-18, with each kind of block once: what is compiled takes its time."""
    network = ResNet(BasicBlock, [1, 1, 1, 1], num_classes=1)
    network.layer3 = network.layer4 = nn.Identity()
    network.fc = nn.Linear(128, 1)
    return network


def images(count: int, height: int, width: int) -> torch.Tensor:
    generator = torch.Generator().manual_seed(count)
    return torch.randn(count, 3, height, width, generator=generator)


def logits_of(
    fast: nn.Module, plain: nn.Module, batches: list[torch.Tensor]
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Of all the batches: ours, the plain network's, and its in float64."""
    with torch.inference_mode():
        ours = torch.cat([fast(batch).float() for batch in batches])
        theirs = torch.cat([plain(batch).float() for batch in batches])
    return ours, theirs, torch.cat([exact_logits(plain, batch) for batch in batches])


def norms_of(network: nn.Module) -> int:
    return sum(isinstance(module, nn.BatchNorm2d) for module in network.modules())


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_logits_are_the_plain_networks(name: str) -> None:
    network = trained(name)
    fast = for_inference(network)
    assert norms_of(fast) == 0
    assert not fast.training
    assert_as_exact(*logits_of(fast, network, [images(7, 32, 48), images(6, 40, 32)]))


# Deep residual networks of random weights turn bf16's rounding into anything, folded or not.
@pytest.mark.parametrize("name", ["resnet18", "efficientnet_b0", "convnext_tiny"])
def test_logits_in_bf16_are_close(name: str) -> None:
    network = trained(name)
    fast = for_inference(network)
    with torch.autocast("cpu", torch.bfloat16):
        rough, plain, _ = logits_of(fast, network, [images(13, 48, 64)])
    expected = exact_logits(network, images(13, 48, 64))
    assert_as_exact(rough, plain, expected)
    assert (plain != expected).any()


@pytest.mark.parametrize("training", [True, False])
def test_the_original_stays_as_it_was(training: bool) -> None:
    network = trained("resnet18").train(training)
    before = copy.deepcopy(network.state_dict())
    fast = for_inference(network)
    with torch.inference_mode():
        fast(images(2, 64, 64))
    assert network.training is training
    assert norms_of(network) == 20
    assert all(p.requires_grad for p in network.parameters())
    after = network.state_dict()
    assert list(after) == list(before)
    assert all(torch.equal(after[key], value) for key, value in before.items())
    assert not {p.data_ptr() for p in fast.parameters()} & {v.data_ptr() for v in after.values()}


class Shared(nn.Module):
    """Convolutions that must not be folded: one read twice, one run twice."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.first_norm = nn.Conv2d(3, 3, 3), nn.BatchNorm2d(3)
        self.second, self.second_norm = nn.Conv2d(3, 3, 1), nn.BatchNorm2d(3)

    def forward(self, batch: torch.Tensor) -> torch.Tensor:
        maps = self.first(batch)
        maps = maps + self.first_norm(maps)
        maps = self.second_norm(self.second(self.second(maps)))
        return maps.mean(dim=(1, 2, 3))[:, None]


class Branching(nn.Module):
    """What torch.fx cannot trace."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.norm = nn.Conv2d(3, 1, 3), nn.BatchNorm2d(1)

    def forward(self, batch: torch.Tensor) -> torch.Tensor:
        maps = self.norm(self.conv(batch))
        return maps.mean(dim=(2, 3)) if maps.sum() > 0 else maps.amax(dim=(2, 3))


@pytest.mark.parametrize("kind", [Shared, Branching])
def test_what_cannot_be_folded_stays(kind: type[nn.Module]) -> None:
    torch.manual_seed(0)
    network = kind()
    for _ in range(3):
        network(images(4, 16, 16) + 1)
    network.eval()
    fast = for_inference(network)
    assert norms_of(fast) == norms_of(network)
    assert_as_exact(*logits_of(fast, network, [images(12, 16, 16)]))


@needs_compiler
def test_compiled_logits_at_any_size_without_compiling_for_each() -> None:
    network = trained("shortest")
    fast = for_inference(network, compile=True)
    torch._dynamo.reset()
    torch._dynamo.utils.counters.clear()
    shapes = ((4, 64, 64), (3, 64, 64), (4, 96, 80), (5, 72, 72), (2, 80, 96))
    assert_as_exact(*logits_of(fast, network, [images(*shape) for shape in shapes]))
    assert torch._dynamo.utils.counters["stats"]["unique_graphs"] <= 2
    with torch.autocast("cpu", torch.bfloat16):
        rough, plain, _ = logits_of(fast, network, [images(12, 64, 64)])
    assert_as_exact(rough, plain, exact_logits(network, images(12, 64, 64)))


def test_a_missing_compiler_is_told_in_one_line() -> None:
    code = (
        "from networks.create import create_network; from networks.inference import for_inference;"
        "from util.errors import run;"
        "run(lambda: for_inference(create_network('resnet18'), compile=True) and None)"
    )
    result = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "CXX": "no-such-compiler"},
        capture_output=True,
        text=True,
        cwd=ROOT,
        check=False,
    )
    assert_wrong_usage(result, "--compile", "C++ compiler")


def test_a_compiler_that_fails_later_is_told_in_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    from torch._dynamo.exc import BackendCompilerFailed  # noqa: PLC0415

    def fail(batch: torch.Tensor) -> torch.Tensor:
        raise BackendCompilerFailed(fail, RuntimeError("Python.h is missing\nand more"), None)

    monkeypatch.setattr("networks.inference._require_compiler", lambda: None)
    fast = for_inference(create_network("resnet18"), compile=True)
    monkeypatch.delattr(fast, "compiled")
    monkeypatch.setattr(fast, "compiled", fail, raising=False)
    with pytest.raises(UsageError, match="--compile") as error:
        fast(images(2, 64, 64))
    assert "Python.h is missing" in str(error.value)
    assert "\n" not in str(error.value)
