from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from tests.tolerances import near
from tools.checks.audit_scores import ALL, make_folds, measure_cues, number_of_folds
from tools.checks.cues import CUES


def spread(reals: int, fakes: int) -> float:
    """Four times the standard error of out-of-fold AUROC of a cue that tells nothing: Mann and
    Whitney's, half as large again, as the models of the folds are alike.
    """
    return 4 * 1.5 * math.sqrt((reals + fakes + 1) / (12 * reals * fakes))


def columns_of(rng: np.random.Generator, count: int) -> dict[str, list[Any]]:
    """Cues that differ from image to image: of few values, of many, and one constant."""
    found: dict[str, list[Any]] = {
        cue: [1.0 if CUES[cue].is_number else "x"] * count for cue in CUES
    }
    found["format"] = rng.choice(["JPEG", "PNG", "BMP"], count).tolist()
    found["size"] = [f"{i}" for i in rng.integers(0, 40, count)]
    found["quality"] = rng.integers(70, 96, count).astype(float).tolist()
    found["bytes"] = rng.random(count).tolist()
    return found


@pytest.mark.parametrize(("reals", "fakes"), [(100, 100), (30, 200)])
def test_labels_shuffled_at_random_are_not_told(reals: int, fakes: int) -> None:
    count, told = reals + fakes, []
    columns = columns_of(np.random.default_rng(2), count)
    names = [str(i) for i in range(count)]
    for seed in range(24):
        labels = np.random.default_rng(seed).permutation(np.repeat([0, 1], (reals, fakes)))
        told.append(measure_cues(columns, labels, make_folds(names, labels, seed), seed=seed))
    for cue in ("format", "size", "quality", "bytes", ALL):
        values = np.array([each[cue].auroc for each in told])
        assert abs(values - 0.5).max() < spread(reals, fakes), cue
        error = values.std(ddof=1) / math.sqrt(len(values))
        assert abs(values.mean() - 0.5) < 4 * error, cue  # not biased, in either direction
        # AP of a random ranking of n images is above the share of fakes, by at most ln(n)/n
        ap = np.array([each[cue].ap for each in told])
        error = ap.std(ddof=1) / math.sqrt(len(ap))
        low, high = fakes / count, fakes / count + math.log(count) / count
        assert low - 4 * error < ap.mean() < high + 4 * error, cue


@pytest.mark.parametrize(("reals", "fakes"), [(10, 10), (11, 13), (50, 53), (17, 301)])
def test_constant_cues_are_exactly_chance(reals: int, fakes: int) -> None:
    labels = np.repeat([0, 1], (reals, fakes))
    columns = {cue: [7.0 if CUES[cue].is_number else "x"] * len(labels) for cue in CUES}
    folds = make_folds([str(i) for i in range(len(labels))], labels, 3)
    told = measure_cues(columns, labels, folds, seed=3)
    assert list(told) == [*CUES, ALL]
    for cue, figures in told.items():
        assert figures.auroc == 0.5, cue
        assert figures.ap == near(fakes / len(labels), 1e-12, "another order of doubles"), cue


def test_pairs_alike_in_a_cue_do_not_come_out_below_chance() -> None:
    """Real and fake of a pair have one quality; with one of them learned, the other would be taken
    for the opposite.
    """
    half = columns_of(np.random.default_rng(4), 150)
    columns = {cue: values * 2 for cue, values in half.items()}
    labels = np.repeat([0, 1], 150)
    names = [f"{i % 150}" for i in range(300)]
    told = measure_cues(columns, labels, make_folds(names, labels, 0), seed=0)
    for cue in CUES:
        assert told[cue] == (0.5, 0.5), cue
    assert told[ALL].auroc == near(0.5, spread(150, 150), "chance")
    apart = make_folds([str(i) for i in range(300)], labels, 0)
    assert measure_cues(columns, labels, apart, seed=0)["bytes"].auroc < 0.45  # the reason for it


def test_cues_that_tell_only_together_are_found_together() -> None:
    rng = np.random.default_rng(6)
    columns = columns_of(rng, 400)
    is_jpeg, is_large = rng.random((2, 400)) < 0.5
    columns["format"] = np.where(is_jpeg, "JPEG", "PNG").tolist()
    columns["width"] = np.where(is_large, 512.0, 256.0).tolist()
    labels = (is_jpeg ^ is_large).astype(np.uint8)
    told = measure_cues(
        columns, labels, make_folds([str(i) for i in range(400)], labels, 0), seed=0
    )
    assert told[ALL].auroc > 0.99
    for cue in ("format", "width"):
        assert told[cue].auroc == near(0.5, spread(200, 200), "chance")


def test_a_number_tells_by_its_middle_as_well_as_by_its_ends() -> None:
    values = np.random.default_rng(7).random(400)
    labels = (abs(values - 0.5) < 0.25).astype(np.uint8)
    columns = columns_of(np.random.default_rng(8), 400) | {"bytes": values.tolist()}
    told = measure_cues(
        columns, labels, make_folds([str(i) for i in range(400)], labels, 0), seed=0
    )
    assert told["bytes"].auroc > 0.95


def test_folds_hold_both_labels_evenly_and_keep_names_together() -> None:
    names = [str(i) for i in range(60)] + [str(i) for i in range(40, 140)]
    labels = np.repeat([0, 1], (60, 100))
    folds = make_folds(names, labels, 0)
    for label, count in ((0, 60), (1, 100)):
        sizes = np.bincount(folds[labels == label], minlength=5)
        assert sizes.min() >= count / 5 - 2
        assert sizes.max() <= count / 5 + 2
    of_name: dict[str, set[int]] = {}
    for name, fold in zip(names, folds.tolist(), strict=True):
        of_name.setdefault(name, set()).add(fold)
    assert all(len(found) == 1 for found in of_name.values())
    assert (make_folds(names, labels, 0) == folds).all()
    assert (make_folds(names, labels, 1) != folds).any()


@pytest.mark.parametrize(
    ("reals", "fakes", "number"),
    [(9, 99, 0), (99, 9, 0), (0, 99, 0), (10, 99, 2), (15, 15, 3), (25, 25, 5), (999, 999, 5)],
)
def test_small_sets_have_fewer_folds_or_none(reals: int, fakes: int, number: int) -> None:
    assert number_of_folds(np.repeat([0, 1], (reals, fakes))) == number
