"""robustness.csv: a row per test set, degradation and level."""

from __future__ import annotations

import csv
import math
import os
from collections.abc import Mapping, Sequence

from evaluation.bootstrap import bootstrap
from evaluation.degrade import level_text, variant_name
from evaluation.metrics import accuracy, average_precision
from evaluation.predictions import Scores
from evaluation.rows import Row, counts, intervals, seed_of


def robustness_rows(
    testset: str,
    levels: Mapping[str, Sequence[float]],
    scores: Mapping[str, Scores],
    resamples: int,
) -> list[Row]:
    """AP and accuracy with their intervals at each level of each degradation.

    `scores` are by variant name (evaluation/degrade.py). All are drawn with the same seed: the same
    images at each level, so that a curve does not jump by the draw.
    """
    figures = {name: _figures(testset, scored, resamples) for name, scored in scores.items()}
    return [
        {"testset": testset, "degradation": degradation, "level": level_text(level)}
        | figures[variant_name(degradation, level)]
        for degradation, steps in levels.items()
        for level in steps
    ]


def _figures(testset: str, scores: Scores, resamples: int) -> Row:
    _, labels, logits = scores
    drawn = bootstrap(labels, logits, resamples, seed_of(testset))
    row = counts(labels)
    for figure, metric in (("ap", average_precision), ("accuracy", accuracy)):
        row |= {figure: metric(labels, logits)} | intervals(drawn, [figure])
    return row


def read_robustness(path: str) -> list[Row]:
    """Read robustness.csv again; no rows where there is no such file."""
    if not os.path.isfile(path):
        return []
    with open(path, encoding="utf-8", errors="surrogateescape", newline="") as file:
        return [
            {column: _value(column, row[column]) for column in row} for row in csv.DictReader(file)
        ]


def _value(column: str, text: str) -> str | int | float:
    if column in ("testset", "degradation", "level"):
        return text
    if column.startswith("num_"):
        return int(text)
    return float(text) if text else math.nan
