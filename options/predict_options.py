"""What predict.py can be told."""

from __future__ import annotations

from dataclasses import dataclass

from options.declare import at_least, one_of, option
from options.machine import ImageOptions, MachineOptions, NetworkOptions, SkipOptions


@dataclass(frozen=True, kw_only=True)
class InputOptions:
    """What to score."""

    paths: tuple[str, ...] = option((), "image files, and folders of them", positional=True)
    recursive: bool = option(False, "look for images in the folders' subfolders, too")
    cropSize: int | None = option(
        None, "score the centre crop of this side instead of the whole image", at_least(1)
    )


@dataclass(frozen=True, kw_only=True)
class OutputOptions:
    """Output."""

    threshold: str = option(
        "", "a threshold.json of eval.py --calibrate_on: also answer real, fake or unsure"
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
