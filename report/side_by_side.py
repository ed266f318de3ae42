"""The tables of several models: who leads, and by how much on the same images."""

from __future__ import annotations

import math
from collections.abc import Sequence

from evaluation.evaluation import Evaluation
from evaluation.measure import MEAN, UNDEFINED, Difference, Measured
from report.captions import SPREAD, drawn
from report.page import Table
from report.tables import HEADINGS, with_interval

Comparisons = dict[tuple[str, str], list[Difference]]  # by what minus what

TITLES = {"ap": "AP", "accuracy": "accuracy at probability 0.5", "auroc": "AUROC"}


def by_testset(evaluations: Sequence[Evaluation]) -> tuple[list[str], list[dict[str, Measured]]]:
    """Return the test sets that any of `evaluations` has, and for each what was measured, by test
    set, the mean among them.
    """
    lines_of = [{line.name: line for line in each.lines()} for each in evaluations]
    names = dict.fromkeys(name for lines in lines_of for name in lines)
    return [name for name in names if name != MEAN], lines_of


def comparison_tables(evaluations: Sequence[Evaluation], comparisons: Comparisons) -> list[Table]:
    """Return a table per metric: the models side by side, and the differences of those compared."""
    note = (
        "The interval of a difference is that of the paired bootstrap: both models on the same"
        f" resamples of {drawn(evaluations[0])}. Where it excludes 0, the difference is more than"
        " the choice of these. Means of the single models are over their own sets, that of a"
        " difference over the shared ones."
    )
    tables = []
    for metric, title in TITLES.items():
        headings = ["test set"]
        for each in evaluations:
            headings += [f"{each.name} {HEADINGS[metric]}", SPREAD]
        for name, minus in comparisons:
            headings += [f"{name} minus {minus}", SPREAD]
        cells = _comparison(evaluations, comparisons, metric)
        tables.append(
            Table(f"Side by side: {title}", headings, cells, note if metric == "ap" else "")
        )
    return tables


def _comparison(
    evaluations: Sequence[Evaluation], comparisons: Comparisons, metric: str
) -> list[list[str]]:
    names, lines_of = by_testset(evaluations)
    leads_of = [
        {its.testset: its.leads[metric].difference for its in own if metric in its.leads}
        for own in comparisons.values()
    ]
    cells = []
    for name in [*names, MEAN]:
        line = [name]
        for lines in lines_of:
            line += with_interval(lines[name].metrics[metric] if name in lines else UNDEFINED)
        for leads in leads_of:
            line += with_interval(leads.get(name, UNDEFINED))
        cells.append(line)
    return cells


def leaderboard(evaluations: Sequence[Evaluation]) -> Table:
    """Return the models by mean AP, the best first, with what each costs."""
    means = [(each, each.mean()) for each in evaluations]
    means.sort(key=lambda its: _descending(its[1].metrics["ap"].value))
    headings = ["rank", "model"]
    for metric in TITLES:
        headings += [f"mean {HEADINGS[metric]}", SPREAD]
    headings += ["M param.", "images/s"]
    cells = []
    for rank, (each, mean) in enumerate(means, start=1):
        origin = each.provenance
        row = [str(rank), each.name]
        for metric in TITLES:
            row += with_interval(mean.metrics[metric])
        row.append(f"{origin.parameters / 1e6:.2f}" if origin.parameters else "")
        row.append(f"{origin.images_per_second:.4g}" if origin.images_per_second else "")
        cells.append(row)
    interval = ""
    if evaluations[0].measuring.bootstrap:
        interval = f"; {SPREAD}: bootstrap over {drawn(evaluations[0])}"
    note = (
        f"By mean AP, each over its own test sets{interval}. M param.: millions of parameters."
        " Images/s: of the network alone, on the machine that scored them; empty where all scores"
        " were kept from before."
    )
    return Table("Leaderboard", headings, cells, note)


def _descending(value: float) -> float:
    return math.inf if math.isnan(value) else -value
