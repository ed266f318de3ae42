"""What fine-tuning gained and what it forgot: two checkpoints on the same test sets."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence

from data.samples import Samples
from evaluation.evaluation import Evaluation, Provenance, compare
from evaluation.measure import MEAN, Difference, Measuring
from evaluation.protocol import ScoringProtocol
from evaluation.scoring import Reading
from evaluation.store import store_folder
from evaluation.suspicions import warnings
from evaluation.sweep import evaluate
from networks.detector import Detector
from report.write import write_report
from util import distributed
from util.console import say, warn


def before_after(
    folder: str,
    detectors: Mapping[str, Detector],
    *,
    testsets: Mapping[str, Samples],
    dataroot: str,
    protocol: ScoringProtocol,
    reading: Reading,
) -> None:
    """Score `testsets` with both detectors ("after" and "before", in this order), write the report
    of the two side by side into `folder`, and say what changed.

    Scores are kept beside the runs' folders, for all runs that start from the same weights.
    """
    kept_in = os.path.dirname(os.path.dirname(folder))
    evaluations = []
    for name, detector in detectors.items():
        origin = Provenance.of(detector, protocol, dataroot=dataroot, testsets=testsets)
        evaluations.append(Evaluation(name, origin, Measuring()))
        evaluate(
            detector,
            protocol,
            reading,
            testsets=testsets,
            evaluation=evaluations[-1],
            store=store_folder(kept_in, detector.id, protocol),
        )
    if not distributed.is_main():
        return
    say(write_report(folder, evaluations))
    for text in warnings(evaluations):
        warn(text)
    say(f"\n{changes(compare(*evaluations))}")
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
