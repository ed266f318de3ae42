"""Compare the demo's metrics with the shipped ones: `python -m minibench.compare results/demo`."""

import os
from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from data.testsets import PAPER_ELEVEN
from minibench.photographs import FOLDER
from minibench.spread import METRICS, Metrics, read_about, read_metrics, read_rows
from options.minibench_options import CompareOptions
from options.parse import parse
from util.console import print_next_command
from util.errors import UsageError, run
from util.machine import processor, versions
from util.markdown import table

HEADINGS = {"ap": "AP", "accuracy": "acc."}
MEAN = "mean"

Shipped = dict[tuple[str, str], list[float]]
"""By test set and metric, the fractions of all seeds."""


class Compared(NamedTuple):
    """One metric of one test set, a fraction, beside the lowest and highest of the shipped runs."""

    testset: str
    metric: str
    ours: float
    low: float
    high: float

    def is_inside(self) -> bool:
        """Return whether ours is at least the lowest and at most the highest shipped one."""
        return self.low <= self.ours <= self.high

    def describe(self) -> str:
        """Format ours and the shipped range, in per cent."""
        return f"{self.testset} {HEADINGS[self.metric]} {self.ours:.2%} ({self.span()})".replace(
            "%", ""
        )

    def span(self) -> str:
        """Format the shipped range, in per cent."""
        return f"{self.low:.2%} to {self.high:.2%}".replace("%", "")


def read_shipped(path: Path) -> Shipped:
    """Return the shipped metrics. Raises UsageError where the file is missing or damaged."""
    shipped: Shipped = defaultdict(list)
    for row in read_rows(path, ("seed", "testset", *METRICS)):
        for metric in METRICS:
            if row[metric]:
                shipped[row["testset"], metric].append(float(row[metric]))
    return shipped


def compare(ours: Metrics, shipped: Shipped) -> list[Compared]:
    """Return the metrics that both sides have, without a mean over other test sets."""
    same_sets = in_mean(ours) == in_mean(testset for testset, _ in shipped)
    return [
        Compared(name, metric, float(value), min(theirs), max(theirs))
        for name, metrics in ours.items()
        for metric, value in metrics.items()
        if value and (theirs := shipped.get((name, metric))) and (same_sets or name != MEAN)
    ]


def in_mean(testsets: Iterable[str]) -> set[str]:
    """Return those that the row "mean" is over: of the paper's eleven, or all where none is."""
    names = set(testsets) - {MEAN}
    return names & set(PAPER_ELEVEN) or names


def draw(ours: Metrics, compared: list[Compared]) -> str:
    """Return a table with a row per test set: each metric of ours, then the shipped range."""
    spans = {(c.testset, c.metric): c.span() for c in compared}
    rows = []
    for name, metrics in ours.items():
        row = [name]
        for metric, value in metrics.items():
            row += [f"{100 * float(value):.2f}" if value else "", spans.get((name, metric), "")]
        rows.append(row)
    headings = [text for name in METRICS for text in (HEADINGS[name], f"shipped {HEADINGS[name]}")]
    return table(["test set", *headings], rows)


def main() -> None:
    """Print the comparison, and the commands to run next."""
    options = parse(CompareOptions)
    results, path = Path(options.results[0]), Path(options.shipped)
    ours, about = read_metrics(results), read_about(results / "metrics.json", "weights", "dataroot")
    shipped = read_shipped(path)
    compared = compare(ours, shipped)
    made = read_about(path.with_suffix(".json"), "seeds", "packages", "processor")
    if not compared:
        raise UsageError(f"{path}: holds no figure of the test sets in {results}")
    outside = [c for c in compared if not c.is_inside()]
    count = len(made["seeds"])
    print(f"\n{draw(ours, compared)}\n")
    if alone := sorted(set(ours) - {testset for testset, _ in shipped}):
        print(f"not part of the shipped runs: {', '.join(alone)}")
    inside = f"{len(compared) - len(outside)} of" if outside else "all"
    total = f"{len(compared)} figures"
    print(f"{inside} {total} lie inside the spread of the shipped ones ({count} runs)")
    if outside:
        print(f"outside: {', '.join(c.describe() for c in outside)}")
    print(
        f"Of a further seed's figures about 2 in {count + 1} lie outside by chance alone; versions"
        " and processors move them, too:"
    )
    theirs = {name: number for name, number in made["packages"].items() if number}
    for where, machine, packages in (
        ("shipped", made["processor"], theirs),
        ("here", processor()[0], versions(theirs)),
    ):
        print(f"{where}: {machine}; {', '.join(f'{n} {number}' for n, number in packages.items())}")
    print(f"next: open {results / 'report.html'} in a browser")
    weights, data = ("--model_path", about["weights"]), ("--dataroot", about["dataroot"])
    print_next_command("predict.py", *weights, os.path.relpath(FOLDER))
    if (held_out := Path(about["dataroot"]).parent / "val").is_dir():
        named = ("--name", f"{results.name}_calibrated")
        print_next_command("eval.py", *weights, *data, "--calibrate_on", str(held_out), *named)


if __name__ == "__main__":
    run(main)
