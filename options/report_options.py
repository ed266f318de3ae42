"""The options of what eval.py writes, and of what it shows beside it."""

from __future__ import annotations

import re
from dataclasses import dataclass

from options.declare import at_least, file_name, if_given, not_with, only_with, option
from options.machine import SCORING
from options.places import writable_folder
from options.tracking import CHECK, HELP


def _thumbnails(value: str) -> str | None:
    fits = value in ("all", "none") or re.fullmatch(r"[1-9][0-9]{0,6}", value)
    return None if fits else "must be a number from 1, all or none"


@dataclass(frozen=True, kw_only=True)
class OutputOptions:
    """Output."""

    results_dir: str = option(
        "results", "folder that holds the results' folders", writable_folder, metavar="FOLDER"
    )
    name: str = option(
        "",
        "name of the results' folder [RUN-best or RUN-latest, else the weights' file name]",
        if_given(file_name),
    )
    overwrite: bool = option(
        False, "replace results of other weights, another protocol or more test sets in that folder"
    )
    thumbnails: str = option(
        "12",
        "images that the report shows: of each label in each test set the N most wrong with their"
        " partners, where names pair, and of several models as many on which two disagree; or all,"
        " or none",
        _thumbnails,
        metavar="N",
    )
    no_figures: bool = option(
        False, "draw no figures: of a small evaluation, and of many, most of what the report takes"
    )
    gradcam: bool = option(
        False,
        "show where in these images (of all: in the 12 most wrong) the network saw its evidence"
        " (Grad-CAM)",
        needs=[SCORING, not_with("thumbnails", "none")],
    )
    tracker: tuple[str, ...] = option((), f"{HELP} [none]", CHECK)
    tracker_pictures: int = option(
        1000,
        "pictures that a tracker is given, of each test set those of the most wrong predictions;"
        " the predictions themselves it is given in any case",
        at_least(0),
        needs=[only_with("tracker")],
    )
