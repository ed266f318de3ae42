"""From image files to logits, and what is kept of them on the way."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from torch import nn
from tqdm import tqdm

from data.augment import Transform
from data.contents import FileState, content_hash, file_state
from data.dataset import EvalImages, Seen
from data.images import UnreadableImage, read_file
from data.loaders import Indices, eval_reader
from data.samples import Samples
from evaluation.degrade import ORIGINAL
from evaluation.predictions import Scores, as_written
from evaluation.protocol import ScoringProtocol
from evaluation.store import (
    Kept,
    read_cell,
    read_contents,
    store_folder,
    write_cell,
    write_contents,
)
from networks.predict import Predicted, predict, progress_bar
from util import distributed

SLICE = 4096  # images scored between two writes to disk

KeptLogits = dict[str, dict[str, Kept]]  # variant -> hash of an image's bytes -> what is kept


class Scorer(NamedTuple):
    """What scores, and how: the same for every test set."""

    network: nn.Module
    weights_sha256: str
    arch: str
    device: torch.device
    protocol: ScoringProtocol
    batch_size: int = 64  # over all processes together
    max_batch_pixels: int = 1 << 22  # of whole images
    num_workers: int = 0
    compiled: bool = False

    def store(self, results_dir: str) -> str:
        """Return the folder below `results_dir` that keeps this scorer's logits."""
        tf32 = self.device.type == "cuda" and torch.backends.cudnn.allow_tf32
        machine = self.device.type + ("-tf32" if tf32 else "") + ("-compiled" * self.compiled)
        return store_folder(results_dir, self.weights_sha256, self.arch, self.protocol, machine)


class Scored(NamedTuple):
    """What came of a test set."""

    variants: dict[str, Scores]
    unreadable: dict[str, str]  # path in the test set -> reason
    num_new: int  # images times variants that were not kept from before
    num_padded: int  # images smaller than the crop, and so padded with zeros
    contents: list[str]  # hashes of the bytes of the images that were scored


def image_scorer(
    scorer: Scorer,
    samples: Samples,
    variants: list[list[Transform]],
    on_error: Callable[[UnreadableImage], None],
    on_read: Callable[[int, Seen], None] | None = None,
) -> Callable[[Indices, tqdm], Predicted]:
    """Return a function that scores some of the images, given by their indices, in each variant.

    Variant v of image i has the number i * len(variants) + v in what it returns. Worker processes
    live between calls. An image that cannot be read goes to `on_error`, and of one that can
    `on_read` is told, each in the process that met it.
    """
    is_whole = scorer.protocol.crop_size is None
    transforms = [scorer.protocol.transforms(transforms) for transforms in variants]
    read = eval_reader(
        EvalImages(samples, transforms, max_pixels=scorer.protocol.max_pixels),
        batch_size=scorer.batch_size,
        num_workers=scorer.num_workers,
        pin_memory=scorer.device.type == "cuda",
        rank=distributed.rank(),
        world_size=distributed.world_size(),
        on_error=on_error,
        on_read=on_read,
        by_size=is_whole,
        max_pixels=scorer.max_batch_pixels if is_whole else None,
    )
    count = len(samples.labels) * len(variants)

    def score(indices: Indices, bar: tqdm) -> Predicted:
        precision = scorer.protocol.precision
        return predict(scorer.network, read(indices), count, scorer.device, precision, bar)

    return score


