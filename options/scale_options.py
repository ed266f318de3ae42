"""The options of the commands that say what more GPUs and more images would take."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from options.declare import above, at_least, between, each, one_of, option
from options.machine import MAX_PROCESSES

MOST_IMAGES = 100_000_000


@dataclass(frozen=True, kw_only=True)
class ScaleOptions:
    """Find where reading images limits training: the real loaders, and steps that only wait."""

    examples: ClassVar = (
        "python -m benchmarks.scale",
        "python -m benchmarks.scale --processes 1,8 --rates 1000,2750 --num_threads 8",
    )
    page: ClassVar = "docs/scaling.md"

    processes: tuple[int, ...] = option(
        (1, 2, 4), "numbers of training processes to try", each(between(1, MAX_PROCESSES))
    )
    rates: tuple[float, ...] = option(
        (),
        "images a second that a process's steps would take [0.5, 0.8, 1.25 and 2 times its share"
        " of what the cores here read at most]",
        each(above(0)),
    )
    num_threads: int = option(
        2, "worker processes that read, for each training process", between(1, MAX_PROCESSES)
    )
    batch_size: int = option(16, "images of a step of each process", at_least(1))
    ending: str = option(
        "png", "kind of the generated 256x256 images: png or jpg", one_of("png", "jpg")
    )
    seconds: float = option(4.0, "length of each measurement, about", above(0))
    rounds: int = option(3, "measurements of each rate; medians are shown", at_least(1))
    quick: bool = option(False, "read few images, to see that it runs; the results mean nothing")


@dataclass(frozen=True, kw_only=True)
class OnPaperOptions:
    """Compute what GPUs of an assumed speed need of cores, storage and network, and measure what
    the list of so many images costs every process here.
    """

    examples: ClassVar = (
        "python -m benchmarks.on_paper",
        "python -m benchmarks.on_paper --gpus 4 --gpu_rate 1200 --images 720000",
    )
    page: ClassVar = "docs/scaling.md"

    gpus: tuple[int, ...] = option((1, 8, 64), "numbers of GPUs", each(between(1, 1_000_000)))
    images: tuple[int, ...] = option(
        (720_000, 10_000_000), "numbers of training images", each(between(2, MOST_IMAGES))
    )
    gpu_rate: float = option(
        2750.0,
        "images a second that one GPU trains on: an assumption (ResNet-50, 224 pixels, bf16)",
        above(0),
    )
    png_rate: float = option(
        278.0, "training images a second that one core reads from PNG files", above(0)
    )
    jpg_rate: float = option(713.0, "the same from JPEG files", above(0))
    pixel_rate: float = option(
        1050.0, "the same from a pack of decoded pixels (tools.pack --store pixels)", above(0)
    )
    batch_size: int = option(64, "images of a step, over all GPUs together", at_least(1))
