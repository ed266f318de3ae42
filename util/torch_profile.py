"""What torch's profiler has measured, as a table."""

from __future__ import annotations

from collections.abc import Callable
from operator import attrgetter
from typing import Any

from torch.profiler import profile

from util.markdown import table


def largest_costs(traced: profile, most: int) -> str:
    """Return a Markdown table of the `most` operators with the largest time of their own: on the
    GPU, where one was at work, else on the CPU.
    """
    events, own = _events(traced)
    whole = sum(map(own, events))
    rows = [
        (f"`{e.key}`", f"{e.count}", f"{own(e) / 1e6:.3f}", f"{100 * own(e) / whole:.0f} %")
        for e in sorted(events, key=own, reverse=True)[:most]
    ]
    return table(("operator", "calls", "seconds in itself", "share"), rows)


def share_of(traced: profile, name: str) -> float:
    """Return the share, 0..1, of all time that operators with `name` in their names took in
    themselves, forward and backward.
    """
    events, own = _events(traced)
    return float(sum(own(e) for e in events if name in e.key) / sum(map(own, events)))


def _events(traced: profile) -> tuple[Any, Callable[[Any], float]]:
    """Return the operators, and what their own time is read by."""
    events = traced.key_averages()
    device, cpu = attrgetter("self_device_time_total"), attrgetter("self_cpu_time_total")
    return events, device if any(map(device, events)) else cpu
