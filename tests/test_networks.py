from __future__ import annotations

import pathlib
import pickle
import resource
import sys
import urllib.error

import pytest
import torch
import torchvision
from torch import nn

from networks.architectures import ARCHITECTURES
from networks.create import HEAD_STD, create_network, create_trained
from networks.device import choose_device, keep_freed_memory
from networks.weights import read_weights
from tests.tolerances import near
from util.errors import UsageError


def plain(name: str = "resnet18", seed: int = 1) -> nn.Module:
    torch.manual_seed(seed)
    network: nn.Module = torchvision.models.get_model(name, weights=None, num_classes=1)
    return network


def test_resnet50_has_torchvisions_keys_and_one_logit() -> None:
    network = create_network("resnet50")
    expected = torchvision.models.resnet50(num_classes=1).state_dict()
    assert {k: v.shape for k, v in network.state_dict().items()} == {
        k: v.shape for k, v in expected.items()
    }
    assert network(torch.zeros(2, 3, 64, 64)).shape == (2, 1)
    weight = network.get_parameter("conv1.weight")
    assert weight.is_contiguous(memory_format=torch.channels_last)


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_every_entry_names_the_last_layer_with_one_output(name: str) -> None:
    with torch.device("meta"):  # shapes without memory
        head = ARCHITECTURES[name].build().get_submodule(ARCHITECTURES[name].head)
    assert isinstance(head, nn.Linear)
    assert head.out_features == 1
    if name not in ("resnet50_2stages", "patch23"):  # of which there are no such weights
        assert "IMAGENET1K_V1" in torchvision.models.get_model_weights(name).__members__


def test_a_patch_network_sees_23_pixels() -> None:
    """By gradients: what one place of its last maps depends on; and that their mean is scored."""
    network = create_network("patch23").eval()
    image = torch.rand(1, 3, 64, 64, requires_grad=True)
    maps = network.get_submodule("features")(image)
    (gradient,) = torch.autograd.grad(maps[0, :, 16, 16].sum(), image)
    seen = gradient.abs().sum((0, 1)).nonzero()
    assert (seen.max(0).values - seen.min(0).values + 1).tolist() == [23, 23]
    head = network.get_submodule("fc")
    logit = head(maps.mean((2, 3))).item()
    assert network(image).item() == near(logit, 1e-4, "sums in another order")


def test_scratch_starts_with_small_head_and_identity_blocks() -> None:
    torch.manual_seed(0)
    network = create_network("resnet50")
    state = network.state_dict()
    assert float(state["fc.weight"].std()) == near(HEAD_STD, 0.1 * HEAD_STD, "of 2048 draws")
    assert not state["layer1.0.bn3.weight"].any()
    assert torch.equal(state["layer1.0.bn2.weight"], torch.ones(64))


def test_the_same_seed_gives_the_same_network() -> None:
    states = []
    for seed in (3, 3, 4):
        torch.manual_seed(seed)
        states.append(create_network("resnet18").state_dict()["fc.weight"])
    assert torch.equal(states[0], states[1])
    assert not torch.equal(states[0], states[2])


def test_imagenet_weights_are_fetched_once_and_taken_but_for_the_head(
    monkeypatch: pytest.MonkeyPatch, tmp_path: pathlib.Path
) -> None:
    torch.manual_seed(9)
    state = torchvision.models.resnet18(num_classes=1000).state_dict()
    asked = []

    def download(url: str, destination: str, hash_prefix: str) -> None:
        asked.append((url, hash_prefix))
        torch.save(state, destination)

    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    monkeypatch.setattr("torch.hub.download_url_to_file", download)
    for _ in range(2):
        network = create_network("resnet18", "imagenet").state_dict()
        assert network["fc.weight"].shape == (1, 512)
        assert all(torch.equal(network[k], v) for k, v in state.items() if not k.startswith("fc."))
    assert asked == [(torchvision.models.ResNet18_Weights.IMAGENET1K_V1.url, "f37072fd")]


def test_imagenet_weights_that_do_not_fit_are_named(
    monkeypatch: pytest.MonkeyPatch, tmp_path: pathlib.Path
) -> None:
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    state = torchvision.models.resnet18(num_classes=1000).state_dict()
    del state["layer2.0.conv1.weight"]
    (tmp_path / "hub/checkpoints").mkdir(parents=True)
    url = torchvision.models.ResNet18_Weights.IMAGENET1K_V1.url
    torch.save(state, tmp_path / "hub/checkpoints" / url.rpartition("/")[2])
    with pytest.raises(UsageError, match=r"--init imagenet: .*layer2\.0\.conv1\.weight"):
        create_network("resnet18", "imagenet")