def score_testset(
    scorer: Scorer,
    results_dir: str,
    name: str,
    samples: Samples,
    variants: Mapping[str, list[Transform]],
) -> Scored:
    """Score a test set in every variant (name -> transforms), but for what `results_dir` keeps.

    Raises WorkError where a logit is not a finite number; those that are finite are kept.
    """
    folder = os.path.join(scorer.store(results_dir), name)
    found: tuple[KeptLogits, list[str]] = ({}, [])
    if distributed.is_main():
        found = kept_scores(folder, samples, list(variants))
    kept, contents = distributed.gather(found)[0]
    missing = np.array([[c not in kept[v] for v in variants] for c in contents], bool)
    missing = missing.reshape(len(contents), len(variants))
    unreadable: list[UnreadableImage] = []
    own_seen: dict[int, Seen] = {}
    num_new = 0
    with progress_bar(int(missing.sum()), name) as bar:
        for rows, columns in _alike(missing):
            names = [list(variants)[column] for column in columns]
            transforms = [variants[variant] for variant in names]
            score = image_scorer(
                scorer, samples, transforms, unreadable.append, own_seen.__setitem__
            )
            for part in np.split(rows, range(SLICE, len(rows), SLICE)):
                predicted = score(part, bar)
                seen = {k: v for every in distributed.gather(own_seen) for k, v in every.items()}
                own_seen.clear()
                for index, its in seen.items():
                    contents[index] = its.content
                for variant, new in _finite(predicted, names, seen).items():
                    kept[variant] |= new
                    num_new += len(new)
                    if distributed.is_main():
                        write_cell(folder, variant, new)
                if distributed.is_main():
                    write_contents(folder, {its.state: its.content for its in seen.values()})
                num_variants = len(names)
                predicted.require_finite(
                    lambda number: samples.path(number // num_variants),  # noqa: B023
                    scorer.protocol.precision,
                )
    lost = {error.path: error for errors in distributed.gather(unreadable) for error in errors}
    reasons = {
        os.path.relpath(path, samples.root).replace(os.sep, "/"): error.reason
        for path, error in lost.items()
    }
    crop = scorer.protocol.crop_size or 0
    plain = [kept[ORIGINAL][content] for content in contents if content in kept[ORIGINAL]]
    return Scored(
        {variant: _scored(samples, contents, kept[variant]) for variant in variants},
        dict(sorted(reasons.items())),
        num_new,
        sum(min(its.height, its.width) < crop for its in plain),
        [c for c in contents if c],
    )


def kept_scores(folder: str, samples: Samples, variants: list[str]) -> tuple[KeptLogits, list[str]]:
    """Return what `folder` keeps, and the hash of each image's bytes, "" where it is not known.

    A file whose state is that of an earlier time is not read. Any other is, where there are scores
    that it may have: a data set that was moved or copied is not scored anew.
    """
    kept = {variant: read_cell(folder, variant) for variant in variants}
    by_state = read_contents(folder)

    def content(index: int) -> str:
        path = samples.path(index)
        try:
            state = file_state(path)
            if state in by_state or not any(kept.values()):
                return by_state.get(state, "")
            new[state] = content_hash(read_file(path))
        except UnreadableImage:  # decoding it will tell the reason
            return ""
        return new[state]

    new: dict[FileState, str] = {}
    count = len(samples.labels)
    with ThreadPoolExecutor(8) as pool:
        found = tqdm(
            pool.map(content, range(count)), "files", count, leave=False, unit="file", delay=1
        )
        contents = list(found)
    if new:
        write_contents(folder, new)
    return kept, contents


def _finite(predicted: Predicted, variants: list[str], seen: Mapping[int, Seen]) -> KeptLogits:
    """Return the finite logits of the images in `seen`, as they will be read again."""
    finite = predicted.finite()
    return {
        variant: {
            its.content: Kept(as_written(predicted.logits[number]), its.height, its.width)
            for index, its in seen.items()
            if finite[number := index * len(variants) + column]
        }
        for column, variant in enumerate(variants)
    }


def _alike(missing: npt.NDArray[np.bool_]) -> Iterator[tuple[Indices, Indices]]:
    """The images that lack the same variants, and these variants: such images are opened once for
    all they lack. Mostly that is all images and all variants.
    """
    for lacking in np.unique(missing, axis=0):
        if lacking.any():
            yield np.flatnonzero((missing == lacking).all(axis=1)), np.flatnonzero(lacking)


def _scored(samples: Samples, contents: list[str], kept: Mapping[str, Kept]) -> Scores:
    there = [index for index, content in enumerate(contents) if content in kept]
    return Scores(
        [samples.relative(index) for index in there],
        samples.labels[there],
        np.array([kept[contents[index]].logit for index in there], np.float64),
    )
