"""What fine-tuning gained and what it forgot: the report of two checkpoints side by side."""

from __future__ import annotations

import os
from collections.abc import Sequence

from evaluation.evaluation import Evaluation, compare
from evaluation.measure import MEAN, Difference
from evaluation.suspicions import warnings
from report.write import write_report
from util.console import say, warn


def write_before_after(folder: str, after: Evaluation, before: Evaluation) -> None:
    """Write the report of the two side by side into `folder`, and say what changed."""
    say(write_report(folder, [after, before]))
    for text in warnings([after, before]):
        warn(text)
    say(f"\n{changes(compare(after, before))}")
    say(f"before and after: {folder}{os.sep} (report.html shows them side by side)")


def changes(differences: Sequence[Difference]) -> str:
    """Return, in words, where AP rose and where it fell by more than the choice of images explains:
    where the interval of the difference excludes 0. `differences` are those of after minus before.
    """
    parts = []
    for verb, sign in (("gained", 1), ("lost", -1)):
        moved = [
            line
            for line in differences
            if line.testset != MEAN
            and sign * (line.difference.low if sign > 0 else line.difference.high) > 0
        ]
        moved.sort(key=lambda line: abs(line.difference.value), reverse=True)
        shown = [f"{line.testset} {100 * line.difference.value:+.1f}" for line in moved]
        parts.append(f"{verb}: {', '.join(shown) or 'nothing'}")
    return f"significant changes of AP (95 % paired bootstrap), in points; {'; '.join(parts)}"
