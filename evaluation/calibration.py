"""Learn a threshold on held-out images: from their files, or from their saved scores."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterable, Mapping

from data.samples import Samples, find_samples
from evaluation.degrade import ORIGINAL, variants
from evaluation.model import About, read_about
from evaluation.predictions import pooled, read_predictions
from evaluation.scoring import Scorer, score_testset
from evaluation.thresholds import Calibration, calibrate
from util.console import warn
from util.errors import UsageError

PROTOCOL = ("weights_sha256", "arch", "crop_size", "precision", "reencode")


def learn_from_images(
    folder: str, target_fpr: float | None, scorer: Scorer, results_dir: str, about: About
) -> Calibration:
    """Score all images below `folder` and learn from them; unreadable ones are noted in `about`.

    Raises UsageError where images of both labels are missing.
    """
    name = os.path.basename(os.path.abspath(folder))
    scored = score_testset(scorer, results_dir, name, find_samples(folder), variants({}))
    about["unreadable"] |= {folder: scored.unreadable} if scored.unreadable else {}
    _, labels, logits = scored.variants[ORIGINAL]
    return calibrate(labels, logits, target_fpr, calibrated_on=folder, **_origin(about))


def learn_from_predictions(
    file: str, target_fpr: float | None, about: About, own: Mapping[str, Collection[str]]
) -> Calibration:
    """Learn from the scores in a predictions.csv; `own` are the images, by test set, that the
    threshold is to be judged on.

    Raises UsageError where an image is among both, or where the scores are known to come from other
    weights or another protocol than `about` tells.
    """
    scores = read_predictions(file, "--calibrate_on")
    for testset, paths in own.items():
        if testset in scores and (twice := set(paths) & set(scores[testset].paths)):
            raise UsageError(
                f"--calibrate_on {file}: {testset}/{min(twice)} is one of the test sets' own"
                " images; a threshold is learned on others (its best here is the column 'oracle')"
            )
    theirs = read_about(file)
    if not theirs.get("weights_sha256"):
        warn(f"--calibrate_on {file}: no metrics.json beside it says how these scores were made")
    elif "weights_sha256" in about:
        for key in PROTOCOL:
            if theirs.get(key) != about.get(key):
                raise UsageError(
                    f"--calibrate_on {file}: these are scores of another {key}"
                    f" ({theirs.get(key)}, here {about.get(key)})"
                )
    labels, logits = pooled(scores)
    return calibrate(labels, logits, target_fpr, calibrated_on=file, **_origin(about))


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


def _origin(about: About) -> dict[str, str | int | None]:
    return {key: about[key] for key in PROTOCOL if key in about}
