"""From image files to logits, and what is kept of them on the way."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from data.augment import Transform
from data.contents import FileState
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
from util.errors import UsageError
from util.progress import Progress, progress

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
    seconds: float  # that the network took for the new ones, over all processes


def image_scorer(
    detectors: Sequence[Detector],
    protocol: ScoringProtocol,
    reading: Reading,
    *,
    samples: Samples,
    degradations: Sequence[Sequence[Transform]],
    on_error: Callable[[UnreadableImage], None],
    on_read: Callable[[int, Seen], None] | None = None,
) -> Callable[[Indices, Progress], list[Predicted]]:
    """Return a function that scores some of the images, given by their indices, degraded each way.

    It returns one result per detector; an image is read and transformed once for all of them.
    Degradation d of image i has the number i * len(degradations) + d in what it returns. Worker
    processes live between calls. An image that cannot be read goes to `on_error`, and of one that
    can `on_read` is told, each in the process that met it.
    """
    is_whole = protocol.crop_size is None
    cost = max(detector.input.cost for detector in detectors)
    crops = [crop for transforms in degradations for crop in protocol.transforms(transforms)]
    read = eval_reader(
        EvalImages(samples, crops, max_pixels=protocol.max_pixels),
        batch_size=reading.batch_size,
        num_workers=reading.num_workers,
        pin_memory=any(detector.device.type == "cuda" for detector in detectors),
        rank=distributed.rank(),
        world_size=distributed.world_size(),
        on_error=on_error,
        on_read=on_read,
        by_size=is_whole,
        max_pixels=reading.max_batch_pixels // cost if is_whole or cost > 1 else None,
    )
    count = len(samples.labels) * len(crops)

    def score(indices: Indices, bar: Progress) -> list[Predicted]:
        every = predict(detectors, read(indices), num_images=count, bar=bar)
        return [predicted.mean_of_every(protocol.crops) for predicted in every]

    return score


def score_testset(
    detectors: Sequence[Detector],
    protocol: ScoringProtocol,
    reading: Reading,
    *,
    stores: Sequence[str],
    name: str,
    samples: Samples,
    variants: Mapping[str, list[Transform]],
) -> list[Scored]:
    """Score a test set in every variant (name -> degradation), but for what is kept in `stores`,
    one folder per detector. Images that several detectors lack are read once.

    Raises WorkError where a logit is not a finite number; those that are finite are kept.
    """
    # what is kept from before, by the hash of each image's bytes
    folders = [os.path.join(store, name) for store in stores]
    found: tuple[list[KeptLogits], list[str]] = ([], [])
    if distributed.is_main():
        found = kept_scores(folders, samples, list(variants))
    kept, contents = distributed.gather(found)[0]
    missing = np.array([[c not in k[v] for k in kept for v in variants] for c in contents], bool)
    missing = missing.reshape(len(contents), len(detectors), len(variants))

    # score the rest, and keep it slice by slice
    unreadable: list[UnreadableImage] = []
    own_seen: dict[int, Seen] = {}
    num_new = [0] * len(detectors)
    seconds = [0.0] * len(detectors)
    with progress_bar(int(missing.any(axis=1).sum()) * protocol.crops, name) as bar:
        for rows, lacking, its_protocol in _alike(missing, samples.labels, protocol):
            who = np.flatnonzero(lacking.any(axis=1)).tolist()
            names = [list(variants)[column] for column in np.flatnonzero(lacking.any(axis=0))]
            score = image_scorer(
                [detectors[number] for number in who],
                its_protocol,
                reading,
                samples=samples,
                degradations=[variants[variant] for variant in names],
                on_error=unreadable.append,
                on_read=own_seen.__setitem__,
            )
            for part in np.split(rows, range(SLICE, len(rows), SLICE)):
                every = score(part, bar)
                seen = {k: v for each in distributed.gather(own_seen) for k, v in each.items()}
                own_seen.clear()
                for index, its in seen.items():
                    contents[index] = its.content
                read = {its.state: its.content for its in seen.values()}
                for number, predicted in zip(who, every, strict=True):
                    seconds[number] += predicted.seconds
                    for variant, new in _finite(predicted, names, seen).items():
                        kept[number][variant] |= new
                        num_new[number] += len(new)
                        if distributed.is_main():
                            write_cell(folders[number], variant, new)
                    if distributed.is_main():
                        write_contents(folders[number], read)
                num_variants = len(names)
                for predicted in every:
                    predicted.require_finite(
                        lambda number: samples.path(number // num_variants),  # noqa: B023
                        protocol.precision,
                    )

    # what came of all of it
    _refuse_both(samples, contents, protocol)
    lost = {error.path: error for errors in distributed.gather(unreadable) for error in errors}
    reasons = {
        os.path.relpath(path, samples.root).replace(os.sep, "/"): error.reason
        for path, error in lost.items()
    }
    results = []
    for own, new_here, spent in zip(kept, num_new, seconds, strict=True):
        originals = [own[ORIGINAL][content] for content in contents if content in own[ORIGINAL]]
        results.append(
            Scored(
                {variant: _scored(samples, contents, own[variant]) for variant in variants},
                dict(sorted(reasons.items())),
                new_here,
                sum(protocol.is_padded(its.height, its.width) for its in originals),
                [c for c in contents if c],
                spent,
            )
        )
    return results


def kept_scores(
    folders: Sequence[str], samples: Samples, variants: Sequence[str]
) -> tuple[list[KeptLogits], list[str]]:
    """Return what each folder keeps, and the hash of each image's bytes, "" where it is not known.

    A file whose state is that of an earlier time is not read. Any other is, where there are scores
    that it may have: a data set that was moved or copied is not scored anew.
    """
    kept = [{variant: read_cell(folder, variant) for variant in variants} for folder in folders]
    by_state = {k: v for folder in folders for k, v in read_contents(folder).items()}
    any_kept = any(cell for own in kept for cell in own.values())

    def content(index: int) -> str:
        try:
            state = samples.state(index)
            if state in by_state or not any_kept:
                return by_state.get(state, "")
            new[state] = samples.content(index)
        except UnreadableImage:  # decoding it will tell the reason
            return ""
        return new[state]

    new: dict[FileState, str] = {}
    count = len(samples.labels)
    with ThreadPoolExecutor(8) as pool:
        found = pool.map(content, range(count))
        contents = list(progress(found, "files", unit="file", total=count, delay=1))
    if new:
        for folder in folders:
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


def _alike(
    missing: npt.NDArray[np.bool_], labels: npt.NDArray[np.uint8], protocol: ScoringProtocol
) -> Iterator[tuple[Indices, npt.NDArray[np.bool_], ScoringProtocol]]:
    """Yield images that lack the same scores, which (detectors, variants) these are, and what is
    done to the images: such are opened once for all they lack. Mostly it is all images and scores.
    """
    protocols = {protocol.of_label(label): label for label in (0, 1)}
    for lacking in np.unique(missing, axis=0):
        alike = (missing == lacking).all(axis=(1, 2)) & lacking.any()
        for its_protocol, label in protocols.items():
            rows = np.flatnonzero(alike & ((labels == label) | (len(protocols) == 1)))
            if len(rows):
                yield rows, lacking, its_protocol


def _refuse_both(samples: Samples, contents: Sequence[str], protocol: ScoringProtocol) -> None:
    """Raise UsageError where one image has both labels, and the protocol does not treat them alike:
    what is kept of an image is one logit.
    """
    if protocol.of_label(0) == protocol.of_label(1):
        return
    label_of: dict[str, int] = {}
    for index, content in enumerate(contents):
        label = int(samples.labels[index])
        if content and label_of.setdefault(content, label) != label:
            raise UsageError(
                f"{samples.path(index)}: is among the real and among the fake images, which"
                f" --reencode {protocol.reencode} treats differently; remove one of the two"
            )


def _scored(samples: Samples, contents: list[str], kept: Mapping[str, Kept]) -> Scores:
    there = [index for index, content in enumerate(contents) if content in kept]
    return Scores(
        [samples.relative(index) for index in there],
        samples.labels[there],
        np.array([kept[contents[index]].logit for index in there], np.float64),
    )
