"""A detector: images in, one logit each out, whatever computes it.

`load_detector` is the one door for every script, for benchmarks and for Python of your own. What is
not a single network with one logit (several networks, votes of patches, a probe) is a class of its
own with the members of `Detector`.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
import torch
from PIL import Image
from torch import Tensor, nn

from networks.architectures import IMAGENET_MEAN, IMAGENET_STD, Triple, architecture
from networks.create import create_trained
from networks.detectors.load import load_released
from networks.detectors.release import release
from networks.device import PRECISIONS, autocast, choose_device
from networks.fit import check_fit
from networks.inference import for_inference
from networks.input_spec import ANY_INPUT, STRIDE1_COST, InputSpec
from networks.maps import Maps, maps_of
from networks.normalize import normalize
from networks.overlay import Explanation
from networks.stem import split_stem
from networks.weights import Weights, read_weights
from options.machine import check_device
from util.errors import UsageError
from util.files import sha256

OneImage = str | os.PathLike[str] | Image.Image | npt.NDArray[np.uint8] | Tensor
Images = OneImage | Iterable[OneImage]
Numbers = float | list[float]  # of one image, of several

PAPERS = "resnet50"  # what weights that do not say it belong to: Wang et al. 2020's


class Detector(Protocol):
    """What can be scored with, measured and reported."""

    name: str  # what a table calls it: an architecture, or the name of a published detector
    id: str  # of all that its logits depend on: scores are kept under it
    input: InputSpec
    device: torch.device
    precision: str
    weights: str  # path of its file
    sha256: str  # of that file
    trained_on: dict[str, Any] | None  # which images (data/contents.py), where the file says it
    trained: dict[str, Any] | None  # how, where the file says it (networks/weights.py)
    num_parameters: int | None  # numbers that its networks hold, where that is known

    def logits(self, images: Tensor) -> Tensor:
        """Return (N,) float32 logits, above 0 for "fake", of (N, 3, H, W) uint8 images."""
        ...

    def check_size(self, size: int | None) -> None:
        """Raise UsageError where crops of this side (None: whole images) are not to be scored."""
        ...


class NetworkDetector:
    """One network with one logit; normalisation is its own business."""

    def __init__(
        self,
        network: nn.Module,
        *,
        name: str,
        device: torch.device,
        precision: str = "fp32",
        mean: Triple = IMAGENET_MEAN,
        std: Triple = IMAGENET_STD,
        input: InputSpec = ANY_INPUT,
        maps: Maps | None = None,
        published: bool = False,
        weights: str = "",
        sha256: str = "",
        backbone_sha256: str = "",
        trained_on: dict[str, Any] | None = None,
        trained: dict[str, Any] | None = None,
        fast: nn.Module | None = None,
        compiled: bool = False,
    ) -> None:
        self.network = network.eval()  # as it was trained: Grad-CAM looks into it
        self.fast = fast or self.network  # what computes the logits
        self.name, self.device, self.precision = name, device, precision
        self.mean, self.std, self.input, self.maps = mean, std, input, maps
        self.published = published  # of others, and so of no architecture of ours
        self.weights, self.sha256, self.trained_on = weights, sha256, trained_on
        self.trained = trained
        self.num_parameters: int | None = sum(p.numel() for p in network.parameters())
        tf32 = device.type == "cuda" and torch.backends.cudnn.allow_tf32
        machine = device.type + "-tf32" * tf32 + "-compiled" * compiled
        files = "-".join(file[:16] for file in (sha256, backbone_sha256) if file)
        self.id = f"{files}-{name.replace(':', '_')}-{machine}"

    def logits(self, images: Tensor) -> Tensor:
        """Return (N,) float32 logits, above 0 for "fake", of (N, 3, H, W) uint8 images."""
        images = images.to(self.device, non_blocking=True)
        with torch.inference_mode(), autocast(self.device, self.precision):
            logits: Tensor = self.fast(normalize(images, self.mean, self.std))
        return logits.float().reshape(-1)

    def score(self, images: Images, *, crop_size: int | None = None) -> Numbers:
        """Return the logit of one image, a float, or of several, a list of floats: paths, PIL
        images, (H, W, 3) arrays or (3, H, W) tensors, prepared as predict.py does, unless other
        crops are asked for. See `score` in evaluation/score_images.py.
        """
        from evaluation.score_images import score  # noqa: PLC0415 (of the layer above)

        return score(self, images, crop_size=crop_size)

    def probability(self, images: Images, *, crop_size: int | None = None) -> Numbers:
        """Return the probability, 0 to 1, that each image is generated; else as `score`."""
        from evaluation.score_images import probabilities  # noqa: PLC0415 (of the layer above)

        return probabilities(self, images, crop_size=crop_size)

    def explain(
        self, image: OneImage, *, crop_size: int | None = None, threshold: float = 0.0
    ) -> Explanation:
        """Return Grad-CAM of the verdict on one image, as an array in [0, 1] (`heat`) and laid over
        the image (`picture`). See `explain` in evaluation/score_images.py.
        """
        from evaluation.score_images import explain  # noqa: PLC0415 (of the layer above)

        return explain(self, image, crop_size=crop_size, threshold=threshold)

    def check_size(self, size: int | None) -> None:
        """Raise UsageError where the network cannot take crops of this side, or whole images."""
        if size is None and not self.input.any_size:
            raise UsageError(
                f"--no_crop: {self.name} takes no images of other sizes than"
                f" {self.input.usual}x{self.input.usual}; leave it out"
            )
        if size and not self.input.any_size and size != self.input.usual:
            raise UsageError(
                f"--cropSize {size}: {self.name} takes {self.input.usual} alone; leave it out"
            )
        if not self.published:
            check_fit(self.name, size)


def as_detector(
    network: nn.Module, *, arch: str, device: torch.device, precision: str
) -> NetworkDetector:
    """Return a network that is being trained as a detector; puts it into evaluation mode."""
    its = architecture(arch)
    return NetworkDetector(
        network,
        name=arch,
        device=device,
        precision=precision,
        mean=its.mean,
        std=its.std,
        maps=maps_of(its),
    )


def load_detector(
    path: str,
    *,
    name: str = "",
    backbone: str = "",
    arch: str = "",
    device: str = "auto",
    precision: str = "fp32",
    tf32: bool = False,
    compile: bool = False,
) -> NetworkDetector:
    """Return the detector whose weights `path` holds: a checkpoint of train.py, the paper's, or the
    published detector called `name`.

    `backbone` is the file of the frozen backbone that a published detector's own lacks ("": from
    the hub), `arch` that of the checkpoint ("": as it says, or else resnet50); `device` is auto,
    cpu, cuda, cuda:N or mps, `precision` fp32, bf16 or fp16. Raises UsageError where a file is
    missing, damaged, refused, or does not fit to the key.
    """
    if wrong := check_device(device):
        raise UsageError(f"--device {device} {wrong}")
    if precision not in ("fp32", *PRECISIONS):
        raise UsageError(f"--precision {precision} must be one of fp32, {', '.join(PRECISIONS)}")
    where = choose_device(device, tf32)
    weights, maps, published = Weights(path, {}), None, bool(name)
    if published:
        network, its = load_released(release(name), name, path=path, backbone=backbone)
        mean, std, input, maps = its.mean, its.std, its.input, its.maps
    else:
        weights = read_weights(path)
        name = arch or weights.arch or PAPERS
        kind = architecture(name)
        network, maps = create_trained(name, weights), maps_of(kind)
        mean, std = weights.mean, weights.std
        input = InputSpec(
            weights.crop_size,
            kind.size,
            kind.any_size,
            kind.whole,
            interpolation=weights.interpolation,
            cost=STRIDE1_COST if split_stem(name)[1] else 1,
        )
    network = network.to(where)
    return NetworkDetector(
        network,
        name=name,
        device=where,
        precision=precision,
        mean=mean,
        std=std,
        input=input,
        maps=maps,
        published=published,
        weights=path,
        sha256=sha256(path),
        backbone_sha256=sha256(backbone) if backbone else "",
        trained_on=weights.trained_on,
        trained=weights.trained,
        fast=for_inference(network, compile),
        compiled=compile,
    )
