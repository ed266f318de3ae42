"""From image files to logits, and what is kept of them on the way."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from tqdm import tqdm

from data.augment import Transform
from data.contents import FileState, content_hash
from data.dataset import EvalImages, Seen
from data.images import UnreadableImage
from data.loaders import Indices, eval_reader
from data.samples import Samples
from evaluation.degrade import ORIGINAL
from evaluation.predict import Predicted, predict, progress_bar
from evaluation.predictions import Scores, as_written
from evaluation.protocol import ScoringProtocol
from evaluation.store import (
    Kept,
    read_cell,
    read_contents,
    write_cell,
    write_contents,
)
from networks.detector import Detector
from util import distributed

SLICE = 4096  # images scored between two writes to disk

KeptLogits = dict[str, dict[str, Kept]]  # variant -> hash of an image's bytes -> what is kept


class Reading(NamedTuple):
    """How images are read and batched, which changes no logit."""

    batch_size: int = 64  # over all processes together
    max_batch_pixels: int = 1 << 22  # of whole images
    num_workers: int = 0


class Scored(NamedTuple):
    """What came of a test set."""

    variants: dict[str, Scores]
    unreadable: dict[str, str]  # path in the test set -> reason
    num_new: int  # images times variants that were not kept from before
    num_padded: int  # images smaller than the crop, and so padded with zeros
    contents: list[str]  # hashes of the bytes of the images that were scored


def image_scorer(
    detector: Detector,
    protocol: ScoringProtocol,
    reading: Reading,
    *,
    samples: Samples,
    degradations: Sequence[Sequence[Transform]],
    on_error: Callable[[UnreadableImage], None],
    on_read: Callable[[int, Seen], None] | None = None,
) -> Callable[[Indices, tqdm], Predicted]:
    """Return a function that scores some of the images, given by their indices, degraded each way.

    Degradation d of image i has the number i * len(degradations) + d in what it returns. Worker
    processes live between calls. An image that cannot be read goes to `on_error`, and of one that
    can `on_read` is told, each in the process that met it.
    """
    is_whole = protocol.crop_size is None
    crops = [crop for transforms in degradations for crop in protocol.transforms(transforms)]
    read = eval_reader(
        EvalImages(samples, crops, max_pixels=protocol.max_pixels),
        batch_size=reading.batch_size,
        num_workers=reading.num_workers,
        pin_memory=detector.device.type == "cuda",
        rank=distributed.rank(),
        world_size=distributed.world_size(),
        on_error=on_error,
        on_read=on_read,
        by_size=is_whole,
        max_pixels=reading.max_batch_pixels if is_whole else None,
    )
    count = len(samples.labels) * len(crops)

    def score(indices: Indices, bar: tqdm) -> Predicted:
        predicted = predict(detector, read(indices), num_images=count, bar=bar)
        return predicted.mean_of_every(protocol.crops)

    return score


def score_testset(
    detector: Detector,
    protocol: ScoringProtocol,
    reading: Reading,
    *,
    store: str,
    name: str,
    samples: Samples,
    variants: Mapping[str, list[Transform]],
) -> Scored:
    """Score a test set in every variant (name -> degradation), but for what is kept in `store`.

    Raises WorkError where a logit is not a finite number; those that are finite are kept.
    """
    # what is kept from before, by the hash of each image's bytes
    folder = os.path.join(store, name)
    found: tuple[KeptLogits, list[str]] = ({}, [])
    if distributed.is_main():
        found = kept_scores(folder, samples, list(variants))
    kept, contents = distributed.gather(found)[0]
    missing = np.array([[c not in kept[v] for v in variants] for c in contents], bool)
    missing = missing.reshape(len(contents), len(variants))

    # score the rest, and keep it slice by slice
    unreadable: list[UnreadableImage] = []
    own_seen: dict[int, Seen] = {}
    num_new = 0
    with progress_bar(int(missing.sum()) * protocol.crops, name) as bar:
        for rows, columns in _alike(missing):
            names = [list(variants)[column] for column in columns]
            score = image_scorer(
                detector,
                protocol,
                reading,
                samples=samples,
                degradations=[variants[variant] for variant in names],
                on_error=unreadable.append,
                on_read=own_seen.__setitem__,
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
                    protocol.precision,
                )

    # what came of all of it
    lost = {error.path: error for errors in distributed.gather(unreadable) for error in errors}
    reasons = {
        os.path.relpath(path, samples.root).replace(os.sep, "/"): error.reason
        for path, error in lost.items()
    }
    originals = [kept[ORIGINAL][content] for content in contents if content in kept[ORIGINAL]]
    return Scored(
        {variant: _scored(samples, contents, kept[variant]) for variant in variants},
        dict(sorted(reasons.items())),
        num_new,
        sum(protocol.is_padded(its.height, its.width) for its in originals),
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
        try:
            state = samples.state(index)
            if state in by_state or not any(kept.values()):
                return by_state.get(state, "")
            new[state] = content_hash(samples.read(index))
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
    """Yield the images that lack the same variants, and these variants: such images are opened once
    for all they lack. Mostly that is all images and all variants.
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
