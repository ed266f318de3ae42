"""Learn a threshold on held-out images: from their files, or from their saved scores."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterable, Mapping
from typing import Any

from data.samples import Samples
from evaluation.evaluation import Provenance
from evaluation.metrics_file import read_provenance
from evaluation.predictions import Scores, pooled, read_predictions
from evaluation.thresholds import Calibration, calibrate
from util.console import warn
from util.errors import UsageError


def learn_from_scores(
    folder: str, scores: Scores, *, target_fpr: float | None, origin: Provenance
) -> Calibration:
    """Learn from the scores of the images below `folder`.

    Raises UsageError where images of both labels are missing.
    """
    _, labels, logits, _ = scores
    return calibrate(labels, logits, target_fpr, calibrated_on=folder, **_made_with(origin))


def learn_from_predictions(
    file: str, *, target_fpr: float | None, origin: Provenance, own: Mapping[str, Collection[str]]
) -> Calibration:
    """Learn from the scores in a predictions.csv; `own` are the images, by test set, that the
    threshold is to be judged on.

    Raises UsageError where an image is among both, or where the scores are known to come from other
    weights or another protocol than `origin` tells.
    """
    scores = read_predictions(file, "--calibrate_on")
    for testset, paths in own.items():
        if testset in scores and (twice := set(paths) & set(scores[testset].paths)):
            raise UsageError(
                f"--calibrate_on {file}: {testset}/{min(twice)} is one of the test sets' own"
                " images; a threshold is learned on others (its best here is the column 'oracle')"
            )
    theirs, ours = _made_with(read_provenance(file)), _made_with(origin)
    if not theirs:
        warn(f"--calibrate_on {file}: no metrics.json beside it says how these scores were made")
    elif ours:
        for key in {**ours, **theirs}:
            if theirs.get(key) != ours.get(key):
                raise UsageError(
                    f"--calibrate_on {file}: these are scores of another {key}"
                    f" ({theirs.get(key)}, here {ours.get(key)})"
                )
    labels, logits = pooled(scores)
    return calibrate(labels, logits, target_fpr, calibrated_on=file, **ours)


def refuse_own_images(folder: str, testsets: Iterable[Samples]) -> None:
    """Raise UsageError where the threshold would be learned on images it is then judged on."""
    held_out = os.path.join(os.path.realpath(folder), "")
    for samples in testsets:
        root = os.path.realpath(samples.root)
        for index in range(len(samples.labels)):
            path = os.path.normpath(os.path.join(root, samples.relative(index)))
            if path.startswith(held_out):
                raise UsageError(
                    f"--calibrate_on {folder}: holds images of the test set {samples.root}; a"
                    " threshold is learned on others (its best there is the column 'oracle')"
                )


def _made_with(origin: Provenance) -> dict[str, Any]:
    """Return what scores must have in common with others, as far as it is known."""
    if not origin.weights_sha256 or origin.protocol is None:
        return {}
    weights = {"weights_sha256": origin.weights_sha256, "arch": origin.arch}
    return weights | origin.protocol.to_json()
