"""The options of commands that answer with one detector for images of unknown label."""

from __future__ import annotations

from dataclasses import dataclass

from options.declare import if_given, not_with, option
from options.detector_source import DETECTOR_HELP, MODEL_PATH_HELP, detector_name
from options.machine import SIDE


def _threshold(value: str) -> str | None:
    try:
        fits = 0 < float(value) < 1
    except ValueError:  # a file's name
        fits = True
    wrong = "must be a probability between 0 and 1 (not these themselves), or a file"
    return None if fits else f"{wrong} (named so: ./{value})"


@dataclass(frozen=True, kw_only=True)
class OneDetectorOptions:
    """Detector and verdict."""

    model_path: str = option("", MODEL_PATH_HELP, metavar="FILE")
    detector: str = option("", DETECTOR_HELP, if_given(detector_name), metavar="NAME[:FILE]")
    no_crop: bool = option(False, "score whole images, whatever crop the weights were trained on")
    cropSize: int | None = option(
        None,
        "side of the centre crop [that of the checkpoint; the published weights have none: whole"
        " images]",
        SIDE,
        needs=[not_with("no_crop")],
    )
    threshold: str = option(
        "",
        "give verdicts: by a probability between 0 and 1 (real, fake), or by a threshold.json of"
        " eval.py --calibrate_on (real, fake, unsure)",
        _threshold,
        metavar="P|FILE",
    )
