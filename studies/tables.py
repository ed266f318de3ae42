"""Summaries of the tidy tables: the mean over test sets, and mean and spread over seeds."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

import numpy as np

from data.testsets import ORDER
from studies.reading import ACCURACIES, AP, Row
from util.markdown import table

HELD_OUT = tuple(name for name in ORDER if name != "progan")  # what no network is trained on
MEAN = "mean of the held-out"
Key = tuple[str, ...]


class Shape(NamedTuple):
    """How the table of a study is laid out."""

    by: tuple[str, ...]  # a line for each of their values; without testset, of the mean over those
    across: str  # a column for each of its values
    metrics: tuple[str, ...] = ("ap",)
    testsets: tuple[str, ...] = HELD_OUT  # that the mean is over
    scale: float = 100  # values are fractions, to be read in per cent


SHAPES = {
    "augmentation": Shape(("testset",), "augmentation"),
    "diversity": Shape(("varied", "amount"), "metric", tuple(AP)),
    "robustness": Shape(("degradation", "level"), "augmentation"),
    "spectra": Shape(("testset",), "label", ("peak",), scale=1),
    "few_shot": Shape(("role", "images", "replay"), "family", testsets=ORDER),
    "calibration": Shape(("augmentation",), "metric", ("ap", *ACCURACIES.values())),
    "start": Shape(("testset",), "start"),
    "formats": Shape(("augmentation", "encoding"), "metric", tuple(AP)),
    "recipe": Shape(("degradation", "level"), "recipe"),
}


def by_seed(rows: Iterable[Row], keys: Sequence[str], testsets: Iterable[str]) -> dict[Key, Values]:
    """Return the values by `keys` and seed, each the mean over these test sets (and all else)."""
    sums: dict[Key, dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
    chosen = set(testsets)
    for row in rows:
        if row["testset"] in chosen:
            sums[tuple(row[key] for key in keys)][row["seed"]].append(float(row["value"]))
    return {
        key: {seed: float(np.mean(values)) for seed, values in its.items()}
        for key, its in sums.items()
    }


Values = Mapping[str, float]  # by seed


def spread(values: Values) -> tuple[float, float]:
    """Return mean and standard deviation over the seeds; of one seed, the latter is NaN."""
    each = list(values.values())
    return float(np.mean(each)), float(np.std(each, ddof=1)) if len(each) > 1 else float("nan")


def shown(values: Values | None, scale: float) -> str:
    """Format mean and spread: in per cent with one digit, or with three digits; "" for nothing."""
    if not values:
        return ""
    mean, deviation = spread(values)
    digits = 1 if scale == 100 else 3
    text = f"{scale * mean:.{digits}f}"
    return text if np.isnan(deviation) else f"{text} ± {scale * deviation:.{digits}f}"


def table_of(study: str, rows: list[Row]) -> str:
    """Return a study's table in Markdown: mean ± standard deviation over the seeds."""
    shape = SHAPES[study]
    rows = [row for row in rows if row["metric"] in shape.metrics]
    keys = (*shape.by, shape.across)
    values = dict(by_seed(rows, keys, {row["testset"] for row in rows}))
    if "testset" in shape.by:
        for (column,), its in by_seed(rows, (shape.across,), shape.testsets).items():
            values[MEAN, column] = its
    else:
        values = dict(by_seed(rows, keys, shape.testsets))
    columns = list(dict.fromkeys(key[-1] for key in values))
    lines = list(dict.fromkeys(key[:-1] for key in values))
    if "testset" in shape.by:
        lines.sort(key=lambda line: (*ORDER, line[0]).index(line[0]))
        lines.sort(key=lambda line: line[0] == MEAN)
    body = [
        [*line, *(shown(values.get((*line, column)), shape.scale) for column in columns)]
        for line in lines
    ]
    return table([*shape.by, *columns], body, len(shape.by))
