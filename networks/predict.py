"""A network and batches of images -> one logit per image."""

from __future__ import annotations

import math
from collections.abc import Iterable

import numpy as np
import numpy.typing as npt
import torch
from torch import nn
from tqdm import tqdm

from networks.device import autocast
from networks.normalise import normalise
from util import distributed

Logits = npt.NDArray[np.float32]


def progress_bar(num_images: int, description: str) -> tqdm:
    """A bar on the terminal for this process's share of the images; silent but in the first."""
    share = math.ceil(num_images / distributed.world_size())
    quiet = not distributed.is_main()
    return tqdm(total=share, desc=description, unit="image", leave=False, disable=quiet)


@torch.inference_mode()
def predict(
    network: nn.Module,
    batches: Iterable[tuple[torch.Tensor, torch.Tensor]],
    num_images: int,
    device: torch.device,
    precision: str,
    bar: tqdm,
) -> Logits:
    """Score images 0..num_images-1, however many processes share them; (num_images,) logits.

    `batches` yields this process's share: indices (N,) and images (N, 3, H, W) uint8; one that
    never comes has the logit NaN. `network` is left in evaluation mode. Every process gets all the
    logits; where reading a batch fails in one, its error is raised in all. `bar` counts the images
    (`progress_bar`).
    """
    network.eval()
    indices: list[npt.NDArray[np.int64]] = []
    scores: list[npt.NDArray[np.float32]] = []
    failure: Exception | None = None
    try:
        for index, images in batches:
            with autocast(device, precision):
                logits = network(normalise(images.to(device, non_blocking=True)))
            indices.append(index.numpy())
            scores.append(logits.float().reshape(-1).cpu().numpy())
            bar.update(len(index))
    except Exception as error:  # the other processes wait for this one below
        failure = error
    result = np.full(num_images, np.nan, np.float32)
    for part_indices, part_scores, part_failure in distributed.gather((indices, scores, failure)):
        if part_failure is not None:
            raise part_failure
        for index_array, score_array in zip(part_indices, part_scores, strict=True):
            result[index_array] = score_array
    return result
