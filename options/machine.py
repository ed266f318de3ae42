"""Options that say where and how fast, and are the same for every script."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass

from options.declare import at_least, between, not_with, one_of, only_with, option
from options.names import ARCHITECTURES

SCORING = not_with("predictions")  # for what concerns images, weights or the machine
SEED = between(0, 2**32 - 1)  # what every generator of random numbers takes
SIDE = between(1, 10_000)  # of a crop, in pixels: a larger one no memory holds
MAX_PROCESSES = 1024
DEVICES = "auto (a GPU if there is one), cpu, cuda, cuda:N or mps"
ARCH_HELP = (
    f"backbone [that of the checkpoint, else resnet50]: {', '.join(ARCHITECTURES)}, timm:NAME;"
    " with another stem NAME-stride1, NAME-npr, NAME-hh, NAME-stride1-npr, NAME-stride1-hh"
)
MAX_PIXELS = 178_956_970  # of an image: where PIL would stop, too; 512 MB decoded


def check_device(value: str) -> str | None:
    """Return what is wrong with a device's name, or None."""
    fits = re.fullmatch(r"auto|cpu|mps|cuda(:[0-9]{1,2})?", value)
    return None if fits else "must be auto, cpu, cuda, cuda:N or mps"


@dataclass(frozen=True, kw_only=True)
class MachineOptions:
    """Machine."""

    device: str = option(
        "auto",
        DEVICES,
        check_device,
        needs=[SCORING],
    )
    precision: str = option(
        "fp32",
        "arithmetic of the network: fp32, bf16 or fp16; the weights stay fp32",
        one_of("fp32", "bf16", "fp16"),
        needs=[SCORING],
    )
    tf32: bool = option(
        False,
        "let a GPU compute fp32 with TensorFloat-32: faster; logits differ by about 1e-3",
        needs=[SCORING],
    )
    batch_size: int = option(
        64, "images per batch, over all processes together", at_least(1), needs=[SCORING]
    )
    num_threads: int = option(
        min(4, os.cpu_count() or 1),
        "worker processes that read images; 0: read in the main process",
        between(0, MAX_PROCESSES),
        needs=[SCORING],
    )


@dataclass(frozen=True, kw_only=True)
class ConsoleOptions:
    """Console."""

    quiet: bool = option(
        False,
        "print results, warnings and errors alone: no bars, no lines of progress, no last line with"
        " the time it took and what to do next",
    )


@dataclass(frozen=True, kw_only=True)
class ImageOptions:
    """Images."""

    max_pixels: int = option(
        MAX_PIXELS,
        "most pixels of an image; a larger one is refused as unreadable before it is decoded",
        at_least(1),
        needs=[SCORING, not_with("quick")],
    )


@dataclass(frozen=True, kw_only=True)
class SkipOptions:
    """Images that cannot be read."""

    skip_unreadable: bool = option(
        False, "count them and exit with 0 [list each and exit with 1]", needs=[SCORING]
    )


@dataclass(frozen=True, kw_only=True)
class NetworkOptions:
    """Network."""

    arch: str = option("", ARCH_HELP, needs=[SCORING])
    compile: bool = option(
        False,
        "compile the network first (torch.compile): faster after the first minute",
        needs=[SCORING],
    )
    max_batch_pixels: int = option(
        1 << 22,
        "most pixels in a batch of whole images, to bound memory (ResNet-50 takes about 300 bytes"
        " for each)",
        at_least(1),
        needs=[only_with("no_crop")],
    )
