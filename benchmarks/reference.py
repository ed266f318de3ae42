"""The reference recipe, which every benchmark is measured against.

It is written afresh from its description (Wang et al. 2020, section 4.1, and the behaviour of the
released code): PIL decodes, SciPy blurs each channel in uint8, torchvision crops, flips and
normalizes each image in float; the network is torchvision's, in contiguous layout and fp32, and
Adam is not fused.
"""

from __future__ import annotations

import io
import os
import random
from collections.abc import Callable, Sequence

import cv2
import numpy as np
import torch
import torchvision
from PIL import Image
from scipy import ndimage
from torch import nn
from torch.utils.data import ConcatDataset
from torchvision import transforms
from torchvision.datasets import ImageFolder
from torchvision.transforms import functional

from data.images import Pixels
from networks.architectures import IMAGENET_MEAN, IMAGENET_STD

Loader = Callable[[str], torch.Tensor]


def read(path: str) -> Image.Image:
    """Open an image as torchvision's ImageFolder does."""
    with open(path, "rb") as file:
        return Image.open(file).convert("RGB")


class Degrade:
    """Blur, then JPEG, each with chance `prob`.

    Sigma is uniform over 0..3, quality over the integers 30..100, the encoder is OpenCV or PIL.
    """

    def __init__(self, prob: float) -> None:
        self.prob = prob

    def __call__(self, image: Image.Image) -> Image.Image:
        """Return the image, degraded or not."""
        pixels = np.array(image)
        if random.random() < self.prob:
            sigma = random.uniform(0.0, 3.0)
            for channel in range(3):  # in place: each of the two passes truncates
                plane = pixels[:, :, channel]
                ndimage.gaussian_filter(plane, sigma, output=plane)
        if random.random() < self.prob:
            encode = random.choice((_through_cv2, _through_pil))
            pixels = encode(pixels, random.randint(30, 100))
        return Image.fromarray(pixels)


def _through_cv2(pixels: Pixels, quality: int) -> Pixels:
    parameters = [int(cv2.IMWRITE_JPEG_QUALITY), quality]
    _, encoded = cv2.imencode(".jpg", pixels[:, :, ::-1], parameters)
    return np.asarray(cv2.imdecode(encoded, cv2.IMREAD_COLOR))[:, :, ::-1]


def _through_pil(pixels: Pixels, quality: int) -> Pixels:
    memory = io.BytesIO()
    Image.fromarray(pixels).save(memory, "jpeg", quality=quality)
    return np.array(Image.open(memory))


def to_network() -> list[Callable[..., torch.Tensor]]:
    """Return the last transforms of each pipeline: to (3, height, width) float32, normalized."""
    return [transforms.ToTensor(), transforms.Normalize(IMAGENET_MEAN, IMAGENET_STD)]


def train_loader(prob: float, load_size: int = 256, crop_size: int = 224) -> Loader:
    """Return a loader of training: path -> (3, crop_size, crop_size) float32."""
    transform = transforms.Compose(
        [
            transforms.Lambda(lambda image: functional.resize(image, load_size)),
            transforms.Lambda(Degrade(prob)),
            transforms.RandomCrop(crop_size),
            transforms.RandomHorizontalFlip(),
            *to_network(),
        ]
    )
    return lambda path: transform(read(path))


def whole_loader() -> Loader:
    """Return a loader of testing without a crop: path -> (3, height, width) float32."""
    transform = transforms.Compose(to_network())
    return lambda path: transform(read(path))


def network(arch: str = "resnet50") -> nn.Module:
    """Build torchvision's network with one output, in contiguous layout."""
    model: nn.Module = torchvision.models.get_model(arch, weights=None, num_classes=1)
    return model


def adam(model: nn.Module) -> torch.optim.Optimizer:
    """Build the paper's optimizer with PyTorch's defaults."""
    return torch.optim.Adam(model.parameters(), lr=1e-4, betas=(0.9, 0.999))


def train_step(
    model: nn.Module,
    optimizer: torch.optim.Optimizer,
    *,
    images: torch.Tensor,
    labels: torch.Tensor,
) -> float:
    """Take a training step on normalized images (N, 3, H, W) float32; return the loss.

    `labels` are (N,) float32, 0 or 1.
    """
    loss = nn.functional.binary_cross_entropy_with_logits(model(images).squeeze(1), labels)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return loss.item()


@torch.no_grad()
def score_one_by_one(model: nn.Module, paths: Sequence[str]) -> list[float]:
    """Return the logit of each whole image, scored in batches of one."""
    load = whole_loader()
    return [float(model(load(path)[None])) for path in paths]


def listing(root: str) -> ConcatDataset[object]:
    """List a data set: an ImageFolder per class folder, concatenated."""
    return ConcatDataset([ImageFolder(os.path.join(root, c)) for c in sorted(os.listdir(root))])
