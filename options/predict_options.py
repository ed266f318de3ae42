"""What predict.py can be told."""

from __future__ import annotations

from dataclasses import dataclass

from options.declare import at_least, option
from options.machine import MachineOptions


@dataclass(frozen=True, kw_only=True)
class InputOptions:
    """What to score."""

    paths: tuple[str, ...] = option((), "image files, and folders of them", positional=True)
    recursive: bool = option(False, "look for images in the folders' subfolders, too")
    model_path: str = option("", "weights: a checkpoint of train.py or the published ones")
    cropSize: int | None = option(
        None, "score the centre crop of this side instead of the whole image", at_least(1)
    )
    arch: str = option("", "the network [as the checkpoint says, else resnet50]")


@dataclass(frozen=True, kw_only=True)
class PredictOptions(MachineOptions, InputOptions):
    """Print, for each image, the probability that it is generated, and its logit, as CSV."""

    def conflict(self) -> str | None:
        """What is wrong with the options taken together, or None."""
        return None if self.model_path else "--model_path is needed"
