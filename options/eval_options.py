"""The options of eval.py."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import ClassVar

from options.cluster import cluster_rule
from options.declare import (
    Condition,
    at_least,
    between,
    each,
    if_given,
    not_with,
    one_of,
    only_with,
    option,
)
from options.detector_source import (
    DETECTOR_HELP,
    MODEL_PATH_HELP,
    detector_name,
    detector_sources,
)
from options.machine import (
    SCORING,
    SIDE,
    ConsoleOptions,
    ImageOptions,
    MachineOptions,
    NetworkOptions,
    SkipOptions,
)
from options.names import BENCHMARKS, PUBLISHED
from options.report_options import OutputOptions
from options.saved import SavedIn
from options.source import NEEDED, PART, PlainFolders
from options.tracking import missing_tracker


def _encoder(value: str) -> str | None:
    fits = value in ("", "png") or re.fullmatch(r"jpeg:([1-9][0-9]?|100)(@fake)?", value)
    return None if fits else "must be png or jpeg:1 to jpeg:100, as in jpeg:95 or jpeg:96@fake"


def _jpeg(value: str) -> str | None:
    fits = re.fullmatch(r"jpeg:([1-9][0-9]?|100)", value)
    return None if fits else "must be jpeg:1 to jpeg:100, as in jpeg:96"


def _size(value: str) -> str | None:
    fits = value == "none" or re.fullmatch(r"[1-9][0-9]{0,3}(x[1-9][0-9]{0,3})?", value)
    return None if fits else "must be none, a side such as 256, or two such as 256x256"


def _crops(value: int) -> str | None:
    return None if value in (1, 5, 10) else "must be 1, 5 or 10"


@dataclass(frozen=True, kw_only=True)
class DetectorOptions:
    """Detectors; several are scored in one pass and reported side by side."""

    model_path: tuple[str, ...] = option(
        (), MODEL_PATH_HELP, repeated=True, needs=[SCORING], metavar="FILE"
    )
    detector: tuple[str, ...] = option(
        (),
        DETECTOR_HELP,
        each(detector_name),
        repeated=True,
        needs=[SCORING],
        metavar="NAME[:FILE]",
    )
    ensemble: bool = option(
        False,
        "also report the mean of the detectors' probabilities, each calibrated on --calibrate_on",
        needs=[SCORING, only_with("calibrate_on")],
    )


@dataclass(frozen=True, kw_only=True)
class InputOptions:
    """What to evaluate."""

    dataroot: str = option(
        "",
        "folder that holds the test sets, one folder each, or a manifest (with --predictions: where"
        " the report finds its pictures)",
        needs=[not_with("fake")],
        metavar="FOLDER",
    )
    split: str = option(
        "",
        "take only images below folders of this name (GenImage: val), or a manifest's rows of this"
        " split [test, where it has that]; with --real and --fake, or a manifest without splits,"
        " val takes the images that training held out",
        needs=[SCORING, PART],
    )
    testsets: tuple[str, ...] = option((), "test sets to score [all]", needs=[not_with("fake")])
    benchmark: str = option(
        "",
        "score the test sets of a benchmark alone, in its order, with its mean and what was"
        f" published on it [with --predictions: that of the scores]: {', '.join(BENCHMARKS)}",
        if_given(one_of(*BENCHMARKS)),
        needs=[not_with("fake")],
    )
    predictions: tuple[str, ...] = option(
        (),
        "make the report again from these predictions.csv, without weights or images; of several,"
        " the first is compared with each other",
        several=True,
        metavar="FILE",
    )


@dataclass(frozen=True, kw_only=True)
class ProtocolOptions:
    """Protocol."""

    no_crop: bool = option(
        False,
        "score whole images instead of the centre crop",
        needs=[  # published figures are there with and without crop, and a table may not know
            Condition(lambda o: not o.predictions or o.published, "with --predictions"),
        ],
    )
    cropSize: int | None = option(
        None,
        "side of the centre crop [that of the checkpoint, else 224]",
        SIDE,
        needs=[SCORING, not_with("no_crop")],
    )
    crops: int = option(
        1,
        "crops whose mean logit scores an image: 1 (the centre), 5 (and the corners), 10 (and both"
        " mirrored)",
        _crops,
        needs=[SCORING, not_with("no_crop")],
    )
    resize: str = option(
        "",
        "before the crop, resize the short side to N pixels, or both to HEIGHTxWIDTH; none: no"
        " resizing [as the detector's authors do; for ours none]",
        if_given(_size),
        needs=[SCORING],
        metavar="SIZE",
    )
    reencode: str = option(
        "",
        "re-encode every image first (jpeg:QUALITY or png); a drop in AP means that the detector"
        " relied on file encoding; jpeg:QUALITY@fake re-encodes the fakes alone (reals that are"
        " JPEG files already)",
        _encoder,
        needs=[SCORING],
        metavar="ENCODER",
    )
    aligned: str = option(
        "",
        "score each image as it is and re-encoded (jpeg:QUALITY), whatever its label, in one pass:"
        " columns of both, and what the detector owes to file formats",
        if_given(_jpeg),
        needs=[SCORING, not_with("reencode")],
        metavar="ENCODER",
    )


@dataclass(frozen=True, kw_only=True)
class MeasureOptions:
    """Metrics."""

    bootstrap: int = option(
        1000, "resamples for the 95 % bootstrap intervals; 0: no intervals", between(0, 1_000_000)
    )
    cluster: str = option(
        "",
        "for the intervals, draw images together that belong together (crops of a photograph,"
        " frames of a video, pairs): by what the first group of this regular expression, or all of"
        " it, finds in their path in the test set, 0_real and 1_fake left out; column:NAME: by a"
        " column of the manifest, or of predictions.csv; none: one by one [what the minibench.json"
        " of --dataroot says, else none; with --predictions as before]",
        if_given(cluster_rule),
        needs=[not_with("bootstrap", 0)],
        metavar="REGEX",
    )
    few_shot: tuple[int, ...] = option(
        (1, 10), "also measure thresholds learned from k real and k fake images", each(at_least(1))
    )
    calibrate_on: str = option(
        "",
        "learn a threshold on this folder of images, or predictions.csv, which must not be a test"
        " set, and write it for predict.py --threshold",
        metavar="FOLDER|FILE",
    )
    target_fpr: float | None = option(
        None,
        "choose that threshold so that at most this share of the real images is called fake"
        " [highest accuracy]",
        between(0, 1),
        needs=[only_with("calibrate_on")],
    )
    published: str = option(
        "",
        f"show these published figures beside ours: {', '.join(PUBLISHED)}",
        if_given(one_of(*PUBLISHED)),
    )


@dataclass(frozen=True, kw_only=True)
class RobustnessOptions:
    """Robustness."""

    robustness: bool = option(
        False, "also score every image degraded, at each of the levels below", needs=[SCORING]
    )
    blur_sigmas: tuple[float, ...] = option(
        (0, 1, 2, 3, 4),
        "standard deviations of the Gaussian blur, in pixels",
        each(between(0, 100)),
        needs=[only_with("robustness")],
    )
    jpeg_qualities: tuple[int, ...] = option(
        (100, 90, 80, 70, 60, 50, 40, 30),
        "qualities of the JPEG compression (PIL)",
        each(between(1, 100)),
        needs=[only_with("robustness")],
    )
    rescale_factors: tuple[float, ...] = option(
        (1, 0.75, 0.5, 0.25),
        "factors of the rescaling, which comes before the crop",
        each(between(0.01, 4)),
        needs=[only_with("robustness")],
    )


@dataclass(frozen=True, kw_only=True)
class EvalOptions(
    ConsoleOptions,
    MachineOptions,
    SkipOptions,
    ImageOptions,
    OutputOptions,
    RobustnessOptions,
    MeasureOptions,
    ProtocolOptions,
    NetworkOptions,
    DetectorOptions,
    PlainFolders,
    InputOptions,
):
    """Score every test set and report how well detectors tell fakes from reals."""

    examples: ClassVar = (
        "python eval.py --model_path checkpoints/run/model_epoch_best.pth --dataroot dataset/test",
        "python eval.py --predictions results/a/predictions.csv results/b/predictions.csv",
    )
    page: ClassVar = "docs/evaluation.md"
    saved: ClassVar = SavedIn(
        "results/NAME/metrics.json", key="options", anew=("name", "overwrite", "quiet")
    )

    def conflict(self) -> str | None:
        """Return what is wrong with the options taken together, or None."""
        try:
            sources = detector_sources(self.model_path, self.detector)
        except ValueError as error:
            return str(error)
        if not self.predictions and not sources:
            return "--model_path is needed (or --detector, or --predictions)"
        if self.ensemble and len(sources) < 2:
            return "--ensemble needs several detectors: give --model_path or --detector again"
        if not (self.predictions or self.dataroot or self.fake):
            return NEEDED.format("--dataroot")
        if len(self.predictions) > 1 and self.calibrate_on:
            return "--calibrate_on belongs to one model: give one file to --predictions"
        return missing_tracker(self.tracker)
