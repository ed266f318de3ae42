"""Rows of the tidy tables, as read from the files that eval.py writes."""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from data.testsets import ORDER

Row = dict[str, str]

TESTSETS = (*ORDER, "shallow")
AP = {"ap": "ap", "accuracy": "accuracy"}  # column -> metric
ACCURACIES = {  # column of table.csv -> how the threshold was chosen
    "accuracy": "accuracy at 0.5",
    "few_shot_1_accuracy": "accuracy, two-shot",
    "calibrated_accuracy": "accuracy, calibrated",
    "oracle_accuracy": "accuracy, oracle",
}


def read_csv(path: Path) -> list[Row]:
    """Return the rows of a CSV file."""
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def of_table(
    folder: Path, metrics: Mapping[str, str], condition: Mapping[str, str]
) -> Callable[[], Iterator[Row]]:
    """Return a reader of the columns `metrics` of table.csv, under these other names."""

    def read() -> Iterator[Row]:
        for row in read_csv(folder / "table.csv"):
            for column, metric in metrics.items():
                if row["testset"] in TESTSETS and row.get(column):
                    its = {"testset": row["testset"], "metric": metric, "value": row[column]}
                    yield {**condition, **its}

    return read


def of_degraded(folder: Path, condition: Mapping[str, str]) -> Callable[[], Iterator[Row]]:
    """Return a reader of robustness.csv."""

    def read() -> Iterator[Row]:
        for row in read_csv(folder / "robustness.csv"):
            for metric in AP:
                how = {"degradation": row["degradation"], "level": row["level"]}
                its = {"testset": row["testset"], "metric": metric, "value": row[metric]}
                yield {**condition, **how, **its}

    return read
