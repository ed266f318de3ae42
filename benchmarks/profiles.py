"""Profile a call: where its time goes, as a Markdown table."""

from __future__ import annotations

import cProfile
import os
import pstats
from collections.abc import Callable

import torch

from util.torch_profile import largest_costs


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
    with torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CPU]) as profile:
        run()
    return largest_costs(profile, most)


def _place(place: tuple[str, int, str]) -> str:
    file, _, function = place
    if file == "~":  # built in
        return function.strip("<>")
    return f"{os.path.basename(os.path.dirname(file))}/{os.path.basename(file)}:{function}"
