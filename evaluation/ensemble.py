"""Several detectors as one: the mean of their calibrated probabilities."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy.special import expit, logit

from evaluation.evaluation import Evaluation, Provenance
from evaluation.predictions import Scores
from evaluation.thresholds import Calibration

NAME = "ensemble"
SURE = 1e-12  # a mean nearer to 0 or 1 is taken for this: its logit must be finite


def ensemble(evaluations: Sequence[Evaluation]) -> Evaluation:
    """Return the evaluation of the mean probability, over the images that all have scored.

    Each must have a calibration: the probabilities of two detectors mean the same only then.
    """
    first = evaluations[0]
    origin = Provenance(
        arch=NAME,
        weights=f"mean of {', '.join(each.name for each in evaluations)}",
        dataroot=first.provenance.dataroot,
        roots=first.provenance.roots,
        note=first.provenance.note,
        partial=first.provenance.partial,
        unreadable=first.provenance.unreadable,
    )
    measuring = first.measuring._replace(calibration=None)
    result = Evaluation(NAME, origin, measuring, first.benchmark)
    calibrations = [each.measuring.calibration for each in evaluations]
    for testset in first.scores:
        if all(testset in each.scores for each in evaluations):
            result.add(
                testset, mean_scores([each.scores[testset] for each in evaluations], calibrations)
            )
    return result


def mean_scores(parts: Sequence[Scores], calibrations: Sequence[Calibration | None]) -> Scores:
    """Return the logit of the mean calibrated probability of each image that all have scored."""
    shared = set(parts[0].paths).intersection(*(part.paths for part in parts[1:]))
    probabilities = []
    for part, calibration in zip(parts, calibrations, strict=True):
        there = [index for index, path in enumerate(part.paths) if path in shared]
        logits = part.logits[there]
        probabilities.append(expit(calibration.calibrated(logits) if calibration else logits))
    mean = np.clip(np.mean(probabilities, axis=0), SURE, 1 - SURE)
    kept = [index for index, path in enumerate(parts[0].paths) if path in shared]
    return Scores([parts[0].paths[i] for i in kept], parts[0].labels[kept], logit(mean))
