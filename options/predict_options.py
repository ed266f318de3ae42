"""The options of predict.py."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from options.declare import between, if_given, one_of, only_with, option
from options.detector_source import not_one_detector
from options.machine import (
    ConsoleOptions,
    ImageOptions,
    MachineOptions,
    NetworkOptions,
    SkipOptions,
)
from options.one_detector import OneDetectorOptions
from options.places import writable_file


def _page(value: str) -> str | None:
    return writable_file(value) if value.endswith((".html", ".htm")) else "must end in .html"


@dataclass(frozen=True, kw_only=True)
class InputOptions:
    """What to score."""

    paths: tuple[str, ...] = option((), "image files and folders of images", positional=True)
    recursive: bool = option(False, "look in subfolders, too")


@dataclass(frozen=True, kw_only=True)
class OutputOptions:
    """Output."""

    format: str = option("csv", "csv, or jsonl: a JSON object per line", one_of("csv", "jsonl"))


@dataclass(frozen=True, kw_only=True)
class PageOptions:
    """Page."""

    html: str = option(
        "",
        "write a page, too, in which to look the images through: one file",
        if_given(_page),
        metavar="FILE",
    )
    overwrite: bool = option(False, "replace a page that is there", needs=[only_with("html")])
    thumbnails: int = option(
        1000,
        "most images with a picture: those with the highest logits; about 9 kB each",
        between(0, 100_000),
        needs=[only_with("html")],
    )
    details: int = option(
        100,
        "most of these with a larger picture, spectrum and Grad-CAM; about 200 kB each",
        between(0, 10_000),
        needs=[only_with("html")],
    )


@dataclass(frozen=True, kw_only=True)
class PredictOptions(
    ConsoleOptions,
    MachineOptions,
    SkipOptions,
    ImageOptions,
    PageOptions,
    OutputOptions,
    NetworkOptions,
    OneDetectorOptions,
    InputOptions,
):
    """Print, for each image, the probability that it is generated, and its logit."""

    examples: ClassVar = (
        "python predict.py --model_path checkpoints/blur_jpg_prob0.5.pth photos",
        "python predict.py --model_path checkpoints/mine/model_epoch_best.pth --threshold 0.5 "
        "--html photos.html photos",
    )
    page: ClassVar = "docs/predict.md"

    def conflict(self) -> str | None:
        """Return what is wrong with the options taken together, or None."""
        if not self.paths:
            return "PATHS are needed: image files, and folders of them"
        return not_one_detector(self.model_path, self.detector)
