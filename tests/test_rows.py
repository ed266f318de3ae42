from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np
import pytest
import sklearn.metrics

from evaluation.bootstrap import bootstrap, interval
from evaluation.evaluation import Evaluation, Provenance
from evaluation.measure import Measuring, seed_of
from evaluation.predictions import Scores
from evaluation.published import published
from evaluation.thresholds import Calibration

FIGURES = ("ap", "auroc", "accuracy")


def random_scores(seed: int, labels: tuple[int, ...] = (0, 0, 0, 1, 1, 1) * 5) -> Scores:
    logits = np.random.default_rng(seed).normal(size=len(labels)) + np.array(labels)
    return Scores([f"{i:02}.png" for i in range(len(labels))], np.array(labels, np.uint8), logits)


def evaluation_of(
    sets: Mapping[str, Scores],
    calibration: Calibration | None = None,
    beside: str = "",
    resamples: int = 100,
    name: str = "m",
) -> Evaluation:
    values = published(beside) if beside else {}
    measuring = Measuring(resamples, (1,), calibration, values)
    origin = Provenance(predictions="p.csv", unreadable={name: {"a": "", "b": ""} for name in sets})
    evaluation = Evaluation(name, origin, measuring)
    for testset, scores in sets.items():
        evaluation.add(testset, scores)
    return evaluation


def test_the_mean_is_over_the_papers_eleven_that_were_scored() -> None:
    sets = {name: random_scores(i) for i, name in enumerate(("progan", "crn", "stylegan2", "own"))}
    rows = evaluation_of(sets).rows()
    assert [row["testset"] for row in rows] == [*sets, "mean"]
    for figure in (*FIGURES, "few_shot_1_accuracy", "brier"):
        assert rows[-1][figure] == pytest.approx((rows[0][figure] + rows[1][figure]) / 2)
    assert rows[-1]["num_real"] is None
    assert rows[-1]["num_unreadable"] is None


def test_without_any_of_the_eleven_the_mean_is_over_all() -> None:
    rows = evaluation_of({"stylegan2": random_scores(3), "own": random_scores(4)}).rows()
    assert rows[-1]["ap"] == pytest.approx((rows[0]["ap"] + rows[1]["ap"]) / 2)


def test_an_undefined_figure_is_outside_the_mean() -> None:
    sets = {"progan": random_scores(1), "crn": random_scores(2, labels=(1, 1))}
    rows = evaluation_of(sets).rows()
    assert math.isnan(rows[1]["ap"])
    assert math.isnan(rows[1]["ap_low"])
    assert not math.isnan(rows[1]["accuracy_low"])
    for figure in ("ap", "ap_low", "ap_high"):
        assert rows[-1][figure] == rows[0][figure]


def test_intervals_are_those_of_the_bootstrap_and_the_mean_has_its_own() -> None:
    sets = {"progan": random_scores(1), "crn": random_scores(2)}
    rows = evaluation_of(sets).rows()
    drawn = [
        bootstrap(s.labels, s.logits, resamples=100, seed=seed_of(name)) for name, s in sets.items()
    ]
    for figure in FIGURES:
        for row, own in zip(rows, drawn, strict=False):
            assert (row[f"{figure}_low"], row[f"{figure}_high"]) == interval(own[figure])
        both = interval((drawn[0][figure] + drawn[1][figure]) / 2)
        assert (rows[-1][f"{figure}_low"], rows[-1][f"{figure}_high"]) == pytest.approx(both)
    assert seed_of("progan") != seed_of("crn")
    assert "ap_low" not in evaluation_of(sets, resamples=0).rows()[0]


def test_calibrated_figures_are_at_the_threshold_learned_elsewhere() -> None:
    scores = random_scores(5)
    calibration = Calibration(0.8, 0.1, 0.9, "accuracy", "val", 3, 4)
    row = evaluation_of({"own": scores}, calibration).rows()[0]
    called = scores.logits > 0.8
    assert row["calibrated_accuracy"] == sklearn.metrics.accuracy_score(scores.labels, called)
    assert row["calibrated_tpr"] == sklearn.metrics.recall_score(scores.labels, called)
    assert row["calibrated_fpr"] == pytest.approx(np.mean(called[scores.labels == 0]))
    fakes = random_scores(5, labels=(1, 1, 1))
    assert math.isnan(evaluation_of({"own": fakes}, calibration).rows()[0]["calibrated_fpr"])


def test_published_figures_stand_beside_ours() -> None:
    sets = {"san": random_scores(1), "own": random_scores(2)}
    rows = evaluation_of(sets, beside="blur_jpg_prob0.5").rows()
    assert (rows[0]["published_ap"], rows[0]["published_accuracy"]) == (0.639, 0.5)
    assert math.isnan(rows[1]["published_ap"])
    assert rows[-1]["published_ap"] == 0.639
