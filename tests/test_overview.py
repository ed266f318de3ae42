"""The first screen of the report, its thresholds, and where its scores come from."""

from __future__ import annotations

import numpy as np

from evaluation.evaluation import Evaluation, Provenance
from evaluation.measure import Measuring
from evaluation.metrics import METRICS
from evaluation.predictions import Scores
from evaluation.thresholds import calibrate
from networks.weights import training_of
from report.marks import marks_of, start_of
from report.overview import RANGES, heat_maps, overview
from report.provenance import provenance


def evaluation(
    separation: dict[str, float], *, calibrated: bool = False, name: str = "m"
) -> Evaluation:
    """Test sets of 40 images; NaN: fakes alone."""
    rng = np.random.default_rng(0)
    calibration = None
    if calibrated:
        labels = np.repeat((0, 1), 10)
        calibration = calibrate(labels, labels * 2.0 + 1, None, calibrated_on="held out")
    its = Evaluation(name, Provenance(), Measuring(bootstrap=20, calibration=calibration))
    for testset, distance in separation.items():
        labels = np.repeat((1, 1) if np.isnan(distance) else (0, 1), 20).astype(np.uint8)
        logits = rng.normal(size=40) + np.nan_to_num(distance) * labels
        its.add(testset, Scores([f"{i:02}" for i in range(40)], labels, logits))
    return its


def test_the_overview_says_mean_best_worst_and_what_is_wrong() -> None:
    its = evaluation({"progan": 3.0, "crn": 0.2, "own": 1.0, "fakes": np.nan})
    its.provenance.unreadable = {"crn": {"a": "b", "c": "d"}}
    facts = {fact.name: fact for fact in overview(its, 7).facts}
    mean = its.mean().metrics["ap"]
    assert facts["mean AP"].value == f"{100 * mean.value:.2f}"
    assert facts["mean AP"].below == (
        f"{100 * mean.low:.1f} to {100 * mean.high:.1f} (95 %), over 2 of the paper's 11 test sets"
    )
    assert facts["mean accuracy"].value == f"{100 * its.mean().metrics['accuracy'].value:.2f}"
    assert (facts["best set"].value, facts["worst set"].value) == ("progan", "crn")
    assert facts["best set"].below == f"AP {100 * its.measured['progan'].metrics['ap'].value:.2f}"
    assert (facts["images"].value, facts["images"].below) == ("160", "in 4 test sets")
    assert (facts["unreadable"].value, facts["unreadable"].link) == ("2", "unreadable")
    assert (facts["warnings"].value, facts["warnings"].link) == ("7", "warnings")


def test_where_nothing_ranks_there_is_no_best_set() -> None:
    facts = {fact.name: fact for fact in overview(evaluation({"fakes": np.nan}), 0).facts}
    assert facts["best set"].value == facts["worst set"].value == "none"
    assert facts["mean AP"].value == ""
    assert facts["unreadable"].link == facts["warnings"].link == ""


def test_colours_rise_with_what_is_better() -> None:
    its = evaluation({"progan": 6.0, "crn": 0.0, "fakes": np.nan})
    (shown,) = heat_maps([its])
    assert [name for name, _ in shown.rows] == ["progan", "crn", "fakes", "mean"]
    for name, cells in shown.rows[:3]:
        for metric, (text, colour) in zip(RANGES, cells, strict=True):
            value = its.measured[name].metrics[metric].value
            worst, best = RANGES[metric]
            assert text == ("" if np.isnan(value) else f"{100 * value:.1f}")
            if np.isnan(value):
                assert colour == -1
            else:
                share = (value - worst) / (best - worst)
                assert colour == min(max(int(np.floor(10 * share)), 0), 9)
    good, bad = dict(shown.rows)["progan"], dict(shown.rows)["crn"]
    assert all(a[1] >= b[1] for a, b in zip(good[:7], bad[:7], strict=True))
    assert set(RANGES) <= set(METRICS)


def test_several_models_stand_side_by_side_first() -> None:
    maps = heat_maps([evaluation({"crn": 1.0}, name="a"), evaluation({"own": 1.0}, name="b")])
    assert [its.title for its in maps][1:] == ["a: test sets by metrics", "b: test sets by metrics"]
    assert maps[0].headings == ["test set", "a AP", "b AP", "a acc.", "b acc."]
    rows = dict(maps[0].rows)
    assert rows["crn"][1] == rows["own"][0] == ("", -1)
    assert list(rows) == ["crn", "own", "mean"]


def test_marks_are_probability_half_calibrated_and_each_sets_best() -> None:
    plain = evaluation({"progan": 1.0, "fakes": np.nan}, name="plain")
    learned = evaluation({"progan": 2.0, "crn": 1.0}, name="learned", calibrated=True)
    marks = marks_of([plain, learned])
    assert list(marks) == ["0.5", "calibrated", "oracle"]
    assert marks["0.5"].logits["plain"] == {"progan": 0.0, "fakes": 0.0}
    assert marks["calibrated"].logits == {"learned": {"progan": 2.0, "crn": 2.0}}
    assert "held out" in marks["calibrated"].about
    assert "chosen on the test set itself" in marks["oracle"].about
    assert set(marks["oracle"].logits["plain"]) == {"progan"}
    for its in (plain, learned):
        for testset, cut in marks["oracle"].logits[its.name].items():
            _, labels, logits, _ = its.scores[testset]
            best = max(np.mean((logits > t) == labels) for t in [-np.inf, *logits])
            assert np.mean((logits > cut) == labels) == best
            assert its.measured[testset].metrics["oracle_accuracy"].value == best
    assert (start_of([plain]), start_of([learned]), start_of([plain, learned])) == (
        *("0.5", "calibrated", "0.5"),
    )
    assert "calibrated" not in marks_of([plain])


def test_provenance_says_what_is_known_and_comes_back_from_metrics_json() -> None:
    made = {
        "at": "now",
        "command": "python eval.py",
        "git_commit": None,
        "python": "3.11",
        "packages": {"torch": "2", "scipy": None},
    }
    trained = {"data": {"train": "abc of 1 real"}, "seed": 0, "steps": 9}
    origin = Provenance(weights="w.pth", weights_sha256="f" * 64, made=made, trained=trained)
    its = Evaluation("m", Provenance.from_json(origin.to_json()), Measuring(bootstrap=0))
    rows = dict(map(tuple, provenance(its).cells))
    assert rows == {
        **{"scored": "now", "command": "python eval.py", "weights": "w.pth", "SHA-256": "f" * 64},
        **{"trained on (train)": "abc of 1 real", "training seed": "0", "training steps": "9"},
        "versions": "python 3.11, torch 2",
    }


def test_a_checkpoint_tells_how_it_was_trained() -> None:
    options = {"seed": 3, "dataroot": "d", "lr": 1}
    made_from = {"options": options, "data": {"train": "x"}}
    assert training_of({"made_from": made_from, "total_steps": 5, "model": {}}) == {
        **{"data": {"train": "x"}, "dataroot": "d", "seed": 3, "steps": 5}
    }
    assert training_of({"model": {}}) == training_of({"made_from": "odd"}) == {}
