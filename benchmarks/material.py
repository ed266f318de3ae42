"""Make what the benchmarks run on: crops of photographs, and networks whose logits mean something.

The photographs are the miniature benchmark's.
"""

from __future__ import annotations

import functools
import glob
import os
from collections.abc import Sequence

import numpy as np
import torch
from PIL import Image
from torch import nn

from benchmarks import reference
from data.images import Pixels, open_image
from data.samples import LABELS
from networks.create import create_network
from networks.normalize import normalize

PHOTOGRAPHS = os.path.join(os.path.dirname(__file__), "..", "minibench", "photos")
REAL_AND_FAKE = tuple(LABELS)


@functools.cache
def photographs() -> list[Pixels]:
    """Return the photographs of at least 400x400 pixels, in the order of their names."""
    paths = sorted(glob.glob(os.path.join(PHOTOGRAPHS, "*.jpg")))
    return [image for image in map(open_image, paths) if min(image.shape[:2]) >= 400]


def crops(count: int, height: int, width: int, *, seed: int = 0) -> list[Pixels]:
    """Return `count` crops of photographs, (height, width, 3) uint8, the same for the same seed."""
    rng = np.random.default_rng((seed, height, width))
    found = []
    for number in range(count):
        image = photographs()[number % len(photographs())]
        top = rng.integers(image.shape[0] - height, endpoint=True)
        left = rng.integers(image.shape[1] - width, endpoint=True)
        found.append(image[top : top + height, left : left + width])
    return found


def write_images(folder: str, images: Sequence[Pixels], ending: str) -> list[str]:
    """Write images as real and fake in turn, as ".png" or ".jpg" (quality 95); return the paths."""
    paths = []
    for number, image in enumerate(images):
        path = os.path.join(folder, REAL_AND_FAKE[number % 2], f"{number:04}{ending}")
        os.makedirs(os.path.dirname(path), exist_ok=True)
        Image.fromarray(image).save(path, quality=95)
        paths.append(path)
    return paths


def labelled_images(count: int, size: int, seed: int = 0) -> tuple[torch.Tensor, torch.Tensor]:
    """Return crops, each followed by itself with every second row darker, as if upsampled.

    By how much differs; in some it hardly shows. Images (count, 3, size, size) uint8; labels
    (count,) float32, 0 and 1 in turn.
    """
    rng = np.random.default_rng((seed, size))
    images = []
    for image in crops(count // 2, size, size, seed=seed):
        traced = image.astype(int)
        traced[::2] -= rng.integers(1, 25)
        images += [image, traced.clip(0, 255).astype(np.uint8)]
    pixels = torch.from_numpy(np.stack(images)).permute(0, 3, 1, 2).contiguous()
    return pixels, torch.arange(count) % 2 * 1.0


def trained_network(arch: str, steps: int, *, size: int = 64, batch: int = 32) -> nn.Module:
    """Return the reference's network after a short training on `labelled_images`.

    It is in evaluation mode; its logits mean something, as those of random weights do not.
    """
    torch.manual_seed(0)
    network = create_network(arch).train()
    optimizer = torch.optim.Adam(network.parameters(), lr=5e-4, fused=True)
    for step in range(steps):
        images, labels = labelled_images(batch, size, seed=step + 1)
        logits = network(normalize(images)).squeeze(1)
        loss = nn.functional.binary_cross_entropy_with_logits(logits, labels)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    plain = reference.network(arch)
    plain.load_state_dict(network.state_dict())
    return plain.eval()
