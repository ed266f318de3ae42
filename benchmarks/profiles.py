"""Profile a call: where its time goes, as a Markdown table."""

from __future__ import annotations

import cProfile
import os
import pstats
from collections.abc import Callable

import torch


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
    events = profile.key_averages()
    whole = sum(event.self_cpu_time_total for event in events)
    slowest = sorted(events, key=lambda event: -event.self_cpu_time_total)[:most]
    lines = [
        f"| `{event.key}` | {event.count} | {event.self_cpu_time_total / 1e6:.3f}"
        f" | {100 * event.self_cpu_time_total / whole:.0f} % |"
        for event in slowest
    ]
    header = ["| operator | calls | seconds in itself | share |", "|---|---:|---:|---:|"]
    return "\n".join([*header, *lines])


def _place(place: tuple[str, int, str]) -> str:
    file, _, function = place
    if file == "~":  # built in
        return function.strip("<>")
    return f"{os.path.basename(os.path.dirname(file))}/{os.path.basename(file)}:{function}"
