"""What eval.py can be told."""

from __future__ import annotations

from dataclasses import dataclass

from options.declare import at_least, option
from options.machine import MachineOptions


@dataclass(frozen=True, kw_only=True)
class InputOptions:
    """What to evaluate."""

    model_path: str = option("", "weights: a checkpoint of train.py or the published ones")
    dataroot: str = option("", "the folder that holds the test sets, one folder each")
    testsets: tuple[str, ...] = option((), "test sets to score; empty: every one found")
    predictions: str = option(
        "", "measure again from this predictions.csv, without weights or images"
    )


@dataclass(frozen=True, kw_only=True)
class ProtocolOptions:
    """Protocol."""

    no_crop: bool = option(False, "score whole images instead of the centre crop")
    cropSize: int | None = option(
        None, "side of the centre crop [as the weights were trained, else 224]", at_least(1)
    )
    arch: str = option("", "the network [as the checkpoint says, else resnet50]")


@dataclass(frozen=True, kw_only=True)
class OutputOptions:
    """Output."""

    results_dir: str = option("results", "the folder that holds the results' folders")
    name: str = option("", "name of the results' folder [the weights' file name]")
    published: str = option(
        "", "show these published figures beside ours: blur_jpg_prob0.5 or a row of Table 2"
    )


@dataclass(frozen=True, kw_only=True)
class EvalOptions(MachineOptions, OutputOptions, ProtocolOptions, InputOptions):
    """Score every test set with one network and print average precision and accuracy for each."""

    def conflict(self) -> str | None:
        """What is wrong with the options taken together, or None."""
        if self.predictions and (self.model_path or self.dataroot):
            return "--predictions takes the place of --model_path and --dataroot"
        if not self.predictions and not self.model_path:
            return "--model_path is needed (or --predictions)"
        if not self.predictions and not self.dataroot:
            return "--dataroot is needed (or --predictions)"
        if self.no_crop and self.cropSize:
            return "--no_crop and --cropSize exclude each other"
        if set(self.name) & set("/\\\0") or self.name in (".", ".."):
            return f"--name must be a plain folder name, not {self.name!r}"
        return None
