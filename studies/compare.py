"""Say whether a study that was run again agrees with the shipped tables:
`python -m studies.compare FOLDER`.

A run of the same seed on the same kind of machine should give the same digits. On another machine
rounding parts two trainings soon, and a run is as good as one of another seed: the mean over the
test sets of each condition is to lie in the 95 % prediction interval of one more run, given those
shipped: their mean ± t * s * sqrt(1 + 1/n), with Student's t of n - 1 degrees of freedom.
"""

from __future__ import annotations

from operator import itemgetter
from pathlib import Path
from typing import NamedTuple

import numpy as np
from scipy import stats

from options.parse import parse
from options.studies_options import CompareStudiesOptions
from studies.catalogue import STUDIES
from studies.reading import Row
from studies.results import read_results
from studies.tables import SHAPES, Values, by_seed, spread
from studies.verdicts import counted
from util.console import say
from util.errors import UsageError, run

LEVEL = 0.95


class Same(NamedTuple):
    """How far two tables are apart in the figures of the same condition, seed and test set."""

    figures: int
    equal: int  # to the last digit written
    largest: float  # difference, as `where`
    mean: float  # of the differences' sizes
    where: str


class Again(NamedTuple):
    """The mean over test sets of one condition in one run, and the interval of such a run."""

    condition: tuple[str, ...]
    seed: str
    value: float
    low: float
    high: float

    def is_inside(self) -> bool:
        """Return whether the value lies in the interval."""
        return self.low <= self.value <= self.high


def same_figures(study: str, ours: list[Row], shipped: list[Row]) -> Same | None:
    """Compare what both tables have, figure by figure; None where they share no seed."""
    figure = itemgetter(*STUDIES[study].columns, "seed", "testset", "metric")
    theirs = {figure(row): row["value"] for row in shipped}
    both = [(its, row["value"]) for row in ours if (its := figure(row)) in theirs]
    if not both:
        return None
    apart = [abs(float(value) - float(theirs[its])) for its, value in both]
    equal = sum(value == theirs[its] for its, value in both)
    farthest = int(np.argmax(apart))
    where = ", ".join(filter(None, both[farthest][0]))
    return Same(len(both), equal, apart[farthest], float(np.mean(apart)), where)


def prediction_interval(values: Values) -> tuple[float, float]:
    """Return where one more run is expected, with probability LEVEL; needs two seeds."""
    mean, deviation = spread(values)
    quantile = stats.t.ppf((1 + LEVEL) / 2, len(values) - 1)
    half = float(quantile * deviation * np.sqrt(1 + 1 / len(values)))
    return mean - half, mean + half


def run_again(study: str, ours: list[Row], shipped: list[Row]) -> list[Again]:
    """Return each condition and run of ours beside the interval of the shipped runs, over the test
    sets that both tables have; none where fewer than two seeds shipped.
    """
    keys = (*STUDIES[study].columns, "metric")
    figure = itemgetter(*keys, "testset")
    in_both = {figure(row) for row in ours} & {figure(row) for row in shipped}
    means, their = (
        by_seed((row for row in rows if figure(row) in in_both), keys, SHAPES[study].testsets)
        for rows in (ours, shipped)
    )
    return [
        Again(condition, seed, value, *prediction_interval(their[condition]))
        for condition, values in means.items()
        if len(their[condition]) > 1
        for seed, value in values.items()
    ]


def described(study: str, ours: list[Row], shipped: list[Row]) -> list[str]:
    """Return lines on a study, figures in per cent where they are fractions."""
    scale = SHAPES[study].scale
    unit = " points" if scale == 100 else ""
    same, again = same_figures(study, ours, shipped), run_again(study, ours, shipped)
    lines = []
    if same:
        lines.append(
            f"{study}: {same.equal:,} of {same.figures:,} figures of the same seeds are equal to"
            f" the last digit; they differ by {scale * same.mean:.2g}{unit} on average, by"
            f" {scale * same.largest:.2g}{unit} at most ({same.where})"
        )
    if again:
        inside = sum(its.is_inside() for its in again)
        lines.append(
            f"{study}: {inside:,} of {counted(len(again), 'mean')} over test sets lie where"
            f" {LEVEL:.0%} of further runs are expected"
        )
    lines += [
        f"  outside: {', '.join(filter(None, its.condition))}, seed {its.seed}:"
        f" {scale * its.value:.2f}, expected {scale * its.low:.2f} to {scale * its.high:.2f}"
        for its in again
        if not its.is_inside()
    ]
    return lines or [f"{study}: the two tables have no figure in common"]


def main() -> None:
    """Print what the tables in two folders have in common, study by study."""
    options = parse(CompareStudiesOptions)
    ours, shipped = Path(options.tables[0]), Path(options.shipped)
    found = False
    for study in STUDIES:
        mine, theirs = read_results(ours, study), read_results(shipped, study)
        if mine and theirs:
            found = True
            say("\n".join(described(study, mine, theirs)))
    if not found:
        raise UsageError(f"{ours} and {shipped}: have no table of the same study")


if __name__ == "__main__":
    run(main)
