"""What fine-tuning gained and what it forgot: the report of two checkpoints side by side."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from typing import Any

from evaluation.compare import compare
from evaluation.evaluation import Evaluation
from evaluation.measure import MEAN, Difference
from evaluation.suspicions import warnings
from report.write import write_report
from util.console import say, warn


def write_before_after(
    folder: str,
    before: Evaluation,
    after: Evaluation,
    *,
    explain: Sequence[Callable[..., Any]] = (),
) -> None:
    """Write the report of the two side by side into `folder`, with Grad-CAM by `explain` where it
    is given for both, and say what changed. `before` is a baseline: differences are after minus
    before.
    """
    say(write_report(folder, [before, after], explain=explain))
    for text in warnings([before, after]):
        warn(text)
    say(f"\n{changes(compare(after, before))}")
    say(f"before and after: {folder}{os.sep} (report.html shows them side by side)")


def changes(differences: Sequence[Difference]) -> str:
    """Return, in words, where AP rose and where it fell by more than the choice of images explains:
    where the interval of the difference excludes 0. `differences` are those of after minus before.
    """
    parts = []
    changed = {
        its.testset: its.leads["ap"].difference for its in differences if its.testset != MEAN
    }
    for verb, sign in (("gained", 1), ("lost", -1)):
        moved = [
            (name, its.value)
            for name, its in changed.items()
            if sign * (its.low if sign > 0 else its.high) > 0
        ]
        moved.sort(key=lambda its: abs(its[1]), reverse=True)
        shown = [f"{name} {100 * value:+.1f}" for name, value in moved]
        parts.append(f"{verb}: {', '.join(shown) or 'nothing'}")
    return (
        "significant changes of AP (95 % paired bootstrap), after minus before, in points;"
        f" {'; '.join(parts)}"
    )
