"""From scores to the tables: table.csv, table.md and metrics.json, and what the console shows."""

from __future__ import annotations

import csv
import json
import math
import os
from collections.abc import Collection, Mapping, Sequence
from typing import Any

import numpy as np

from util.files import atomic_write
from util.metrics import measure
from util.predictions import Scores

Row = dict[str, Any]  # testset, num_real, num_fake, then a fraction per metric (NaN = undefined)

HEADINGS = {
    "testset": "test set",
    "num_real": "real",
    "num_fake": "fake",
    "ap": "AP",
    "accuracy": "acc.",
    "real_accuracy": "real acc.",
    "fake_accuracy": "fake acc.",
    "auroc": "AUROC",
}


def table_rows(
    names: Sequence[str],
    scores: Mapping[str, Scores],
    mean_over: Sequence[str],
    published: Mapping[str, Mapping[str, float]],
) -> list[Row]:
    """One row per test set, in the order of `names`; last the mean.

    The mean is unweighted, over the sets in `mean_over` that were scored (over all, where none
    of them was), and for each figure over the sets that have it. `published` (test set ->
    figure -> fraction; may be empty) adds its figures as columns "published_...".
    """
    figures = dict.fromkeys(figure for row in published.values() for figure in row)
    rows = []
    for name in names:
        theirs = published.get(name, {})
        columns = {f"published_{figure}": theirs.get(figure, math.nan) for figure in figures}
        rows.append({**_row(name, scores[name]), **columns})
    return [*rows, _mean([row for row in rows if row["testset"] in mean_over] or rows)]


def _row(testset: str, scores: Scores) -> Row:
    num_fake = int(scores.labels.sum())
    counts = {"num_real": len(scores.labels) - num_fake, "num_fake": num_fake}
    return {"testset": testset, **counts, **measure(scores.labels, scores.logits)}


def _mean(rows: Sequence[Row]) -> Row:
    mean: Row = {"testset": "mean", "num_real": math.nan, "num_fake": math.nan}
    for figure in list(rows[0])[len(mean) :]:
        values = [row[figure] for row in rows if not math.isnan(row[figure])]
        mean[figure] = float(np.mean(values)) if values else math.nan
    return mean


def write_tables(folder: str, rows: Sequence[Row], caption: str, about: dict[str, Any]) -> str:
    """Write table.csv, table.md and metrics.json (`rows` with `about`); return table.md's text."""
    with atomic_write(os.path.join(folder, "table.csv")) as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(rows[0])
        writer.writerows([_csv_cell(row[c]) for c in row] for row in rows)
    markdown = f"{caption}\n\n{markdown_table(rows)}\n"
    with atomic_write(os.path.join(folder, "table.md")) as file:
        file.write(markdown)
    figures = [{c: _defined(row[c]) for c in row if c != "testset"} for row in rows]
    testsets = {row["testset"]: own for row, own in zip(rows[:-1], figures, strict=False)}
    metrics = {**about, "testsets": testsets, "mean": figures[-1]}
    with atomic_write(os.path.join(folder, "metrics.json")) as file:
        json.dump(metrics, file, indent=1, allow_nan=False)
        file.write("\n")
    return markdown


def caption(about: Mapping[str, Any], scored: Collection[str], mean_over: Sequence[str]) -> str:
    """What a reader must know to read the table: which weights, which protocol, which mean."""
    parts = []
    if about.get("benchmark"):
        parts.append(f"**{about['benchmark']}**")
    if "weights" in about:
        crop = f"centre crop {about['crop_size']}" if about["crop_size"] else "whole images"
        parts.append(
            f"{about['arch']}, weights {about['weights']} (SHA-256 {about['weights_sha256'][:12]}),"
            f" {crop}, {about['precision']}."
        )
    else:
        parts.append(f"From {about['predictions']}.")
    of_eleven = sum(name in mean_over for name in scored)
    mean = f"{of_eleven} of the paper's {len(mean_over)}" if of_eleven else f"all {len(scored)}"
    parts.append(f"In per cent; accuracy at probability 0.5; mean over {mean} test sets.")
    return " ".join(parts)


def read_about(folder: str) -> dict[str, Any]:
    """What an earlier evaluation's metrics.json says of its scores; empty where there is none."""
    path = os.path.join(folder, "metrics.json")
    if not os.path.isfile(path):
        return {}
    with open(path, encoding="utf-8") as file:
        about: dict[str, Any] = json.load(file)
    return {key: value for key, value in about.items() if key not in ("testsets", "mean")}


def markdown_table(rows: Sequence[Row]) -> str:
    """The rows as an aligned Markdown table, fractions in per cent."""
    cells = [[_heading(column) for column in rows[0]]]
    cells += [[_text_cell(row[column]) for column in row] for row in rows]
    widths = [max(len(line[i]) for line in cells) for i in range(len(cells[0]))]
    lines = ["| " + " | ".join(_aligned(line, widths)) + " |" for line in cells]
    rule = ["-" * widths[0], *("-" * (width - 1) + ":" for width in widths[1:])]
    return "\n".join([lines[0], "| " + " | ".join(rule) + " |", *lines[1:]])


def _aligned(line: Sequence[str], widths: Sequence[int]) -> list[str]:
    first = line[0].ljust(widths[0])
    return [first, *(cell.rjust(width) for cell, width in zip(line[1:], widths[1:], strict=True))]


def _heading(column: str) -> str:
    ours = column.removeprefix("published_")
    return ("published " if ours != column else "") + HEADINGS.get(ours, ours)


def _defined(value: Any) -> Any:  # noqa: ANN401
    return None if isinstance(value, float) and math.isnan(value) else value


def _csv_cell(value: Any) -> str:  # noqa: ANN401
    if isinstance(value, float):
        return "" if math.isnan(value) else f"{value:.6f}"
    return str(value)


def _text_cell(value: Any) -> str:  # noqa: ANN401
    if isinstance(value, float):
        return "" if math.isnan(value) else f"{100 * value:.2f}"
    return str(value).replace("|", "\\|")
