"""The options of `python -m tools.check_detector`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from options.declare import each, if_given, one_of, option
from options.detector_source import DETECTOR_HELP, detector_name, detector_sources
from options.machine import ConsoleOptions, ImageOptions, MachineOptions, SkipOptions
from options.names import BENCHMARKS
from options.places import writable_folder


@dataclass(frozen=True, kw_only=True)
class CheckOptions(ConsoleOptions, MachineOptions, SkipOptions, ImageOptions):
    """Score a published detector by its authors' transform, and compare with what they report.

    Exit code 0: everything was scored, whatever the verdict; 1: some images were not; 2: wrong
    usage.
    """

    examples: ClassVar = (
        "python -m tools.check_detector univfd --model_path fc_weights.pth --dataroot dataset/test",
        "python -m tools.check_detector clipdet:weights.pth,open_clip_pytorch_model.bin"
        " --dataroot synthbuster --real RAISE-1k --benchmark synthbuster",
    )
    page: ClassVar = "docs/detectors.md"

    detector: tuple[str, ...] = option(
        (),
        DETECTOR_HELP,
        each(detector_name),
        positional=True,
    )
    model_path: str = option("", "file of the detector", metavar="FILE")
    dataroot: str = option(
        "", "folder that holds the benchmark's test sets, or a manifest", metavar="FOLDER"
    )
    benchmark: str = option(
        "",
        f"the benchmark: {', '.join(BENCHMARKS)} [of those that its authors report, the first whose"
        " test sets are all there, else the first of which any is]",
        if_given(one_of(*BENCHMARKS)),
    )
    testsets: tuple[str, ...] = option((), "score some of its test sets alone")
    split: str = option("", "take only images below folders of this name (GenImage: val)")
    real: str = option(
        "", "folder of real images, for test sets without any (Synthbuster)", metavar="FOLDER"
    )
    results_dir: str = option(
        "results",
        "folder whose .scores keeps the scores, for eval.py, too",
        writable_folder,
        metavar="FOLDER",
    )

    def conflict(self) -> str | None:
        """Return what is wrong with the options taken together, or None."""
        if len(self.detector) != 1:
            return "DETECTOR is needed, one: NAME, or NAME:FILE"
        if ":" in self.detector[0] and self.model_path:
            return "--model_path: DETECTOR names its file already; leave one of them out"
        try:
            detector_sources([self.model_path], self.detector)
        except ValueError as error:
            return str(error)
        return None if self.dataroot else "--dataroot is needed: a folder or a manifest"
