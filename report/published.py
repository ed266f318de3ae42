"""What was published on a benchmark, beside ours."""

from __future__ import annotations

import math
from collections.abc import Sequence

from evaluation.evaluation import Evaluation
from evaluation.measure import MEAN, UNDEFINED
from report.page import Table
from report.tables import heading, per_cent


def published_tables(evaluation: Evaluation, name: str = "") -> list[Table]:
    """Return a table per metric that the benchmark's papers report: ours beside each detector's.

    In per cent, a row per test set of which anything was published; without a benchmark none.
    `name` (may be empty) goes before each title.
    """
    published = evaluation.benchmark.published
    tables = []
    for metric in evaluation.benchmark.metrics:
        shown = [
            detector
            for detector, row in published.items()
            if any(metric in its for its in row.figures.values())
        ]
        if shown:
            tables.append(
                _table(evaluation, metric, detectors=shown, before=f"{name}: " if name else "")
            )
    return tables


def _table(evaluation: Evaluation, metric: str, *, detectors: Sequence[str], before: str) -> Table:
    benchmark = evaluation.benchmark
    ours = {line.name: line.metrics[metric] for line in evaluation.lines()}
    rows = [benchmark.published[detector].figures for detector in detectors]
    cells = [
        [
            testset,
            per_cent(ours.get(testset, UNDEFINED).value),
            *(per_cent(row.get(testset, {}).get(metric, math.nan)) for row in rows),
        ]
        for testset in dict.fromkeys([*benchmark.order, *ours, MEAN])
        if any(metric in row.get(testset, {}) for row in rows)
    ]
    sources: dict[str, list[str]] = {}
    for detector in detectors:
        sources.setdefault(benchmark.published[detector].source, []).append(detector)
    note = "; ".join(f"{', '.join(names)}: {source}" for source, names in sources.items()) + "."
    if benchmark.is_partial(evaluation.scores):
        note = f"Our mean is a partial one, the published ones are over all test sets. {note}"
    headings = ["test set", evaluation.name, *detectors]
    return Table(f"{before}Published on {benchmark.name}: {heading(metric)}", headings, cells, note)
