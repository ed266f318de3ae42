"""The most confident mistakes of a network, as small pictures for the report."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from data.augment import Transform
from data.images import Pixels, UnreadableImage, open_image
from data.samples import label_folders, subfolders
from evaluation.predictions import Scores
from report.page import Mistake
from report.pictures import Explain, applied, encoded, heat_over, shrunk
from util.progress import progress


def find_mistakes(scores: Scores, threshold: float, most: int) -> list[int]:
    """Return the indices of the most confident mistakes: of the real images up to `most` with the
    highest logits above `threshold`, then of the fakes up to `most` with the lowest at or below it;
    the most confident first, and by path where logits are equal.
    """
    paths, labels, logits, _ = scores
    called_fake = logits > threshold
    real = np.flatnonzero((labels == 0) & called_fake).tolist()
    fake = np.flatnonzero((labels == 1) & ~called_fake).tolist()
    real.sort(key=lambda index: (-logits[index], paths[index]))
    fake.sort(key=lambda index: (logits[index], paths[index]))
    return [*real[:most], *fake[:most]]


def gallery(
    model: str,
    models_scores: Mapping[str, Scores],
    *,
    threshold: float,
    number: int,
    roots: Mapping[str, str],
    transforms: Mapping[int, Sequence[Transform]],
    explain: Explain | None,
) -> list[Mistake]:
    """Return the mistakes of one model in each of its test sets (`models_scores`, by name).

    They come in the order of `find_mistakes`, with pictures of what the network saw: the image
    after the `transforms` of its label in the scoring protocol, shrunk to at most 160 pixels a side
    (PNG to 64 pixels, else JPEG). `roots` are the folders of the test sets, by name, that paths are
    relative to; a mistake has no picture where its set has none or the file cannot be read.

    With `explain` the picture is given a second time, with the map laid over it (`heat_over`).
    """
    chosen = [
        (testset, scores, index)
        for testset, scores in models_scores.items()
        for index in find_mistakes(scores, threshold, number)
    ]
    mistakes: list[Mistake] = []
    for testset, (paths, labels, logits, _), index in progress(
        chosen, f"{model}: mistakes", unit="image"
    ):
        path, label = paths[index], int(labels[index])
        seen = _seen(roots[testset], path, transforms[label]) if testset in roots else None
        pictures = (None, None) if seen is None else _pictures(seen, explain)
        mistakes.append(Mistake(model, testset, path, label, float(logits[index]), *pictures))
    return mistakes


def roots_of(dataroot: str, testsets: Iterable[str]) -> dict[str, str]:
    """Return the folders of test sets in `dataroot`, which may be one itself, or a manifest."""
    if os.path.isfile(dataroot):
        return dict.fromkeys(testsets, os.path.dirname(dataroot))
    if os.path.isdir(dataroot) and label_folders(subfolders(dataroot)):
        return dict.fromkeys(testsets, dataroot)
    return {name: os.path.join(dataroot, name) for name in testsets} if dataroot else {}


def _seen(folder: str, path: str, transforms: Sequence[Transform]) -> Pixels | None:
    """Return what the network saw of an image; None where it cannot be read."""
    try:
        image = open_image(os.path.join(folder, path))
    except UnreadableImage:
        return None
    return applied(transforms, image)


def _pictures(seen: Pixels, explain: Explain | None) -> tuple[bytes, bytes | None]:
    """Return the picture, and the same with the map over it, encoded."""
    thumbnail = shrunk(seen)
    heatmap = encoded(heat_over(thumbnail, seen, explain)) if explain else None
    return encoded(thumbnail), heatmap
