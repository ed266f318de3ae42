"""Typed results to rows of a CSV file and back: the only place that knows the names of columns."""

from __future__ import annotations

import csv
import math
import os
from collections.abc import Sequence
from typing import Any, NamedTuple

from evaluation.measure import RESAMPLED, Difference, Estimate, Measured, change_of
from evaluation.metrics import METRICS
from util.files import atomic_write, csv_writer

Row = dict[str, Any]  # column -> text, number or fraction; NaN and None are undefined

TITLES = ("testset", "degradation", "level")  # columns of text


class Degraded(NamedTuple):
    """What was measured of a test set whose images were all degraded alike."""

    testset: str
    degradation: str
    level: str
    num_real: int
    num_fake: int
    metrics: dict[str, Estimate]


def testset_row(measured: Measured, with_intervals: bool, aligned: Measured | None = None) -> Row:
    """Return a row of table.csv: the metrics, intervals, metrics by threshold, published ones, and
    those of the images re-encoded (`aligned`), where they were scored so.
    """
    values = {name: its.value for name, its in measured.metrics.items()}
    intervals = [name for name in RESAMPLED if name in measured.metrics] if with_intervals else []
    return {
        "testset": measured.name,
        "num_real": measured.num_real,
        "num_fake": measured.num_fake,
        **{name: value for name, value in values.items() if name in METRICS},
        **{name: value for m in intervals for name, value in _ends(m, measured.metrics[m]).items()},
        **{name: value for name, value in values.items() if name not in METRICS},
        "num_unreadable": measured.num_unreadable,
        **{f"published_{name}": value for name, value in measured.published.items()},
        **(_aligned(measured, aligned) if aligned else {}),
    }


def difference_row(difference: Difference) -> Row:
    """Return a row of comparison.csv: AP first, then the other metrics, whose columns say which."""
    row: Row = {"testset": difference.testset}
    for metric, (first, second, its) in difference.leads.items():
        name = "difference" if metric == "ap" else f"{metric}_difference"
        row |= {f"{metric}_first": first, f"{metric}_second": second, name: its.value}
        row |= _ends(name, its)
    return row


def degraded_row(degraded: Degraded) -> Row:
    """Return a row of robustness.csv."""
    row: Row = {name: value for name, value in degraded._asdict().items() if name != "metrics"}
    for name, its in degraded.metrics.items():
        row |= {name: its.value, **_ends(name, its)}
    return row


def read_degraded(path: str) -> list[Degraded]:
    """Read robustness.csv again; nothing where there is no such file."""
    if not os.path.isfile(path):
        return []
    with open(path, encoding="utf-8", errors="surrogateescape", newline="") as file:
        return [_degraded(row) for row in csv.DictReader(file)]


def write_csv(path: str, rows: Sequence[Row]) -> None:
    """Write rows: fractions with 6 decimals; what is undefined, or other rows' alone, is empty."""
    columns = list(dict.fromkeys(column for row in rows for column in row))
    with atomic_write(path) as file:
        writer = csv_writer(file)
        if columns:
            writer.writerow(columns)
        writer.writerows([_cell(row.get(column)) for column in columns] for row in rows)


def _aligned(as_is: Measured, aligned: Measured) -> Row:
    change = change_of(as_is, aligned)
    return {
        **{f"aligned_{name}": its.value for name, its in aligned.metrics.items()},
        "aligned_ap_change": change.value,
        **_ends("aligned_ap_change", change),
    }


def _ends(metric: str, its: Estimate) -> Row:
    return {f"{metric}_low": its.low, f"{metric}_high": its.high}


def _degraded(row: dict[str, str]) -> Degraded:
    counts = ("num_real", "num_fake")
    ends = ("_low", "_high")
    values = {k: float(v) if v else math.nan for k, v in row.items() if k not in TITLES}
    metrics = {
        name: Estimate(values[name], *(values[name + end] for end in ends))
        for name in values
        if name not in counts and not name.endswith(ends)
    }
    testset, degradation, level = (row[name] for name in TITLES)
    num_real, num_fake = (int(row[name]) for name in counts)
    return Degraded(testset, degradation, level, num_real, num_fake, metrics)


def _cell(value: Any) -> str:  # noqa: ANN401
    if value is None:
        return ""
    if isinstance(value, float):
        return "" if math.isnan(value) else f"{value:.6f}"
    return str(value)
