"""What the report shows first: each model's figures, and test sets by metrics in colour."""

from __future__ import annotations

import math
from collections.abc import Sequence

from evaluation.evaluation import Evaluation
from evaluation.measure import MEAN, Estimate, Measured
from report.captions import SPREAD
from report.page import Fact, HeatMap, Overview
from report.tables import heading, per_cent

# The metrics that are shown, and of each the values, as fractions, that have the colours of the
# worst and of the best.
CHANCE, WHOLE, ERROR = (0.5, 1.0), (0.0, 1.0), (0.5, 0.0)
RANGES = {
    **{"ap": CHANCE, "auroc": CHANCE, "accuracy": CHANCE},
    **{"real_accuracy": WHOLE, "fake_accuracy": WHOLE, "tpr_at_fpr_5": WHOLE},
    **{"equal_error_rate": ERROR, "expected_calibration_error": ERROR},
    "oracle_accuracy": CHANCE,
}
COLOURS = 10


def overview(evaluation: Evaluation, num_warnings: int) -> Overview:
    """Return a model's mean figures, its best and worst test set, and what may be wrong with it."""
    lines, mean = list(evaluation.measured.values()), evaluation.mean()
    over = f"over {evaluation.benchmark.describe_mean(evaluation.scores)} test sets"
    ranked = [line for line in lines if not math.isnan(line.metrics["ap"].value)]
    ranked.sort(key=lambda line: line.metrics["ap"].value)
    num_images = sum(len(its.paths) for its in evaluation.scores.values())
    num_unreadable = sum(len(its) for its in evaluation.provenance.unreadable.values())
    facts = [
        Fact("mean AP", per_cent(mean.metrics["ap"].value), _with(mean.metrics["ap"], over)),
        Fact(
            "mean accuracy",
            per_cent(mean.metrics["accuracy"].value),
            _with(mean.metrics["accuracy"], "at probability 0.5"),
        ),
        *(_of(name, line) for name, line in (("best set", ranked[-1:]), ("worst set", ranked[:1]))),
        Fact("images", f"{num_images:,}", f"in {len(lines)} test set{'s' * (len(lines) != 1)}"),
        Fact("unreadable", f"{num_unreadable:,}", link="unreadable" if num_unreadable else ""),
        Fact("warnings", f"{num_warnings:,}", link="warnings" if num_warnings else ""),
    ]
    return Overview(evaluation.name, facts)


def heat_maps(evaluations: Sequence[Evaluation]) -> list[HeatMap]:
    """Return test sets by metrics, a table for each model; of several models first AP by model."""
    several = len(evaluations) > 1
    maps = [_by_metrics(each, several) for each in evaluations]
    return [_by_models(evaluations), *maps] if several else maps


def _by_metrics(evaluation: Evaluation, several: bool) -> HeatMap:
    rows = [(line.name, [_cell(metric, line) for metric in RANGES]) for line in evaluation.lines()]
    title = f"{evaluation.name}: test sets by metrics" if several else "Test sets by metrics"
    return HeatMap(title, ["test set", *map(heading, RANGES)], rows)


def _by_models(evaluations: Sequence[Evaluation]) -> HeatMap:
    lines_of = [{line.name: line for line in each.lines()} for each in evaluations]
    names = dict.fromkeys(name for lines in lines_of for name in lines if name != MEAN)
    headings = ["test set"]
    for metric in ("ap", "accuracy"):
        headings += [f"{each.name} {heading(metric)}" for each in evaluations]
    rows = [
        (name, [_cell(m, lines.get(name)) for m in ("ap", "accuracy") for lines in lines_of])
        for name in [*names, MEAN]
    ]
    return HeatMap("AP and accuracy by model", headings, rows)


def _cell(metric: str, line: Measured | None) -> tuple[str, int]:
    value = line.metrics[metric].value if line else math.nan
    if math.isnan(value):
        return "", -1
    worst, best = RANGES[metric]
    share = min(max((value - worst) / (best - worst), 0), 1)
    return per_cent(value, 1), min(int(share * COLOURS), COLOURS - 1)


def _of(name: str, lines: Sequence[Measured]) -> Fact:
    if not lines:
        return Fact(name, "none", "nothing ranks")
    return Fact(name, lines[0].name, f"AP {per_cent(lines[0].metrics['ap'].value)}")


def _with(estimate: Estimate, words: str) -> str:
    _, low, high = estimate
    spread = f"{per_cent(low, 1)} to {per_cent(high, 1)} ({SPREAD}), "
    return ("" if math.isnan(low) else spread) + words
