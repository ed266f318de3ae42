"""Two models on the same images: leads with paired intervals, and where they agree."""

from __future__ import annotations

import csv
import math
import pathlib

import numpy as np
import pytest
import sklearn.metrics

from evaluation.bootstrap import bootstrap
from evaluation.compare import Agreement, agreement, compare
from evaluation.measure import seed_of
from evaluation.predictions import Scores
from report.side_by_side import comparison_tables
from report.write import write_tables
from tests.test_rows import evaluation_of, random_scores
from tests.tolerances import near

METRICS = {
    "ap": sklearn.metrics.average_precision_score,
    "auroc": sklearn.metrics.roc_auc_score,
    "accuracy": lambda labels, logits: sklearn.metrics.accuracy_score(labels, logits > 0),
}


def shifted(sets: dict[str, Scores], seed: int = 9) -> dict[str, Scores]:
    """The same images, as another model scores them."""
    rng = np.random.default_rng(seed)
    return {n: s._replace(logits=s.logits + rng.normal(size=30)) for n, s in sets.items()}


@pytest.mark.parametrize("metric", METRICS)
def test_a_lead_has_the_interval_of_resamples_drawn_together(metric: str) -> None:
    sets = {name: random_scores(i) for i, name in enumerate(("progan", "crn", "own", "san"))}
    other = shifted(sets)
    other["crn"] = other["crn"]._replace(paths=["else.png", *other["crn"].paths[1:]])
    other["biggan"] = random_scores(7)
    lines = compare(evaluation_of(sets), evaluation_of(other))
    assert [line.testset for line in lines] == ["progan", "own", "san", "mean"]  # crn: others
    drawn = {}
    for line in lines[:-1]:
        name, lead = line.testset, line.leads[metric]
        labels = sets[name].labels
        values = [METRICS[metric](labels, its[name].logits) for its in (sets, other)]
        assert (lead.first, lead.second) == pytest.approx(tuple(values))
        assert lead.difference.value == pytest.approx(values[0] - values[1])
        each = [
            bootstrap(labels, its[name].logits, resamples=100, seed=seed_of(name))[metric]
            for its in (sets, other)
        ]
        drawn[name] = each[0] - each[1]
        ends = np.quantile(drawn[name], (0.025, 0.975))
        assert tuple(lead.difference[1:]) == pytest.approx(tuple(ends))
    mean = lines[-1].leads[metric].difference  # progan and san are of the paper's eleven
    ends = np.quantile((drawn["progan"] + drawn["san"]) / 2, (0.025, 0.975))
    assert tuple(mean[1:]) == pytest.approx(tuple(ends))


def test_sets_that_are_not_shared_are_not_compared() -> None:
    assert compare(evaluation_of({"crn": random_scores(1)}), evaluation_of({})) == []
    assert (
        compare(evaluation_of({"crn": random_scores(1)}), evaluation_of({"san": random_scores(1)}))
        == []
    )


def test_where_nothing_ranks_only_accuracy_has_a_difference() -> None:
    sets = {"own": random_scores(1, labels=(1, 1, 1)), "crn": random_scores(2)}
    evaluation = evaluation_of(sets)
    own, crn, mean = compare(evaluation, evaluation)
    assert math.isnan(own.leads["ap"].difference.value)
    assert math.isnan(own.leads["ap"].difference.low)
    assert own.leads["accuracy"].difference == (0, 0, 0)
    for line in (crn, mean):
        assert line.leads["ap"].difference.value == line.leads["ap"].difference.high == 0.0
    alone = evaluation_of({"own": sets["own"]})
    line, mean = compare(alone, alone)
    assert set(mean.leads) == {"accuracy"}  # a mean of nothing has no row of its own


def test_comparison_csv_begins_as_it_did_and_names_the_metric_of_what_is_new(
    tmp_path: pathlib.Path,
) -> None:
    sets = {"progan": random_scores(1), "san": random_scores(2)}
    models = [evaluation_of(sets, name="a"), evaluation_of(shifted(sets), name="b")]
    write_tables(str(tmp_path), models)
    with (tmp_path / "comparison.csv").open() as file:
        rows = list(csv.DictReader(file))
    columns = list(rows[0])
    assert columns[:8] == [
        *("first", "second", "testset", "ap_first", "ap_second"),
        *("difference", "difference_low", "difference_high"),
    ]
    added = ("first", "second", "difference", "difference_low", "difference_high")
    assert columns[8:] == [f"{m}_{name}" for m in ("auroc", "accuracy") for name in added]
    for row in rows:
        lead = float(row["accuracy_first"]) - float(row["accuracy_second"])
        assert float(row["accuracy_difference"]) == near(lead, 1.6e-6, "three of 6 decimals")
        assert float(row["auroc_difference_low"]) <= float(row["auroc_difference_high"])


def test_there_is_a_table_for_each_metric() -> None:
    sets = {"progan": random_scores(1)}
    models = [evaluation_of(sets, name="a"), evaluation_of(shifted(sets), name="b")]
    comparisons = {("a", "b"): compare(*models)}
    tables = comparison_tables(models, comparisons)
    for table, (metric, name) in zip(
        tables, (("ap", "AP"), ("accuracy", "acc."), ("auroc", "AUROC")), strict=True
    ):
        assert table.headings[1::2] == [f"a {name}", f"b {name}", "a minus b"]
        for cells, line in zip(table.cells, comparisons["a", "b"], strict=True):
            lead = line.leads[metric]
            values = (lead.first, lead.second, lead.difference.value)
            assert list(cells[1::2]) == [f"{100 * value:.2f}" for value in values]


def test_images_are_known_by_their_path() -> None:
    labels = np.array([0, 1, 1, 0], np.uint8)
    logits = np.array([-1.0, 2.0, -3.0, 4.0])
    first = {
        "crn": Scores(["a", "b", "c", "d"], labels, logits),
        "san": Scores(["a"], labels[:1], logits[:1]),
        "imle": Scores(["a"], labels[1:2], np.array([9.0])),
    }
    second = {
        "crn": Scores(["a", "c", "d", "e"], np.array([0, 1, 0, 1], np.uint8), logits + 0.5),
        "imle": Scores(["a"], labels[1:2], np.array([-9.0])),
    }
    its = agreement(evaluation_of(first), evaluation_of(second))
    assert its.labels.tolist() == [0, 1, 0, 1]
    assert its.first.tolist() == [-1, -3, 4, 9]
    assert its.second.tolist() == [-0.5, 2.5, -2.5, -9]
    nothing = agreement(evaluation_of(first), evaluation_of({"biggan": first["crn"]}))
    assert not len(nothing.labels) and nothing.right(0.0)[True, True] == 0


@pytest.mark.parametrize("threshold", [0.0, 0.7])
def test_right_and_wrong_are_counted_by_a_slow_loop(threshold: float) -> None:
    rng = np.random.default_rng(3)
    labels = rng.integers(0, 2, 200).astype(np.uint8)
    ours, theirs = (np.round(rng.normal(labels, 1.0), 1) for _ in range(2))  # some are equal to it
    expected = {(a, b): 0 for a in (True, False) for b in (True, False)}
    for label, a, b in zip(labels, ours, theirs, strict=True):
        verdicts = ["fake" if logit > threshold else "real" for logit in (a, b)]
        truth = "fake" if label else "real"
        expected[verdicts[0] == truth, verdicts[1] == truth] += 1
    assert Agreement(labels, ours, theirs).right(threshold) == expected
    assert min(expected.values()) > 0
