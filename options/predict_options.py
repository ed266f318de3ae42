"""What predict.py can be told."""

from __future__ import annotations

from dataclasses import dataclass

from options.declare import not_with, one_of, option
from options.machine import SIDE, ImageOptions, MachineOptions, NetworkOptions, SkipOptions


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

    paths: tuple[str, ...] = option((), "image files, and folders of them", positional=True)
    recursive: bool = option(False, "look for images in the folders' subfolders, too")
    no_crop: bool = option(False, "score whole images, whatever the weights were trained on")
    cropSize: int | None = option(
        None,
        "side of the centre crop [as the checkpoint says; the published weights say none: whole"
        " images]",
        SIDE,
        needs=[not_with("no_crop")],
    )


@dataclass(frozen=True, kw_only=True)
class OutputOptions:
    """Output."""

    threshold: str = option(
        "",
        "also answer real or fake: a probability between 0 and 1, or a threshold.json of eval.py"
        " --calibrate_on, which knows unsure, too",
        _threshold,
    )
    format: str = option("csv", "csv, or jsonl: a JSON object per line", one_of("csv", "jsonl"))


@dataclass(frozen=True, kw_only=True)
class PredictOptions(
    MachineOptions, SkipOptions, ImageOptions, OutputOptions, NetworkOptions, InputOptions
):
    """Print, for each image, the probability that it is generated, and its logit."""

    def conflict(self) -> str | None:
        """What is wrong with the options taken together, or None."""
        if not self.paths:
            return "PATHS are needed: image files, and folders of them"
        return None if self.model_path else "--model_path is needed"
