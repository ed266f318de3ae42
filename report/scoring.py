"""From image files to logits, and what is kept of them on the way."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from torch import nn
from tqdm import tqdm

from data.augment import Step
from data.dataset import EvalImages
from data.images import UnreadableImage
from data.loaders import eval_reader, image_sizes
from data.samples import Samples, fingerprint_of_files
from data.transforms import eval_transform
from networks.predict import predict, progress_bar
from options.machine import MAX_PIXELS
from util import distributed
from util.predictions import Scores, as_written
from util.score_store import read_cells, write_cells

SLICE = 4096  # images scored between two writes to disk

Indices = npt.NDArray[np.int64]


class Scorer(NamedTuple):
    """What scores, and how: the same for every test set."""

    network: nn.Module
    device: torch.device
    precision: str
    crop_size: int | None  # None: whole images
    batch_size: int  # over all processes together
    max_batch_pixels: int  # of whole images
    num_workers: int
    max_pixels: int = MAX_PIXELS  # of an image; one with more is unreadable
    first_steps: Sequence[Step] = ()  # before all others: what re-encodes every image


class Scored(NamedTuple):
    """What came of a test set."""

    variants: dict[str, Scores]
    unreadable: dict[str, str]  # path in the test set -> reason
    num_new: int  # images times variants that were not kept from before


def score_images(
    scorer: Scorer,
    samples: Samples,
    variants: list[list[Step]],
    bar: tqdm,
    on_error: Callable[[UnreadableImage], None],
) -> npt.NDArray[np.float32]:
    """(N, number of variants) logits: every image after the steps of each variant, then cropped.

    An image that cannot be read goes to `on_error`, in the process that met it; its logits are NaN.
    """
    crop = eval_transform(scorer.crop_size)
    read = eval_reader(
        EvalImages(
            samples,
            [[*scorer.first_steps, *steps, *crop] for steps in variants],
            max_pixels=scorer.max_pixels,
        ),
        scorer.batch_size,
        scorer.num_workers,
        scorer.device.type == "cuda",
        distributed.rank(),
        distributed.world_size(),
        on_error,
        None if scorer.crop_size else image_sizes(samples, "sizes"),
        None if scorer.crop_size else scorer.max_batch_pixels,
    )
    shape = len(samples.labels), len(variants)
    count = shape[0] * shape[1]
    logits = predict(scorer.network, read(), count, scorer.device, scorer.precision, bar)
    return logits.reshape(shape)


def score_testset(
    scorer: Scorer, store: str, name: str, samples: Samples, variants: Mapping[str, list[Step]]
) -> Scored:
    """Score a test set in every variant (name -> steps), but for what `store` keeps from before."""
    paths = [samples.relative(index) for index in range(len(samples.labels))]
    folder = os.path.join(store, f"{name}-{fingerprint_of_files(samples)}")
    logits = distributed.gather(read_cells(folder, paths, list(variants)))[0]
    missing = np.isnan(logits)
    unreadable: list[UnreadableImage] = []
    with progress_bar(int(missing.sum()), name) as bar:
        for rows, columns in _alike(missing):
            names = [list(variants)[column] for column in columns]
            steps = [variants[variant] for variant in names]
            for part in np.split(rows, range(SLICE, len(rows), SLICE)):
                new = score_images(scorer, samples.take(part), steps, bar, unreadable.append)
                logits[np.ix_(part, columns)] = as_written(new)
                if distributed.is_main():
                    write_cells(folder, name, paths, samples.labels, logits[:, columns], names)
    scores = {v: _scored(paths, samples.labels, logits[:, i]) for i, v in enumerate(variants)}
    found = [error for errors in distributed.gather(unreadable) for error in errors]
    reasons = {os.path.relpath(e.path, samples.root).replace(os.sep, "/"): e.reason for e in found}
    return Scored(scores, dict(sorted(reasons.items())), int(np.sum(missing & ~np.isnan(logits))))


def _alike(missing: npt.NDArray[np.bool_]) -> Iterator[tuple[Indices, Indices]]:
    """The images that lack the same variants, and these variants: such images are opened once for
    all they lack. Mostly that is all images and all variants.
    """
    for lacking in np.unique(missing, axis=0):
        if lacking.any():
            yield np.flatnonzero((missing == lacking).all(axis=1)), np.flatnonzero(lacking)


def _scored(
    paths: list[str], labels: npt.NDArray[np.uint8], logits: npt.NDArray[np.float64]
) -> Scores:
    (there,) = np.nonzero(~np.isnan(logits))
    return Scores([paths[i] for i in there], labels[there], logits[there])
