"""How far a cue tells labels it was not learned from: folds, models, AP and AUROC."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import sklearn.metrics
from scipy.stats import rankdata
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.tree import DecisionTreeClassifier

from data.samples import count_labels
from evaluation.predictions import Labels
from tools.checks.cues import CUES, Value

Numbers = npt.NDArray[np.float64]
Folds = npt.NDArray[np.int64]  # (N,) in which fold an image is held out
Learn = Callable[[Numbers, Labels, Numbers], Numbers]  # known columns, their labels, new -> scores

FEWEST = 10  # of each label; with fewer, chance alone is as good as a cue
MAX_FOLDS = 5
LEAF = 5  # images that a model's rule must rest on, at least
ALL = "all"  # the cues together


class Separability(NamedTuple):
    """How far labels can be told: fractions."""

    ap: float
    auroc: float


NOTHING = Separability(math.nan, math.nan)


def number_of_folds(labels: Labels) -> int:
    """Five, or fewer of a small set; 0 where there are too few images of a label."""
    smallest = min(count_labels(labels))
    return min(MAX_FOLDS, smallest // 5) if smallest >= FEWEST else 0


def make_folds(names: Sequence[str], labels: Labels, seed: int) -> Folds:
    """Which fold holds each image out: at random, the labels spread evenly.

    Images of one name stay together. Real and fake of a pair may share crop, size and quality; with
    one of them known, the other would be taken for the opposite, and a cue that tells nothing would
    come out far below chance.
    """
    _, group = np.unique(np.asarray(names), return_inverse=True)
    reals, fakes = (np.bincount(group, labels == label) for label in (0, 1))
    shuffled = np.random.default_rng(seed).permutation(len(reals))
    # dealt out by what the groups hold, each fold gets as many of each kind, give or take one
    dealt = shuffled[np.lexsort((fakes[shuffled], reals[shuffled]))]
    fold_of_group = np.empty(len(reals), np.int64)
    fold_of_group[dealt] = np.arange(len(reals)) % number_of_folds(labels)
    return fold_of_group[group]


def measure_cues(
    columns: Mapping[str, Sequence[Value]], labels: Labels, folds: Folds, *, seed: int
) -> dict[str, Separability]:
    """AP and AUROC of each cue alone, and of ALL together."""
    coded = {name: _as_numbers(values) for name, values in columns.items()}
    found = {
        name: tell(
            column[:, np.newaxis], labels, folds, learn=_tree if CUES[name].is_number else _rates
        )
        for name, column in coded.items()
    }
    together = np.stack([column for name, column in coded.items() if name != "size"], axis=1)

    def boosted(known: Numbers, their_labels: Labels, new: Numbers) -> Numbers:
        model = HistGradientBoostingClassifier(
            max_iter=60,
            max_depth=4,
            min_samples_leaf=LEAF,
            early_stopping=False,
            random_state=seed,
        )
        return np.asarray(model.fit(known, their_labels).decision_function(new))

    return found | {ALL: tell(together, labels, folds, learn=boosted)}


def tell(columns: Numbers, labels: Labels, folds: Folds, *, learn: Learn) -> Separability:
    """AP and AUROC of scores that `learn` gives each fold after seeing the others.

    Scores are compared as ranks within their fold, since each fold has another model: put together
    as they are, an image's score would depend on its own label, which its model lacks and the
    others have. A constant cue, all ties, comes out at exactly chance: the share of fakes, and 0.5.
    """
    ranks = np.empty(len(labels))
    for fold in np.unique(folds):
        held_out = folds == fold
        scores = learn(columns[~held_out], labels[~held_out], columns[held_out])
        ranks[held_out] = rankdata(scores.round(9)) / (held_out.sum() + 1)
    # not by evaluation/metrics.py, for which equal scores are undefined: here they are the answer
    return Separability(
        float(sklearn.metrics.average_precision_score(labels, ranks)),
        float(sklearn.metrics.roc_auc_score(labels, ranks)),
    )


def noise(labels: Labels) -> float:
    """Return the standard error of AUROC where nothing tells the labels.

    It is that of one fixed score (Mann and Whitney, 1947) by half as much again: the folds' models
    are alike in their errors, and came to this in simulations of cues that tell nothing.
    """
    reals, fakes = count_labels(labels)
    return 1.5 * math.sqrt((reals + fakes + 1) / (12 * reals * fakes))


def _rates(known: Numbers, labels: Labels, new: Numbers) -> Numbers:
    """Return the share of fakes in each new image's category, drawn towards the share among all as
    if by one more image; a category never seen has just that.
    """
    share = float(np.mean(labels))
    size = int(max(known.max(), new.max())) + 1
    codes = known[:, 0].astype(np.int64)
    fakes, images = np.bincount(codes, labels, size), np.bincount(codes, minlength=size)
    return np.asarray(((fakes + share) / (images + 1))[new[:, 0].astype(np.int64)])


def _tree(known: Numbers, labels: Labels, new: Numbers) -> Numbers:
    """By at most eight ranges of the number, as the label may lie in the middle or at both ends."""
    tree = DecisionTreeClassifier(max_depth=3, min_samples_leaf=LEAF, random_state=0)
    return np.asarray(tree.fit(known, labels).predict_proba(new))[:, 1]


def _as_numbers(values: Sequence[Value]) -> Numbers:
    if isinstance(values[0], str):
        return np.unique(np.asarray(values), return_inverse=True)[1].astype(np.float64)
    return np.asarray(values, np.float64)
