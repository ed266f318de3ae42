"""Thresholds on the logit, each called by how it was chosen. Above it an image is called fake."""

from __future__ import annotations

import dataclasses
import json
import math
import os
from dataclasses import dataclass
from typing import Any

import numpy as np

from data.samples import count_labels
from evaluation.predictions import Labels, Logits
from util.errors import UsageError
from util.files import write_json

FEW_SHOT_DRAWS = 200
UNSURE_RATE = 0.05  # of the held-out reals above, and of its fakes below, the unsure band


@dataclass(frozen=True)
class Calibration:
    """A threshold learned on held-out images, and the band around it where they overlap."""

    threshold: float  # a logit
    unsure_from: float  # at or below it an image is real: at most the error rate of the fakes are
    unsure_to: float  # above it an image is fake: at most the error rate of the reals are
    rule: str  # "accuracy", or "fpr <= 0.05"
    calibrated_on: str
    num_real: int
    num_fake: int
    weights_sha256: str | None = None  # whose logits these are, if it is known
    arch: str | None = None
    crop_size: int | None = None  # of the images scored; None: whole images
    crops: int = 1
    resize: int | list[int] | None = None
    interpolation: str = "bilinear"
    precision: str | None = None
    reencode: str = ""
    scale: float = 1.0  # scale * logit + shift is the logit of a calibrated probability
    shift: float = 0.0

    def verdict(self, logit: float) -> str:
        """Answer "real", "fake", or "unsure" inside the band."""
        if logit > self.unsure_to:
            return "fake"
        return "real" if logit <= self.unsure_from else "unsure"

    def calibrated(self, logits: Logits) -> Logits:
        """Return the logits of calibrated probabilities (`platt_scaling`)."""
        return self.scale * logits + self.shift


def best_threshold(labels: Labels, logits: Logits) -> float:
    """Return the threshold with the highest accuracy: halfway between two neighbouring scores, or
    at an end of the scale; of several the middle one. Both labels must be there.
    """
    values, group = np.unique(logits, return_inverse=True)
    fakes = np.bincount(group, labels == 1)
    reals = np.bincount(group, labels == 0)
    # threshold i lies below values[i], the last one above all
    right = np.append(0, np.cumsum(reals)) + np.append(np.cumsum(fakes[::-1])[::-1], 0)
    between = (values[:-1] + values[1:]) / 2
    candidates = np.concatenate(([np.nextafter(values[0], -np.inf)], between, values[-1:]))
    best = candidates[right == right.max()]
    return float(best[len(best) // 2])


def threshold_at_fpr(labels: Labels, logits: Logits, budget: float) -> float:
    """Return the lowest threshold that at most `budget` of the real images lie above."""
    reals = np.sort(logits[labels == 0])
    allowed = int(np.floor(budget * len(reals) + 1e-9))  # 0.29 * 100 is 28.999999999999996
    return float(np.nextafter(reals[0], -np.inf) if allowed >= len(reals) else reals[-1 - allowed])


def calibrate(
    labels: Labels,
    logits: Logits,
    target_fpr: float | None,
    **origin: Any,  # noqa: ANN401
) -> Calibration:
    """Learn a threshold from held-out scores: by accuracy, or the one that keeps `target_fpr`.

    `origin` are the remaining fields of Calibration. Raises UsageError without both labels.
    """
    num_real, num_fake = count_labels(labels)
    if not num_real or not num_fake:
        raise UsageError(
            f"--calibrate_on {origin['calibrated_on']}: a threshold is learned from real and fake"
            f" images; there are {num_real} real and {num_fake} fake ones"
        )
    rate = UNSURE_RATE if target_fpr is None else target_fpr
    high = threshold_at_fpr(labels, logits, rate)
    # The fakes' side is the same in a mirror, which also turns "above" into "at or above".
    low = float(np.nextafter(-threshold_at_fpr(1 - labels, -logits, rate), -np.inf))
    threshold = best_threshold(labels, logits) if target_fpr is None else high
    scale, shift = platt_scaling(labels, logits)
    return Calibration(
        threshold,
        min(low, threshold),
        max(high, threshold),
        "accuracy" if target_fpr is None else f"fpr <= {target_fpr:g}",
        num_real=num_real,
        num_fake=num_fake,
        scale=scale,
        shift=shift,
        **origin,
    )


def platt_scaling(labels: Labels, logits: Logits) -> tuple[float, float]:
    """Return (scale, shift) of the sigmoid that fits held-out labels best: of all probabilities
    sigmoid(scale * logit + shift) those with the highest likelihood (Platt 1999, with his smoothed
    targets, without which scores that separate the labels give an infinite scale).
    """
    from sklearn.linear_model import LogisticRegression  # noqa: PLC0415 (takes half a second)

    num_real, num_fake = count_labels(labels)
    target = np.where(labels == 1, (num_fake + 1) / (num_fake + 2), 1 / (num_real + 2))
    spread = float(np.std(logits)) or 1.0  # the solver wants numbers of about 1
    both = np.tile(logits / spread, 2)[:, None]
    fit = LogisticRegression(C=1e9, tol=1e-8, max_iter=1000).fit(
        both, np.repeat((1, 0), len(logits)), np.concatenate((target, 1 - target))
    )
    return float(fit.coef_[0, 0] / spread), float(fit.intercept_[0])


def few_shot_accuracy(labels: Labels, logits: Logits, k: int, *, seed: int = 0) -> float:
    """Return accuracy at the best threshold of k real and k fake images of the set itself, over all
    its other images; the mean over 200 draws. With k = 1 it is Wang et al. 2020's two-shot
    calibration.

    NaN where a label has no more than k images, or all scores are the same.
    """
    reals, fakes = logits[labels == 0], logits[labels == 1]
    if min(len(reals), len(fakes)) <= k or np.all(logits == logits[0]):
        return math.nan
    rng = np.random.default_rng(seed)
    shown_labels = np.repeat((0, 1), k)
    accuracies = []
    for _ in range(FEW_SHOT_DRAWS):
        shown = np.concatenate((rng.choice(reals, k, False), rng.choice(fakes, k, False)))
        threshold = best_threshold(shown_labels, shown)
        right = np.sum(reals <= threshold) + np.sum(fakes > threshold)
        right -= np.sum((shown > threshold) == shown_labels)
        accuracies.append(right / (len(logits) - 2 * k))
    return float(np.mean(accuracies))


def write_calibration(path: str, calibration: Calibration) -> None:
    """Write it as JSON."""
    write_json(path, dataclasses.asdict(calibration))


def read_calibration(path: str) -> Calibration:
    """Read what `write_calibration` wrote; raises UsageError where it is not such a file."""
    if not os.path.isfile(path):
        raise UsageError(f"--threshold {path}: no such file")
    try:
        with open(path, encoding="utf-8") as file:
            calibration = Calibration(**json.load(file))
        edges = (calibration.unsure_from, calibration.threshold, calibration.unsure_to)
        ordered = all(map(math.isfinite, edges)) and list(edges) == sorted(edges)
    except (ValueError, TypeError) as error:
        raise UsageError(f"--threshold {path}: not a threshold of eval.py ({error})") from error
    if not ordered:
        raise UsageError(f"--threshold {path}: unsure_from <= threshold <= unsure_to does not hold")
    return calibration
