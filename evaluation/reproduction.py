"""The published figures beside ours, and what each of ours comes to."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, NamedTuple

from data.testsets import PAPER_ELEVEN
from evaluation.measure import MEAN
from evaluation.published import published, reproductions

METRICS = ("ap", "accuracy")  # that are published of the released models
DECIMALS = 1  # of the published figures, in per cent
VERDICTS = (
    *("as printed", "differs", "inside", "outside", "no spread known"),
    *("undefined", "not scored"),
)
Figures = Mapping[str, Mapping[str, float]]  # test set -> metric -> fraction


class Cell(NamedTuple):
    """A metric of a test set, in per cent; NaN where it is not known."""

    testset: str
    model: str
    no_crop: bool
    metric: str
    published: float
    ours: float
    low: float  # of the spread: the published figure and those of the known reproductions
    high: float
    verdict: str

    def difference(self) -> float:
        """Return ours minus the published figure, in points."""
        return self.ours - self.published


def judge(
    ours: Mapping[str, Any], model: str, no_crop: bool = False, *, released: bool = False
) -> list[Cell]:
    """Return the cells of a sweep in the order of the published table, its mean last.

    `ours` is a metrics.json (empty: nothing was scored) of the model trained anew or, `released`,
    of the published weights. The mean is left out unless all of the paper's eleven were scored.
    """
    figures = _with_mean(published(model, no_crop))
    others = [_with_mean(its) for its in reproductions(model, no_crop).values()]
    scored = dict(ours.get("testsets", {}))
    if {*PAPER_ELEVEN} <= set(scored):
        scored[MEAN] = ours["mean"]
    cells = []
    for testset in figures:
        for metric in METRICS if testset != MEAN or MEAN in scored else ():
            spread = [_per_cent(its, testset, metric) for its in (figures, *others)]
            spread = [value for value in spread if not math.isnan(value)]
            is_known = len(spread) > 1
            low, high = (min(spread), max(spread)) if is_known else (math.nan, math.nan)
            value = _per_cent(scored, testset, metric)
            verdict = _verdict(value, spread, released)
            if verdict == "undefined" and testset not in scored:
                verdict = "not scored"
            cells.append(
                Cell(testset, model, no_crop, metric, spread[0], value, low, high, verdict)
            )
    return cells


def _verdict(ours: float, spread: list[float], released: bool) -> str:
    """Return one of VERDICTS. `spread` begins with the published figure; ours is rounded as the
    published figures are before it is compared with them.
    """
    if math.isnan(ours):  # AP, where every image has the same score
        return "undefined"
    rounded = round(ours, DECIMALS)
    if released:  # the same weights on the same images: the printed figure is the only right one
        return "as printed" if rounded == round(spread[0], DECIMALS) else "differs"
    if len(spread) == 1:
        return "no spread known"
    ends = round(min(spread), DECIMALS), round(max(spread), DECIMALS)
    return "inside" if ends[0] <= rounded <= ends[1] else "outside"


def _with_mean(figures: Figures) -> dict[str, Mapping[str, float]]:
    """Add the mean over the paper's eleven, of each metric that all of them have."""
    mean = {}
    for metric in METRICS:
        values = [figures.get(name, {}).get(metric, math.nan) for name in PAPER_ELEVEN]
        if not any(map(math.isnan, values)):
            mean[metric] = math.fsum(values) / len(values)
    return {**figures, MEAN: mean}


def _per_cent(figures: Mapping[str, Any], testset: str, metric: str) -> float:
    value = figures.get(testset, {}).get(metric)
    return math.nan if value is None else round(100 * value, 6)