def test_imagenet_without_a_connection_names_the_other_two(
    monkeypatch: pytest.MonkeyPatch, tmp_path: pathlib.Path
) -> None:
    def refuse(*arguments: object, **keywords: object) -> None:
        raise urllib.error.URLError("no route to host")

    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    monkeypatch.setattr("torch.hub.urlopen", refuse)
    with pytest.raises(UsageError) as error:
        create_network("resnet50", "imagenet")
    for word in ("--init imagenet", "--init scratch", "--init PATH", "no route to host"):
        assert word in str(error.value)


def test_an_unknown_network_is_refused_with_the_known_ones() -> None:
    with pytest.raises(UsageError, match=r"--arch resnet49 is not one of resnet18, .*resnet50"):
        create_network("resnet49")


@pytest.mark.parametrize("layout", ["model", "bare", "module", "model and module"])
def test_published_layouts_load(tmp_path: pathlib.Path, layout: str) -> None:
    network = plain()
    state = network.state_dict()
    if "module" in layout.split():
        state = {f"module.{key}": value for key, value in state.items()}
    wrapped = layout.startswith("model")
    content = {"model": state, "optimizer": {}, "total_steps": 7} if wrapped else state
    torch.save(content, tmp_path / "w.pth")
    weights = read_weights(str(tmp_path / "w.pth"))
    assert (weights.arch, weights.crop_size) == ("", None)
    loaded = create_trained("resnet18", weights).state_dict()
    assert all(torch.equal(loaded[k], v) for k, v in network.state_dict().items())


def test_a_checkpoint_says_its_arch_and_crop_size(tmp_path: pathlib.Path) -> None:
    content = {"model": plain().state_dict(), "arch": "resnet18", "crop_size": 64}
    torch.save(content, tmp_path / "w.pth")
    assert read_weights(str(tmp_path / "w.pth"))[2:4] == ("resnet18", 64)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda s: s.pop("layer1.0.conv1.weight"), ["missing", "layer1.0.conv1.weight"]),
        (lambda s: s.update({"extra.bias": torch.zeros(1)}), ["unexpected", "extra.bias"]),
        (
            lambda s: s.update({"fc.weight": torch.zeros(1000, 512)}),
            ["shape", "fc.weight", "(1000, 512)", "(1, 512)"],
        ),
        (lambda s: [s.pop(k) for k in list(s)[:9]], ["conv1.weight", "6 more"]),
    ],
    ids=["missing", "unexpected", "shape", "many"],
)
def test_what_does_not_fit_is_named(tmp_path: pathlib.Path, change: type, words: list[str]) -> None:
    state = dict(plain().state_dict())
    change(state)
    torch.save({"model": state}, tmp_path / "w.pth")
    with pytest.raises(UsageError) as error:
        create_network("resnet18", str(tmp_path / "w.pth"))
    for word in words:
        assert word in str(error.value)


class Harmful:
    """A pickle of this writes a file when it is loaded."""

    def __init__(self, path: pathlib.Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[object, ...]:
        return (pathlib.Path.touch, (self.path,))


def test_a_pickle_that_would_run_code_is_refused(tmp_path: pathlib.Path) -> None:
    marker = tmp_path / "harmed"
    torch.save({"model": plain().state_dict(), "x": Harmful(marker)}, tmp_path / "w.pth")
    (tmp_path / "p.pth").write_bytes(pickle.dumps(Harmful(marker)))
    for name in ("w.pth", "p.pth"):
        with pytest.raises(UsageError, match=f"{name}: "):
            read_weights(str(tmp_path / name))
    assert not marker.exists()


def test_files_that_hold_no_weights_are_named(tmp_path: pathlib.Path) -> None:
    torch.save(plain().state_dict(), tmp_path / "whole.pth")
    whole = (tmp_path / "whole.pth").read_bytes()
    (tmp_path / "cut.pth").write_bytes(whole[: len(whole) // 2])
    (tmp_path / "empty.pth").write_bytes(b"")
    (tmp_path / "text.pth").write_text("hello")
    torch.save([1, 2], tmp_path / "list.pth")
    torch.save({"epoch": 3}, tmp_path / "numbers.pth")
    for name in ("cut", "empty", "text", "list", "numbers", "missing"):
        with pytest.raises(UsageError, match=rf"{name}\.pth: "):
            read_weights(str(tmp_path / f"{name}.pth"))


@pytest.mark.skipif(sys.platform != "linux", reason="glibc's allocator")
def test_freed_memory_is_kept_for_the_next_step() -> None:
    """Counted in pages that the kernel had to hand out anew, for 40 blocks of 64 MB."""

    def pages() -> int:
        before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
        for _ in range(40):
            torch.ones(1 << 24).mul_(2)
        return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before

    torch.ones(1 << 24)
    try:
        keep_freed_memory(False)
        given_back = pages()
        choose_device("cpu")
        pages()
        assert pages() < given_back / 20
    finally:
        keep_freed_memory(False)
