"""The options of predict.py."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from options.declare import if_given, not_with, one_of, option
from options.detector_source import (
    DETECTOR_HELP,
    MODEL_PATH_HELP,
    detector_name,
    detector_sources,
)
from options.machine import (
    SIDE,
    ConsoleOptions,
    ImageOptions,
    MachineOptions,
    NetworkOptions,
    SkipOptions,
)


def _threshold(value: str) -> str | None:
    try:
        fits = 0 < float(value) < 1
    except ValueError:  # a file's name
        fits = True
    wrong = "must be a probability between 0 and 1 (not these themselves), or a file"
    return None if fits else f"{wrong} (named so: ./{value})"


@dataclass(frozen=True, kw_only=True)
class InputOptions:
    """What to score."""

    model_path: str = option("", MODEL_PATH_HELP, metavar="FILE")
    detector: str = option("", DETECTOR_HELP, if_given(detector_name), metavar="NAME[:FILE]")
    paths: tuple[str, ...] = option((), "image files and folders of images", positional=True)
    recursive: bool = option(False, "look in subfolders, too")
    no_crop: bool = option(False, "score whole images, whatever crop the weights were trained on")
    cropSize: int | None = option(
        None,
        "side of the centre crop [that of the checkpoint; the published weights have none: whole"
        " images]",
        SIDE,
        needs=[not_with("no_crop")],
    )


@dataclass(frozen=True, kw_only=True)
class OutputOptions:
    """Output."""

    threshold: str = option(
        "",
        "add a verdict: a probability between 0 and 1 (real, fake), or a threshold.json of eval.py"
        " --calibrate_on (real, fake, unsure)",
        _threshold,
        metavar="P|FILE",
    )
    format: str = option("csv", "csv, or jsonl: a JSON object per line", one_of("csv", "jsonl"))


@dataclass(frozen=True, kw_only=True)
class PredictOptions(
    ConsoleOptions,
    MachineOptions,
    SkipOptions,
    ImageOptions,
    OutputOptions,
    NetworkOptions,
    InputOptions,
):
    """Print, for each image, the probability that it is generated, and its logit."""

    examples: ClassVar = (
        "python predict.py --model_path checkpoints/blur_jpg_prob0.5.pth photos",
        "python predict.py --model_path checkpoints/mine/model_epoch_best.pth --threshold 0.5 "
        "a.png b.jpg",
    )
    page: ClassVar = "docs/evaluation.md"

    def conflict(self) -> str | None:
        """Return what is wrong with the options taken together, or None."""
        if not self.paths:
            return "PATHS are needed: image files, and folders of them"
        try:
            sources = detector_sources([self.model_path], [self.detector])
        except ValueError as error:
            return str(error)
        if len(sources) > 1:
            return "--model_path and --detector with a file exclude each other"
        return None if sources else "--model_path is needed (or --detector)"
