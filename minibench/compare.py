"""The demo's table beside the shipped figures: `python -m minibench.compare results/demo`."""

import os
from collections import defaultdict
from pathlib import Path
from typing import NamedTuple

from minibench.photographs import FOLDER
from minibench.spread import FIGURES, Figures, read_about, read_figures, read_rows
from options.minibench_options import CompareOptions
from options.parse import parse
from util.console import say_next
from util.errors import UsageError, run
from util.machine import processor, versions
from util.markdown import table

HEADINGS = {"ap": "AP", "accuracy": "acc."}
MEAN = "mean"

Shipped = dict[tuple[str, str], list[float]]
"""By test set and figure, the fractions of all seeds."""


class Compared(NamedTuple):
    """One figure of one test set, as fractions, beside those of the shipped runs."""

    testset: str
    figure: str
    ours: float
    low: float
    high: float

    def is_inside(self) -> bool:
        """Whether ours lies between the lowest and the highest shipped one, or is one of them."""
        return self.low <= self.ours <= self.high

    def told(self) -> str:
        """In per cent."""
        return f"{self.testset} {HEADINGS[self.figure]} {self.ours:.2%} ({self.span()})".replace(
            "%", ""
        )

    def span(self) -> str:
        """The shipped ones, in per cent."""
        return f"{self.low:.2%} to {self.high:.2%}".replace("%", "")


def read_shipped(path: Path) -> Shipped:
    """Return the shipped figures; raises UsageError where the file is missing or damaged."""
    shipped: Shipped = defaultdict(list)
    for row in read_rows(path, ("seed", "testset", *FIGURES)):
        for figure in FIGURES:
            if row[figure]:
                shipped[row["testset"], figure].append(float(row[figure]))
    return shipped


def compare(ours: Figures, shipped: Shipped) -> list[Compared]:
    """Return what both sides have. A mean over other test sets is another figure, and left out."""
    same_sets = set(ours) == {testset for testset, _ in shipped}
    return [
        Compared(name, figure, float(value), min(theirs), max(theirs))
        for name, figures in ours.items()
        for figure, value in figures.items()
        if value and (theirs := shipped.get((name, figure))) and (same_sets or name != MEAN)
    ]


def draw(ours: Figures, compared: list[Compared]) -> str:
    """Draw a table with a row per test set: each figure of ours, then the span of the shipped."""
    spans = {(it.testset, it.figure): it.span() for it in compared}
    rows = []
    for name, figures in ours.items():
        row = [name]
        for figure, value in figures.items():
            row += [f"{100 * float(value):.2f}" if value else "", spans.get((name, figure), "")]
        rows.append(row)
    headings = [text for name in FIGURES for text in (HEADINGS[name], f"shipped {HEADINGS[name]}")]
    return table(["test set", *headings], rows)


def main() -> None:
    """Print the comparison, and what to do next."""
    options = parse(CompareOptions)
    results, path = Path(options.results[0]), Path(options.shipped)
    ours, about = read_figures(results), read_about(results / "metrics.json", "weights", "dataroot")
    compared = compare(ours, read_shipped(path))
    made = read_about(path.with_suffix(".json"), "seeds", "packages", "processor")
    if not compared:
        raise UsageError(f"{path}: holds no figure of the test sets in {results}")
    outside = [it for it in compared if not it.is_inside()]
    count = len(made["seeds"])
    print(f"\n{draw(ours, compared)}\n")
    inside = f"{len(compared) - len(outside)} of" if outside else "all"
    total = f"{len(compared)} figures"
    print(f"{inside} {total} lie inside the spread of the shipped ones ({count} runs)")
    if outside:
        print(f"outside: {', '.join(it.told() for it in outside)}")
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
    say_next("predict.py", *weights, os.path.relpath(FOLDER))
    if (held_out := Path(about["dataroot"]).parent / "val").is_dir():
        named = ("--name", f"{results.name}_calibrated")
        say_next("eval.py", *weights, *data, "--calibrate_on", str(held_out), *named)


if __name__ == "__main__":
    run(main)
