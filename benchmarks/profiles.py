"""Profile a call: where its time goes, as a Markdown table."""

from __future__ import annotations

import cProfile
import os
import pstats
from collections.abc import Callable, Sequence

import torch

from util.torch_profile import largest_costs, share_of


def python_profile(run: Callable[[], object], most: int = 8) -> str:
    """Return the `most` functions with the largest time of their own, by cProfile."""
    profile = cProfile.Profile()
    profile.runcall(run)
    found = pstats.Stats(profile).stats  # type: ignore[attr-defined]
    whole = sum(entry[2] for entry in found.values())
    slowest = sorted(found.items(), key=lambda item: -item[1][2])[:most]
    lines = [
        f"| `{_place(place)}` | {entry[1]} | {entry[2]:.3f} | {100 * entry[2] / whole:.0f} % |"
        for place, entry in slowest
    ]
    header = ["| function | calls | seconds in itself | share |", "|---|---:|---:|---:|"]
    return "\n".join([*header, *lines])


def torch_profile(run: Callable[[], object], most: int = 8) -> str:
    """Return the `most` operators with the largest CPU time of their own, by torch's profiler."""
    return largest_costs(_traced(run), most)


def convolutions_alone(
    run: Callable[[], object], seconds: Sequence[float]
) -> tuple[str, list[float]]:
    """Return what of a run's `seconds` is spent inside of convolutions, by torch's profiler, with
    its name: what `timing.compare` takes for the limit.
    """
    share = share_of(_traced(run), "convolution")
    return "convolutions alone", [share * each for each in seconds]


def _traced(run: Callable[[], object]) -> torch.profiler.profile:
    with torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CPU]) as profile:
        run()
    return profile


def _place(place: tuple[str, int, str]) -> str:
    file, _, function = place
    if file == "~":  # built in
        return function.strip("<>")
    return f"{os.path.basename(os.path.dirname(file))}/{os.path.basename(file)}:{function}"
