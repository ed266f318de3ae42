"""Measure training images per second and core: `python -m benchmarks.loading`."""

from __future__ import annotations

import functools
import os
import tempfile
import time
from collections.abc import Callable

import cv2
import torch

from benchmarks import reference
from benchmarks.material import crops, write_images
from benchmarks.profiles import python_profile
from benchmarks.timing import REFERENCE, Row, alternate, compare, explained, show
from data.augment import Blur, Jpeg
from data.dataset import TrainImages
from data.images import open_image
from data.samples import find_samples
from data.transforms import train_transform
from options.benchmark_options import BenchmarkOptions
from options.parse import parse
from util.errors import run

PROB = 0.5
TARGETS = {".png": 1.85, ".jpg": 2.6}


def train_images(folder: str) -> TrainImages:
    """Build our data set, as train.py does for the paper's augmentation."""
    blur, jpeg = Blur(PROB, (0.0, 3.0)), Jpeg(PROB, (30, 100), ("cv2", "pil"))
    transforms = train_transform(256, 224, ("bilinear",), blur=blur, jpeg=jpeg, flip=True)
    return TrainImages(find_samples(folder), transforms, seed=0)


def measure(folder: str, ending: str, *, count: int, rounds: int, quick: bool) -> Row:
    """Compare reading `count` files of one kind into tensors, by the reference and by ours."""
    folder = os.path.join(folder, ending[1:])
    paths = write_images(folder, crops(count, 256, 256), ending)
    load, dataset = reference.train_loader(PROB), train_images(folder)
    epochs = iter(range(10**9))  # new draws in each round, on both sides

    def ours() -> None:
        epoch = next(epochs)
        for index in range(count):
            dataset[epoch, index]

    sides = {REFERENCE: lambda: [load(path) for path in paths], "ours": ours}
    seconds = alternate(sides, rounds)
    row = compare(
        f"training images, 256x256 {ending[1:].upper()}, blur and JPEG at {PROB}",
        "images/s per core",
        reference=seconds[REFERENCE],
        ours=seconds["ours"],
        target=TARGETS[ending],
        rate_of=count,
    )
    return explained(row, functools.partial(_details, ours, paths, row), quick)


def _details(ours: Callable[[], None], paths: list[str], row: Row) -> str:
    start = time.perf_counter()
    for path in paths:
        open_image(path)
    decoding = 1e3 * (time.perf_counter() - start) / len(paths)
    there, here = 1e3 / row.reference, 1e3 / row.ours
    return (
        f"An image takes {there:.2f} ms there and {here:.2f} ms here, {decoding:.2f} ms of them to"
        f" decode the file; the target leaves"
        f" {there / TARGETS[os.path.splitext(paths[0])[1]]:.2f} ms. Ours, by cProfile, of"
        f" {len(paths)} images:\n\n{python_profile(ours)}"
    )


def main() -> None:
    """Measure both kinds of files on one core."""
    options = parse(BenchmarkOptions)
    cv2.setNumThreads(0)  # as in our workers, on both sides
    torch.set_num_threads(1)  # as torch does in workers
    count = 4 if options.quick else 240
    with tempfile.TemporaryDirectory() as folder:
        rows = [
            measure(folder, ending, count=count, rounds=options.rounds, quick=options.quick)
            for ending in TARGETS
        ]
    show(rows, options.json)


if __name__ == "__main__":
    run(main)
