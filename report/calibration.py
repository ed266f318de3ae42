"""Learn a threshold on held-out images: from their files, or from their saved scores."""

from __future__ import annotations

import os
from collections.abc import Iterable

from data.degrade import PLAIN, variants
from data.samples import Samples, find_samples
from report.model import About, read_about
from report.scoring import Scorer, score_testset
from util.errors import InputError
from util.predictions import pooled, read_predictions
from util.thresholds import Calibration, calibrate


def learn_from_images(
    folder: str, target_fpr: float | None, scorer: Scorer, store: str, about: About
) -> Calibration:
    """Score all images below `folder` and learn from them; unreadable ones are noted in `about`.

    Raises InputError where images of both labels are missing.
    """
    name = os.path.basename(os.path.abspath(folder))
    scored = score_testset(scorer, store, name, find_samples(folder), variants({}))
    about["unreadable"] |= {folder: scored.unreadable} if scored.unreadable else {}
    _, labels, logits = scored.variants[PLAIN]
    return calibrate(labels, logits, target_fpr, calibrated_on=folder, **_origin(about))


def learn_from_predictions(
    file: str, target_fpr: float | None, about: About, own: Iterable[str] = ()
) -> Calibration:
    """Learn from the scores in a predictions.csv.

    Raises InputError where it is one of the files `own` that the threshold is to be judged on, or
    where the scores are known to come from other weights.
    """
    if os.path.realpath(file) in map(os.path.realpath, own):
        raise InputError(
            f"--calibrate_on {file}: these are the test sets' own scores; a threshold is learned"
            " on others (its best here is the column 'oracle')"
        )
    labels, logits = pooled(read_predictions(file, "--calibrate_on"))
    theirs = read_about(os.path.dirname(os.path.abspath(file))).get("weights_sha256")
    if theirs and theirs != about.get("weights_sha256", theirs):
        raise InputError(f"--calibrate_on {file}: these are scores of other weights")
    return calibrate(labels, logits, target_fpr, calibrated_on=file, **_origin(about))


def refuse_own_images(folder: str, testsets: Iterable[Samples]) -> None:
    """Raise InputError where the threshold would be learned on images it is then judged on."""
    held_out = os.path.join(os.path.realpath(folder), "")
    for samples in testsets:
        root = os.path.realpath(samples.root)
        for index in range(len(samples.labels)):
            path = os.path.normpath(os.path.join(root, samples.relative(index)))
            if path.startswith(held_out):
                raise InputError(
                    f"--calibrate_on {folder}: holds images of the test set {samples.root}; a"
                    " threshold is learned on others (its best there is the column 'oracle')"
                )


def _origin(about: About) -> dict[str, str | int | None]:
    return {key: about.get(key) for key in ("weights_sha256", "crop_size")}
