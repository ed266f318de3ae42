"""What `python -m tools.download` can be told."""

from __future__ import annotations

from dataclasses import dataclass

from options.declare import Condition, between, each, one_of, option
from options.places import writable_folder


@dataclass(frozen=True, kw_only=True)
class DownloadOptions:
    """Fetch the paper's images and weights, check and unpack them. A second run goes on."""

    what: tuple[str, ...] = option(
        (),
        "testset (20.1 GB), val (831 MB), train (75 GB), weights: one or several",
        one_of("testset", "val", "train", "weights"),
        positional=True,
    )
    root: str = option(
        "dataset", "folder that gets test/, val/, train/ and archives/", writable_folder
    )
    parts: tuple[int, ...] = option(
        (),
        "volumes of train to fetch, as in 1,2 [all seven]",
        each(between(1, 7)),
        needs=[Condition(lambda options: "train" in options.what, "without train")],
    )
    delete_archives: bool = option(False, "delete archives once all their files are unpacked")
    checkpoints_dir: str = option("checkpoints", "folder for the weights", writable_folder)

    def conflict(self) -> str | None:
        """What is wrong with the options as a whole, or None."""
        return None if self.what else "WHAT is needed: testset, val, train or weights"
