"""Compute what more GPUs and more images take: `python -m benchmarks.on_paper`.

What GPUs need follows from rates that are given; what a list of images costs is measured, on names
that are made up.
"""

from __future__ import annotations

import functools
import resource
import sys
import time
from collections.abc import Callable, Sequence

import numpy as np

from benchmarks.forked import in_a_child
from data.order import Pool, epoch_order, find_pairs
from data.samples import LABELS, Samples
from networks.create import create_network
from options.parse import parse
from options.scale_options import OnPaperOptions
from tools.full_scale.costs import NUM_TRAIN
from tools.released.hub import SPLITS
from util.errors import run
from util.markdown import table
from util.progress import amount, duration

PNG_BYTES = SPLITS["train"].size / NUM_TRAIN  # of a released training image, about
RAW_BYTES = 256 * 256 * 3
CLASSES = 20


def feeding(options: OnPaperOptions) -> str:
    """Return a table of what it takes to read as many images as the GPUs train on."""
    rates = (options.png_rate, options.jpg_rate, options.pixel_rate)
    rows = []
    for gpus in options.gpus:
        asked = gpus * options.gpu_rate
        cores = [f"{-(-asked // rate):,.0f}" for rate in rates]
        bytes_read = [f"{amount(asked * size)}/s" for size in (PNG_BYTES, RAW_BYTES)]
        rows.append([f"{gpus}", f"{asked:,.0f}", *cores, *bytes_read])
    kinds = ("PNG", "JPEG", "pixels")
    return table(
        (
            "GPUs",
            "images/s",
            *(f"cores, {k} at {r:,.0f}/s" for k, r in zip(kinds, rates, strict=True)),
            "PNG read",
            "pixels read",
        ),
        rows,
        0,
    )


def exchanging(options: OnPaperOptions, parameters: int) -> str:
    """Return a table of the gradients that each GPU sends in a step, by a ring: 4 bytes for each
    of the `parameters`, 2 (G - 1) / G times; with the batch of all GPUs together, and with as many
    images on each GPU.
    """
    rows = []
    for gpus in (number for number in options.gpus if number > 1):
        sent = 4 * parameters * 2 * (gpus - 1) / gpus
        cells = [f"{gpus}", amount(sent)]
        for own in (options.batch_size / gpus, float(options.batch_size)):
            seconds = own / options.gpu_rate
            cells += [f"{own:g}", f"{1e3 * seconds:.2f} ms", f"{amount(sent / seconds)}/s"]
        rows.append(cells)
    each = ("images on each", "step", "to hide it")
    return table(("GPUs", "sent in a step", *each, *each), rows, 0)


def epochs(options: OnPaperOptions) -> str:
    """Return a table of how long an epoch takes where the GPUs are the limit."""
    rows = [
        [
            f"{images:,}",
            f"{images // options.batch_size:,}",
            *(duration(images / (gpus * options.gpu_rate)) for gpus in options.gpus),
        ]
        for images in options.images
    ]
    named = [f"{gpus} GPU{'s' if gpus > 1 else ''}" for gpus in options.gpus]
    return table(("images", f"steps of {options.batch_size}", *named), rows, 0)


def listed(images: int) -> Samples:
    """Return the list of about so many images that are not there, in CLASSES classes of pairs."""
    each = max(1, images // (CLASSES * len(LABELS)))
    names = [
        b"class%02d/%s/%08d.png" % (number, label.encode(), image)
        for number in range(CLASSES)
        for label in LABELS
        for image in range(each)
    ]
    labels = np.tile(np.repeat(np.array(list(LABELS.values()), np.uint8), each), CLASSES)
    return Samples("images", np.array(names), labels)


def lists(options: OnPaperOptions) -> str:
    """Return a table of what a list of so many images costs a process: measured here."""
    rows = []
    for images in options.images:
        samples = listed(images)
        count = len(samples.labels)
        pool = Pool(
            numbers=np.arange(count), labels=samples.labels, pairs=None, per_batch=min(64, count)
        )
        order = _costs(functools.partial(epoch_order, [pool], balanced=False, seed=0, epoch=0))
        pairs = _costs(functools.partial(find_pairs, samples))
        size = amount(samples.paths.nbytes + samples.labels.nbytes)
        rows.append([f"{count:,}", size, *order, *pairs])
    heads = ("images", "names", "order of an epoch", "at most", "--pairs", "at most")
    return table(heads, rows, 0)


def _costs(work: Callable[[], object]) -> tuple[str, str]:
    """Return how long `work` takes, and by how much it raises a forked process's largest memory."""

    def measure() -> tuple[float, int]:
        before, begun = _largest(), time.perf_counter()
        work()
        return time.perf_counter() - begun, _largest() - before

    seconds, size = in_a_child(measure)
    return f"{seconds:.2f} s", amount(size)


def _largest() -> int:
    largest = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return largest * (1 if sys.platform == "darwin" else 1024)


def sections(options: OnPaperOptions) -> Sequence[str]:
    """Return what follows from the rates that `options` give."""
    parameters = sum(p.numel() for p in create_network("resnet50").parameters())
    return feeding(options), exchanging(options, parameters), epochs(options)


def main() -> None:
    """Print what follows from the rates, and what is measured."""
    options = parse(OnPaperOptions)
    for section in (*sections(options), lists(options)):
        print(f"{section}\n", flush=True)


if __name__ == "__main__":
    run(main)
