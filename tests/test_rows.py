from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np
import pytest
import sklearn.metrics

from data.testsets import PAPER_ELEVEN
from evaluation.bootstrap import bootstrap, interval
from evaluation.predictions import Scores
from evaluation.published import published
from evaluation.rows import Measured, compare, measure_testset, seed_of, with_mean
from evaluation.thresholds import Calibration

FIGURES = ("ap", "auroc", "accuracy")


def random_scores(seed: int, labels: tuple[int, ...] = (0, 0, 0, 1, 1, 1) * 5) -> Scores:
    logits = np.random.default_rng(seed).normal(size=len(labels)) + np.array(labels)
    return Scores([f"{i:02}.png" for i in range(len(labels))], np.array(labels, np.uint8), logits)


def measured(
    sets: Mapping[str, Scores],
    calibration: Calibration | None = None,
    beside: str = "",
    resamples: int = 100,
) -> dict[str, Measured]:
    figures = published(beside) if beside else {}
    return {
        name: measure_testset(name, scores, resamples, (1,), calibration, 2, figures)
        for name, scores in sets.items()
    }


def test_the_mean_is_over_the_papers_eleven_that_were_scored() -> None:
    sets = {name: random_scores(i) for i, name in enumerate(("progan", "crn", "stylegan2", "own"))}
    rows = with_mean(list(measured(sets).values()), PAPER_ELEVEN)
    assert [row["testset"] for row in rows] == [*sets, "mean"]
    for figure in (*FIGURES, "few_shot_1_accuracy", "brier"):
        assert rows[-1][figure] == pytest.approx((rows[0][figure] + rows[1][figure]) / 2)
    assert math.isnan(rows[-1]["num_real"])
    assert math.isnan(rows[-1]["num_unreadable"])


def test_without_any_of_the_eleven_the_mean_is_over_all() -> None:
    rows = with_mean(
        list(measured({"stylegan2": random_scores(3), "own": random_scores(4)}).values()),
        PAPER_ELEVEN,
    )
    assert rows[-1]["ap"] == pytest.approx((rows[0]["ap"] + rows[1]["ap"]) / 2)


def test_an_undefined_figure_is_outside_the_mean() -> None:
    sets = {"progan": random_scores(1), "crn": random_scores(2, labels=(1, 1))}
    rows = with_mean(list(measured(sets).values()), PAPER_ELEVEN)
    assert math.isnan(rows[1]["ap"])
    assert math.isnan(rows[1]["ap_low"])
    assert not math.isnan(rows[1]["accuracy_low"])
    for figure in ("ap", "ap_low", "ap_high"):
        assert rows[-1][figure] == rows[0][figure]


def test_intervals_are_those_of_the_bootstrap_and_the_mean_has_its_own() -> None:
    sets = {"progan": random_scores(1), "crn": random_scores(2)}
    rows = with_mean(list(measured(sets).values()), PAPER_ELEVEN)
    drawn = [bootstrap(s.labels, s.logits, 100, seed_of(name)) for name, s in sets.items()]
    for figure in FIGURES:
        for row, own in zip(rows, drawn, strict=False):
            assert (row[f"{figure}_low"], row[f"{figure}_high"]) == interval(own[figure])
        both = interval((drawn[0][figure] + drawn[1][figure]) / 2)
        assert (rows[-1][f"{figure}_low"], rows[-1][f"{figure}_high"]) == pytest.approx(both)
    assert seed_of("progan") != seed_of("crn")
    assert "ap_low" not in measured(sets, resamples=0)["crn"].row


def test_calibrated_figures_are_at_the_threshold_learned_elsewhere() -> None:
    scores = random_scores(5)
    calibration = Calibration(0.8, 0.1, 0.9, "accuracy", "val", 3, 4)
    row = measured({"own": scores}, calibration)["own"].row
    called = scores.logits > 0.8
    assert row["calibrated_accuracy"] == sklearn.metrics.accuracy_score(scores.labels, called)
    assert row["calibrated_tpr"] == sklearn.metrics.recall_score(scores.labels, called)
    assert row["calibrated_fpr"] == pytest.approx(np.mean(called[scores.labels == 0]))
    fakes = random_scores(5, labels=(1, 1, 1))
    assert math.isnan(measured({"own": fakes}, calibration)["own"].row["calibrated_fpr"])


def test_published_figures_stand_beside_ours() -> None:
    sets = {"san": random_scores(1), "own": random_scores(2)}
    rows = with_mean(list(measured(sets, beside="blur_jpg_prob0.5").values()), PAPER_ELEVEN)
    assert (rows[0]["published_ap"], rows[0]["published_accuracy"]) == (0.639, 0.5)
    assert math.isnan(rows[1]["published_ap"])
    assert rows[-1]["published_ap"] == 0.639


def test_a_difference_has_the_interval_of_resamples_drawn_together() -> None:
    sets = {name: random_scores(i) for i, name in enumerate(("progan", "crn", "own"))}
    rng = np.random.default_rng(9)
    other = {n: s._replace(logits=s.logits + rng.normal(size=30)) for n, s in sets.items()}
    other["crn"] = other["crn"]._replace(paths=["else.png", *other["crn"].paths[1:]])
    other["biggan"] = random_scores(7)
    first, second = (
        {name: (scores[name], m) for name, m in measured(scores).items()}
        for scores in (sets, other)
    )
    rows = compare(first, second, PAPER_ELEVEN)
    assert [row["testset"] for row in rows] == ["progan", "own", "mean"]  # crn: not the same images
    for row in rows[:-1]:
        name = row["testset"]
        both = [first[name][1], second[name][1]]
        assert row["difference"] == pytest.approx(both[0].row["ap"] - both[1].row["ap"])
        drawn = []
        for scores in (sets[name], other[name]):
            drawn.append(bootstrap(scores.labels, scores.logits, 100, seed_of(name))["ap"])
        expected = np.quantile(drawn[0] - drawn[1], (0.025, 0.975))
        assert (row["difference_low"], row["difference_high"]) == pytest.approx(tuple(expected))
    assert rows[-1]["difference"] == rows[0]["difference"]  # progan alone is of the eleven
    assert compare(first, {}, PAPER_ELEVEN) == []


def test_where_nothing_ranks_there_is_no_difference() -> None:
    sets = {"own": random_scores(1, labels=(1, 1, 1)), "crn": random_scores(2)}
    model = {name: (sets[name], m) for name, m in measured(sets).items()}
    own, crn, mean = compare(model, model, PAPER_ELEVEN)
    assert math.isnan(own["difference"])
    assert math.isnan(own["difference_low"])
    assert crn["difference"] == mean["difference"] == mean["difference_high"] == 0.0
