"""The known test sets by folder name, in the paper's order; any others come after them."""

from __future__ import annotations

import json
import os

from options.cluster import cluster_rule
from util.errors import UsageError

PAPER_ELEVEN = (  # Wang et al. 2020, table 2: the mean is over these
    "progan",
    "stylegan",
    "biggan",
    "cyclegan",
    "stargan",
    "gaugan",
    "crn",
    "imle",
    "seeingdark",  # SITD
    "san",
    "deepfake",
)
BESIDE = ("stylegan2", "whichfaceisreal")  # released and reported with them, outside the mean
ORDER = PAPER_ELEVEN + BESIDE

# The sets of diffusion models that Ojha, Li and Lee (CVPR 2023) released: each is a folder of
# fakes, whose reals are another folder beside it.
REALS_OF = {
    "guided": "imagenet",
    **dict.fromkeys(("ldm_100", "ldm_200", "ldm_200_cfg", "dalle"), "laion"),
    **dict.fromkeys(("glide_50_27", "glide_100_10", "glide_100_27"), "laion"),
}


def benchmark_note(dataroot: str) -> str | None:
    """Return the "note" of a benchmark that is not the paper's; None where there is none.

    It is in a minibench.json in `dataroot` or the folder above. Raises UsageError where that file
    is damaged, or another program's.
    """
    about = _about(dataroot)
    return about["note"] if about else None


def benchmark_cluster(dataroot: str) -> str:
    """Return which images the same file says belong together, as --cluster takes it; "" where it
    says nothing, or is not there. Raises UsageError as `benchmark_note` does.
    """
    return (_about(dataroot) or {}).get("cluster", "")


def _about(dataroot: str) -> dict[str, str] | None:
    for folder in (dataroot, os.path.join(dataroot, "..")):
        path = os.path.join(folder, "minibench.json")
        if os.path.isfile(path):
            try:
                with open(path, encoding="utf-8") as file:
                    about = json.load(file)
                known = {"note": about["note"], "cluster": about.get("cluster", "")}
            except (OSError, ValueError, LookupError, TypeError, AttributeError, RecursionError):
                known = {"note": None}
            wrong = not all(isinstance(value, str) for value in known.values())
            if wrong or cluster_rule(known["cluster"]):
                raise UsageError(
                    f"{path}: is not what minibench.build writes, and tables are to say what these"
                    " images are; build them again, or remove this file"
                )
            return known
    return None
