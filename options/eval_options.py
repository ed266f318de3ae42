"""What eval.py can be told."""

from __future__ import annotations

import re
from dataclasses import dataclass

from options.declare import (
    Condition,
    at_least,
    between,
    each,
    file_name,
    if_given,
    not_with,
    one_of,
    only_with,
    option,
)
from options.machine import SCORING, SIDE, ImageOptions, MachineOptions, NetworkOptions, SkipOptions
from options.names import PUBLISHED
from options.places import writable_folder
from options.source import NEEDED, PART, PlainFolders


def _encoder(value: str) -> str | None:
    fits = value in ("", "png") or re.fullmatch(r"jpeg:([1-9][0-9]?|100)", value)
    return None if fits else "must be png or jpeg:1 to jpeg:100, as in jpeg:95"


def _crops(value: int) -> str | None:
    return None if value in (1, 5, 10) else "must be 1, 5 or 10"


@dataclass(frozen=True, kw_only=True)
class InputOptions:
    """What to evaluate."""

    dataroot: str = option(
        "",
        "the folder that holds the test sets, one folder each, or a manifest (with --predictions:"
        " where the pictures in the report come from)",
        needs=[not_with("fake")],
    )
    split: str = option(
        "",
        "only images below folders of this name (GenImage: val), or a manifest's rows of this split"
        " [test, where it has that]; val, of --real and --fake and of a manifest without splits:"
        " those that training held out",
        needs=[SCORING, PART],
    )
    testsets: tuple[str, ...] = option(
        (), "test sets to score; empty: every one found", needs=[not_with("fake")]
    )
    predictions: tuple[str, ...] = option(
        (),
        "measure again from these predictions.csv, without weights or images; several: side by"
        " side, the first against each other",
        several=True,
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
        "side of the centre crop [as the weights were trained, else 224]",
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
    resize: int | None = option(
        None, "resize the short side to N pixels before the crop [none]", SIDE, needs=[SCORING]
    )
    reencode: str = option(
        "",
        "first give every image this last encoder, jpeg:<quality> or png: what that changes, the"
        " detector owed to the files",
        _encoder,
        needs=[SCORING],
    )


@dataclass(frozen=True, kw_only=True)
class MeasureOptions:
    """Figures."""

    bootstrap: int = option(
        1000, "resamples for the 95 % intervals; 0: none", between(0, 1_000_000)
    )
    few_shot: tuple[int, ...] = option(
        (1, 10), "also measure thresholds learned from k real and k fake images", each(at_least(1))
    )
    calibrate_on: str = option(
        "", "learn a threshold on this folder of images, or predictions.csv, of no test set"
    )
    target_fpr: float | None = option(
        None,
        "choose it so that at most this share of its reals is called fake [by accuracy]",
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
        False, "score every image degraded, too, at each level of:", needs=[SCORING]
    )
    blur_sigmas: tuple[float, ...] = option(
        (0, 1, 2, 3, 4),
        "Gaussian blur, in pixels",
        each(between(0, 100)),
        needs=[only_with("robustness")],
    )
    jpeg_qualities: tuple[int, ...] = option(
        (100, 90, 80, 70, 60, 50, 40, 30),
        "JPEG compression (PIL)",
        each(between(1, 100)),
        needs=[only_with("robustness")],
    )
    rescale_factors: tuple[float, ...] = option(
        (1, 0.75, 0.5, 0.25),
        "rescaling, before the crop",
        each(between(0.01, 4)),
        needs=[only_with("robustness")],
    )


@dataclass(frozen=True, kw_only=True)
class OutputOptions:
    """Output."""

    results_dir: str = option(
        "results", "the folder that holds the results' folders", writable_folder
    )
    name: str = option(
        "",
        "name of the results' folder [RUN-best or RUN-latest, else the weights' file name]",
        if_given(file_name),
    )
    overwrite: bool = option(
        False, "replace results of other weights, another protocol or more test sets in that folder"
    )
    gallery: int = option(
        12, "mistakes shown in the report, of each label in each test set", at_least(0)
    )
    gradcam: bool = option(
        False,
        "show where in those images the network saw its evidence",
        needs=[SCORING, not_with("gallery", 0)],
    )


@dataclass(frozen=True, kw_only=True)
class EvalOptions(
    MachineOptions,
    SkipOptions,
    ImageOptions,
    OutputOptions,
    RobustnessOptions,
    MeasureOptions,
    ProtocolOptions,
    NetworkOptions,
    PlainFolders,
    InputOptions,
):
    """Score every test set with one network and report how well it tells fakes from reals."""

    def conflict(self) -> str | None:
        """What is wrong with the options taken together, or None."""
        if not self.predictions and not self.model_path:
            return "--model_path is needed (or --predictions)"
        if not (self.predictions or self.dataroot or self.fake):
            return NEEDED.format("--dataroot")
        if len(self.predictions) > 1 and self.calibrate_on:
            return "--calibrate_on belongs to one model: give one file to --predictions"
        return None
