"""What torch's profiler has measured, as a table."""

from __future__ import annotations

from operator import attrgetter

from torch.profiler import profile

from util.markdown import table


def largest_costs(traced: profile, most: int) -> str:
    """Return a Markdown table of the `most` operators with the largest time of their own: on the
    GPU, where one was at work, else on the CPU.
    """
    events = traced.key_averages()
    device, cpu = attrgetter("self_device_time_total"), attrgetter("self_cpu_time_total")
    own = device if any(map(device, events)) else cpu
    whole = sum(map(own, events))
    rows = [
        (f"`{e.key}`", f"{e.count}", f"{own(e) / 1e6:.3f}", f"{100 * own(e) / whole:.0f} %")
        for e in sorted(events, key=own, reverse=True)[:most]
    ]
    return table(("operator", "calls", "seconds in itself", "share"), rows)
