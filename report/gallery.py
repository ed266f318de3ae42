"""The most confident mistakes of a network, as small pictures for the report."""

from __future__ import annotations

import io
import os
from collections.abc import Callable, Iterable, Mapping, Sequence

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from data.augment import Transform
from data.images import Pixels, UnreadableImage, open_image
from data.samples import label_folders, subfolders
from evaluation.predictions import Scores
from networks.overlay import Heat, overlaid
from report.page import Mistake
from util.progress import progress

Explain = Callable[[Tensor], Heat]  # of an image, (3, height, width) uint8

THUMBNAIL = 160  # pixels of the long side, at most
ORIGINAL = 64  # up to this long side a PNG is small, and artefacts of JPEG would be seen
EXPLAINED = 1024  # pixels of each side, at most


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

    With `explain` the picture is given a second time, in grey, with the map laid over it. What is
    explained is the middle of the image, at most 1024x1024 pixels, as more would need gigabytes;
    beyond it the second picture is darkened. So for a larger image the map is that of the verdict
    on its middle, which may differ from the verdict on the whole.
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
    for transform in transforms:
        image = transform(image, np.random.default_rng(0))  # none of them draws
    return image


def _pictures(seen: Pixels, explain: Explain | None) -> tuple[bytes, bytes | None]:
    """Return the picture, and the same with the map over it, encoded."""
    thumbnail = Image.fromarray(seen)
    thumbnail.thumbnail((THUMBNAIL, THUMBNAIL), Image.Resampling.LANCZOS)
    if explain is None:
        return _encoded(thumbnail), None
    height, width = seen.shape[:2]
    top, left = (max(side - EXPLAINED, 0) // 2 for side in (height, width))
    middle = seen[top : top + EXPLAINED, left : left + EXPLAINED].transpose(2, 0, 1)
    heat = explain(torch.from_numpy(np.ascontiguousarray(middle)))
    scale_x, scale_y = thumbnail.width / width, thumbnail.height / height
    x, y = int(left * scale_x), int(top * scale_y)
    right = max(round((left + middle.shape[2]) * scale_x), x + 1)
    bottom = max(round((top + middle.shape[1]) * scale_y), y + 1)
    return _encoded(thumbnail), _encoded(overlaid(thumbnail, heat, (x, y, right, bottom)))


def _encoded(image: Image.Image) -> bytes:
    buffer = io.BytesIO()
    if max(image.size) <= ORIGINAL:
        image.save(buffer, "PNG", optimize=True)
    else:
        image.save(buffer, "JPEG", quality=85)
    return buffer.getvalue()
