from __future__ import annotations

import copy

import numpy as np
import numpy.typing as npt
import pytest
import torch
import torchvision
from torch import Tensor, nn

from networks.architectures import ARCHITECTURES
from networks.detector import NetworkDetector
from networks.gradcam import gradcam
from networks.maps import maps_of
from networks.normalize import normalize
from tests.tolerances import assert_as_exact

CPU = torch.device("cpu")


def network_of(arch: str, seed: int = 0) -> nn.Module:
    torch.manual_seed(seed)
    return ARCHITECTURES[arch].build()


def heatmap(
    network: nn.Module, arch: str, image: Tensor, threshold: float = 0.0
) -> npt.NDArray[np.float32]:
    maps = maps_of(ARCHITECTURES[arch])
    return gradcam(NetworkDetector(network, name=arch, device=CPU, maps=maps), image, threshold)


def noise(height: int = 96, width: int = 64) -> Tensor:
    pixels = np.random.default_rng(5).integers(0, 256, (3, height, width), dtype=np.uint8)
    return torch.from_numpy(pixels)


def slow_gradcam(network: nn.Module, image: Tensor, sign: int) -> npt.NDArray[np.float32]:
    """For a ResNet or VGG, cut in two by hand; the loops are the paper's sums."""
    network.eval()
    parts = dict(network.named_children())
    kind = next(network.parameters()).dtype
    maps = torchvision.transforms.functional.normalize(
        image[None].to(kind) / 255, [0.485, 0.456, 0.406], [0.229, 0.224, 0.225]
    )
    for name, part in parts.items():
        if name == "avgpool":
            break
        maps = part(maps)
    maps = maps.detach().requires_grad_()
    last = parts["fc" if "fc" in parts else "classifier"]
    (sign * last(parts["avgpool"](maps).flatten(1))).sum().backward()
    channels, height, width = maps.shape[1:]
    heat = np.zeros((height, width))
    for k in range(channels):
        alpha = float(maps.grad[0, k].sum()) / (height * width)
        heat += alpha * maps[0, k].detach().numpy()
    heat = np.maximum(heat, 0)
    large = torchvision.transforms.functional.resize(
        torch.from_numpy(heat)[None], list(image.shape[1:]), antialias=False
    )[0].numpy()
    return large / large.max()


def slow_gradcams(
    network: nn.Module, image: Tensor, sign: int
) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]:
    """In float32 and in float64."""
    plain = slow_gradcam(network, image, sign)
    exact = slow_gradcam(copy.deepcopy(network).double(), image, sign)
    return plain, exact


@pytest.mark.parametrize("arch", ["resnet18", "vgg16"])  # vgg16's gradient differs by place
def test_the_map_is_that_of_a_slow_independent_gradcam(arch: str) -> None:
    network = network_of(arch)
    bias = network.get_parameter(ARCHITECTURES[arch].head + ".bias")
    for sign in (1, -1):
        with torch.no_grad():  # moves the logit without changing what any place contributes
            bias.fill_(100 * sign)
        heat = heatmap(network, arch, noise())
        assert heat.dtype == np.float32
        # the layers before the maps run without a gradient, for which an Intel processor takes
        # convolutions of another rounding: of vgg16 14 times as far off as the plain way
        assert_as_exact(heat, *slow_gradcams(network, noise(), sign), factor=32)


def test_the_layers_before_the_maps_keep_nothing_for_a_gradient() -> None:
    """On a large image what they would keep is most of the memory."""
    network, kept = network_of("resnet18"), []
    for name in ("conv1", "layer3", "fc"):
        network.get_submodule(name).register_forward_hook(
            lambda module, inputs, output: kept.append(output.requires_grad)
        )
    heatmap(network, "resnet18", noise())
    assert kept == [False, False, True]


