"""Measure training images per second and core: `python -m benchmarks.loading`."""

from __future__ import annotations

import functools
import os
import tempfile
import time
from collections.abc import Callable, Sequence

import cv2
import numpy as np
import torch

from benchmarks import reference
from benchmarks.material import crops, write_images
from benchmarks.profiles import python_profile
from benchmarks.timing import OURS, REFERENCE, Row, alternate, compare, explained, show
from data.augment import Blur, Jpeg, blur_cv2, jpeg_cv2, jpeg_pil
from data.dataset import TrainImages
from data.images import Pixels, open_image
from data.manifest_file import is_manifest, read_manifest
from data.samples import find_samples
from data.transforms import train_transform
from options.benchmark_options import BenchmarkOptions
from options.pack_options import PackOptions
from options.parse import parse
from tools.pack import pack
from util.errors import run

PROB = 0.5
LIBRARIES = "decoding, blur and JPEG alone"
TARGETS = {"PNG files": 1.85, "JPG files": 2.6, "a pack of pixels": 5.0, "a zstd pack": 3.0}


def train_images(root: str) -> TrainImages:
    """Build our data set of a folder or a pack, as train.py does for the paper's augmentation."""
    blur, jpeg = Blur(PROB, (0.0, 3.0)), Jpeg(PROB, (30, 100), ("cv2", "pil"))
    transforms = train_transform(256, 224, ("bilinear",), blur=blur, jpeg=jpeg, flip=True)
    samples = read_manifest(root).select() if is_manifest(root) else find_samples(root)
    return TrainImages(samples, transforms, seed=0)


def libraries_alone(paths: Sequence[str]) -> None:
    """Do what no code of ours can save: decode, and blur and compress as often as in training."""
    rng = np.random.default_rng(0)
    for path in paths:
        pixels = open_image(path)
        if rng.random() < PROB:
            pixels = blur_cv2(pixels, rng.uniform(0, 3))
        if rng.random() < PROB:
            (jpeg_cv2, jpeg_pil)[rng.integers(2)](pixels, int(rng.integers(30, 101)))


def material(folder: str, name: str, images: Sequence[Pixels]) -> tuple[list[str], str]:
    """Write images as a row of TARGETS has them; return the files that the reference reads, and
    the data set that ours does.
    """
    store = {"a pack of pixels": "pixels", "a zstd pack": "zstd"}.get(name, "")
    files = os.path.join(folder, "files", name)
    paths = write_images(files, images, ".jpg" if name.startswith("JPG") else ".png")
    if not store:
        return paths, files
    out = os.path.join(folder, store)
    pack(PackOptions(dataroot=(files,), out=out, store=store, processes=0, quiet=True))
    return paths, out


def measure(folder: str, name: str, *, count: int, rounds: int, quick: bool) -> Row:
    """Compare making tensors of `count` images of one kind, by the reference and by ours."""
    paths, root = material(folder, name, crops(count, 256, 256))
    load, dataset = reference.train_loader(PROB), train_images(root)
    epochs = iter(range(10**9))  # new draws in each round, on both sides

    def ours() -> None:
        epoch = next(epochs)
        for index in range(count):
            dataset[epoch, index]

    inside = [dataset.samples.path(index) for index in range(count)]
    sides: dict[str, Callable[[], object]] = {
        REFERENCE: lambda: [load(path) for path in paths],
        OURS: ours,
        LIBRARIES: functools.partial(libraries_alone, inside),
    }
    seconds = alternate(sides, rounds)
    row = compare(
        f"training images, 256x256, from {name}, blur and JPEG at {PROB}",
        "images/s per core",
        seconds,
        target=TARGETS[name],
        rate_of=count,
        alone=(LIBRARIES, seconds[LIBRARIES]),
        note="the reference reads PNG files" if is_manifest(root) else "",
    )
    return explained(row, functools.partial(_details, ours, inside, row), quick)


def _details(ours: Callable[[], None], inside: list[str], row: Row) -> str:
    start = time.perf_counter()
    for path in inside:
        open_image(path)
    decoding = 1e3 * (time.perf_counter() - start) / len(inside)
    there, here = 1e3 / row.reference, 1e3 / row.ours
    return (
        f"An image takes {there:.2f} ms there and {here:.2f} ms here, {decoding:.2f} ms of them to"
        f" read and decode it; the target is {row.target}. Ours, by cProfile,"
        f" of {len(inside)} images:\n\n{python_profile(ours)}"
    )


def main() -> None:
    """Measure files and packs on one core."""
    options = parse(BenchmarkOptions)
    cv2.setNumThreads(0)  # as in our workers, on both sides
    torch.set_num_threads(1)  # as torch does in workers
    count = 4 if options.quick else 240
    with tempfile.TemporaryDirectory() as folder:
        rows = [
            measure(folder, name, count=count, rounds=options.rounds, quick=options.quick)
            for name in TARGETS
        ]
    show(rows, options.json)


if __name__ == "__main__":
    run(main)
