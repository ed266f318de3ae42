"""The thresholds that the report has a button for."""

from __future__ import annotations

from collections.abc import Sequence

from evaluation.evaluation import Evaluation
from evaluation.metrics import is_ranked
from evaluation.thresholds import best_threshold
from report.page import Mark

HALF, CALIBRATED, ORACLE = "0.5", "calibrated", "oracle"


def marks_of(evaluations: Sequence[Evaluation]) -> dict[str, Mark]:
    """Return probability 0.5, the calibrated thresholds where any model has one, and each test
    set's own best.
    """
    learned = [each for each in evaluations if each.measuring.calibration]
    marks = {
        HALF: Mark("Probability 0.5.", {e.name: dict.fromkeys(e.scores, 0.0) for e in evaluations})
    }
    if learned:
        sources = dict.fromkeys(c.calibrated_on for e in learned if (c := e.measuring.calibration))
        marks[CALIBRATED] = Mark(
            f"Learned on held-out images, {', '.join(sources)}.",
            {
                each.name: dict.fromkeys(each.scores, calibration.threshold)
                for each in learned
                if (calibration := each.measuring.calibration)
            },
        )
    marks[ORACLE] = Mark(
        "Each test set at the threshold that is best on its own images: chosen on the test set"
        " itself, an upper bound that no detector reaches.",
        {
            each.name: {
                testset: best_threshold(its.labels, its.logits)
                for testset, its in each.scores.items()
                if is_ranked(its.labels, its.logits)
            }
            for each in evaluations
        },
    )
    return marks


def start_of(evaluations: Sequence[Evaluation]) -> str:
    """Return the mark that a report opens with: of a single model the calibrated one, if any."""
    return CALIBRATED if len(evaluations) == 1 and evaluations[0].measuring.calibration else HALF
