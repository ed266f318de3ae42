"""robustness.csv: a row per test set, degradation and level."""

from __future__ import annotations

import csv
import math
import os
from collections.abc import Mapping, Sequence

from data.degrade import variant_name
from report.rows import Row, seed_of
from util.bootstrap import bootstrap, interval
from util.metrics import accuracy, average_precision
from util.predictions import Scores


def robustness_rows(
    testset: str,
    levels: Mapping[str, Sequence[float]],
    scores: Mapping[str, Scores],
    resamples: int,
) -> list[Row]:
    """AP and accuracy with their intervals at each level of each degradation.

    `scores` are by variant name (data/degrade.py). All are drawn with the same seed: the same
    images at each level, so that a curve does not jump by the draw.
    """
    rows = []
    for degradation, steps in levels.items():
        for level in steps:
            labels, logits = scores[variant_name(degradation, level)][1:]
            num_fake = int((labels == 1).sum())
            row: Row = {"testset": testset, "degradation": degradation, "level": f"{level:g}"}
            row |= {"num_real": len(labels) - num_fake, "num_fake": num_fake}
            drawn = bootstrap(labels, logits, resamples, seed_of(testset))
            for figure, metric in (("ap", average_precision), ("accuracy", accuracy)):
                ends = interval(drawn[figure]) if figure in drawn else (math.nan, math.nan)
                row |= {figure: metric(labels, logits)}
                row |= {f"{figure}_low": ends[0], f"{figure}_high": ends[1]}
            rows.append(row)
    return rows


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
