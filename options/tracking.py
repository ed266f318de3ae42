"""The option that says where a run can be followed; train.py and eval.py have a default each."""

from __future__ import annotations

import importlib.util
from collections.abc import Sequence

from options.declare import Check, each, one_of
from options.names import TRACKERS

HELP = (
    "show the run in these: tensorboard (files in its folder), wandb (Weights & Biases, a service:"
    " it gets the options, names of files and pictures), trackio (a database on this machine)"
)
CHECK: Check = each(one_of(*TRACKERS))


def missing_tracker(names: Sequence[str]) -> str | None:
    """Return what to do where a tracker's package is not installed, or None."""
    for name in names:
        found = importlib.util.find_spec(name)
        if found is None or found.origin is None:  # a folder of that name is no package
            return f"--tracker {name}: is not installed; pip install -r requirements-trackers.txt"
    return None