@pytest.mark.parametrize("arch", ARCHITECTURES)
def test_every_backbone_has_a_map(arch: str) -> None:
    """From layers that hold maps: 96x64 pixels are 3x2 cells, so there are corners to differ; of
    half a ResNet 12x8, of patches at half resolution 48x32.
    """
    network = network_of(arch)
    shapes = []
    features = network.get_submodule(ARCHITECTURES[arch].features)
    hook = features.register_forward_hook(lambda m, i, maps: shapes.append(maps.shape))
    heats = [heatmap(network, arch, noise(), threshold) for threshold in (-np.inf, np.inf)]
    hook.remove()
    channels, *cells = {"resnet50_2stages": (512, 12, 8), "patch23": (128, 48, 32)}.get(
        arch, (512, 3, 2)
    )
    assert all(shape[0] == 1 and shape[1] >= channels and [*shape[2:]] == cells for shape in shapes)
    for heat in heats:
        assert heat.shape == (96, 64)
        assert np.isfinite(heat).all()
        assert heat.min() >= 0
    assert max(heat.max() for heat in heats) == 1  # one of both verdicts has evidence
    assert not np.array_equal(*heats)


def test_the_threshold_decides_which_verdict_is_explained() -> None:
    network = network_of("resnet18")
    with torch.no_grad():
        network.get_parameter("fc.weight").copy_(torch.linspace(-1, 1, 512)[None])
    fake, real = (heatmap(network, "resnet18", noise(), t) for t in (-np.inf, np.inf))
    # what speaks for one verdict at a place does not speak for the other there: the cells' centres
    cells = np.ix_(range(16, 96, 32), range(16, 64, 32))
    assert fake.any()
    assert real.any()
    np.testing.assert_array_less(np.minimum(fake, real)[cells], 0.05)
    for heat, sign in ((fake, 1), (real, -1)):
        assert_as_exact(heat, *slow_gradcams(network, noise(), sign))


def test_a_logit_at_the_threshold_is_called_real() -> None:
    network = network_of("resnet18").eval()
    with torch.no_grad():
        network.get_parameter("fc.weight").fill_(1.0)  # all evidence speaks for "fake"
        logit = network(normalize(noise()[None])).item()
    assert heatmap(network, "resnet18", noise(), np.nextafter(logit, -np.inf)).any()
    assert not heatmap(network, "resnet18", noise(), logit).any()


def test_without_evidence_the_map_is_zero() -> None:
    network = network_of("resnet18")
    with torch.no_grad():
        network.get_parameter("fc.weight").zero_()
    heat = heatmap(network, "resnet18", noise())
    np.testing.assert_array_equal(heat, np.zeros((96, 64), np.float32))


def test_the_network_stays_as_it_was() -> None:
    network = network_of("resnet18")
    detector = NetworkDetector(
        network, name="resnet18", device=CPU, maps=maps_of(ARCHITECTURES["resnet18"])
    )
    network.train()
    network.get_submodule("layer1").eval()  # as where batch normalisation is frozen
    network.get_parameter("conv1.weight").requires_grad_(False)
    modes = [module.training for module in network.modules()]
    state = {key: value.clone() for key, value in network.state_dict().items()}
    gradcam(detector, noise())
    assert [module.training for module in network.modules()] == modes
    assert all(torch.equal(value, state[key]) for key, value in network.state_dict().items())
    assert all(parameter.grad is None for parameter in network.parameters())
    assert [name for name, p in network.named_parameters() if not p.requires_grad] == [
        "conv1.weight"
    ]
    assert not any(module._forward_hooks for module in network.modules())


def test_the_network_is_restored_after_an_error() -> None:
    network = network_of("resnet18")
    detector = NetworkDetector(
        network, name="resnet18", device=CPU, maps=maps_of(ARCHITECTURES["resnet18"])
    )
    network.train()
    with pytest.raises(RuntimeError):
        gradcam(detector, noise()[:2])
    assert network.training
    assert not any(module._forward_hooks for module in network.modules())


def test_it_works_in_inference_mode() -> None:
    network = network_of("resnet18")
    expected = heatmap(network, "resnet18", noise())
    with torch.inference_mode():
        heat = heatmap(network, "resnet18", noise().clone())
        assert torch.is_inference_mode_enabled()
    np.testing.assert_array_equal(heat, expected)
