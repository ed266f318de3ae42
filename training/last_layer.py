"""The last layer that fits features best: pure functions of features and labels.

Both ways minimise the binary cross-entropy on standardised features: "logistic" to its end, under
an L2 penalty; "linear" by steps on batches, until the validation accuracy rises no longer. What was
learnt is then folded into a weight and a bias for the features as they are.
"""

from __future__ import annotations

import warnings
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler
from torch import nn

from evaluation.metrics import accuracy, average_precision
from training.features import Features
from util.errors import WorkError

# scikit-learn's C weighs the sum of the losses against |w|^2 / 2: from where the penalty rules to
# where it hardly counts. MobileNetV2's features of the miniature wanted 1e-4, and once 1e-6.
GRID = (1e-6, 1e-5, 1e-4, 1e-3, 1e-2, 1e-1, 1.0, 1e1, 1e2)
MAX_ITERATIONS = 1000  # of L-BFGS; one that is not at its end by then is judged as it is

ROUNDING = 1e-5  # of its mean: a feature that varies by less says float32's last digits alone

RATE, BATCH = 1e-3, 256  # of Adam, in `linear`; standardised features make one rate fit all
MOST_EPOCHS, PATIENCE = 100, 10  # passes over the features; how many may fail to be the best

Matrix = npt.NDArray[np.float32]
Labels = npt.NDArray[np.uint8]


class Line(NamedTuple):
    """A last layer: logit = weight . features + bias."""

    weight: npt.NDArray[np.float64]  # (D,)
    bias: float
    how: str  # it was found, in words

    def logits(self, features: Matrix) -> Matrix:
        """Return (N,) logits of features (N, D), in float32 as the network computes."""
        return np.asarray(features @ self.weight.astype(np.float32) + np.float32(self.bias))


def fit(train: Features, val: Features, *, how: str, seed: int) -> Line:
    """Return the last layer that is best on `val` of those that `how` ("logistic" or "linear")
    finds on `train`; `seed` is that of the order of its batches.

    Raises WorkError where all images of a label are missing.
    """
    for part, split in ((train, "training"), (val, "validation")):
        if len(np.unique(part.labels)) < 2:
            raise WorkError(f"--probe: no {split} image of one of the labels could be read")
    scaler = StandardScaler().fit(train.values)
    scaler.scale_[scaler.scale_ < ROUNDING * np.abs(scaler.mean_)] = np.inf  # their weight is 0
    scaled: Matrix = scaler.transform(train.values)
    if how == "logistic":
        return _logistic(scaled, train.labels, scaler=scaler, val=val)
    return _linear(scaled, train.labels, scaler=scaler, val=val, seed=seed)


def _logistic(scaled: Matrix, labels: Labels, *, scaler: StandardScaler, val: Features) -> Line:
    """Return the line whose C has the highest validation AP: the smallest C of several."""
    best, best_ap = None, -1.0
    for penalty in GRID:
        model = LogisticRegression(C=penalty, max_iter=MAX_ITERATIONS)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)
            model.fit(scaled, labels)
        how = f"logistic regression, C {penalty:g} of {GRID[0]:g} to {GRID[-1]:g}"
        line = _folded(model.coef_[0], float(model.intercept_[0]), scaler=scaler, how=how)
        ap = average_precision(val.labels, line.logits(val.values))
        if best is None or ap > best_ap:
            best, best_ap = line, ap
    assert best is not None
    return best


def _linear(
    scaled: Matrix, labels: Labels, *, scaler: StandardScaler, val: Features, seed: int
) -> Line:
    """Return the line after the pass with the highest validation accuracy: the first of several."""
    inputs, targets = torch.from_numpy(scaled), torch.from_numpy(labels).float()
    weight, bias = (
        torch.zeros(inputs.shape[1], requires_grad=True),
        torch.zeros((), requires_grad=True),
    )
    optimizer = torch.optim.Adam([weight, bias], lr=RATE)
    order = torch.Generator().manual_seed(seed)
    best, best_accuracy, best_epoch = None, -1.0, 0
    for epoch in range(1, MOST_EPOCHS + 1):
        for rows in torch.randperm(len(inputs), generator=order).split(BATCH):
            logits = inputs[rows] @ weight + bias
            loss = nn.functional.binary_cross_entropy_with_logits(logits, targets[rows])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        how = f"linear, by Adam at {RATE:g}, after {epoch} of at most {MOST_EPOCHS} passes"
        line = _folded(weight.detach().numpy(), bias.item(), scaler=scaler, how=how)
        its_accuracy = accuracy(val.labels, line.logits(val.values))
        if its_accuracy > best_accuracy:
            best, best_accuracy, best_epoch = line, its_accuracy, epoch
        elif epoch - best_epoch >= PATIENCE:
            break
    assert best is not None
    return best


def _folded(
    weight: npt.NDArray[np.floating], bias: float, *, scaler: StandardScaler, how: str
) -> Line:
    """Return the line on plain features that `weight` (D,) and `bias` are on standardised ones:
    w . (x - mean) / scale + b.
    """
    plain = weight.astype(np.float64) / scaler.scale_
    return Line(plain, float(bias - scaler.mean_ @ plain), how)
