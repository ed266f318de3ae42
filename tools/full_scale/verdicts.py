"""The table in the end: published figures, ours, and a verdict per cell."""

from __future__ import annotations

import math
import os
from collections import Counter
from collections.abc import Sequence

from evaluation.metrics_file import read_metrics
from evaluation.published import reproductions
from evaluation.reproduction import VERDICTS, Cell, judge
from options.reproduce_options import ReproduceOptions
from tools.full_scale.steps import MODELS, PROTOCOLS, results_folder, sweep_folder
from util.files import atomic_write, csv_writer
from util.markdown import table

COLUMNS = (
    *("testset", "model", "protocol", "metric", "published", "ours", "difference"),
    *("low", "high", "verdict"),
)
NAMES = {"crop": "the centre crop", "no_crop": "whole images"}
RELEASED = (
    "Ours are of the published weights, which should give the published figures: `as printed` where"
    " ours, rounded to one decimal, is the published figure, else `differs`. Other versions of the"
    " libraries that decode and add up are enough for a tenth."
)
TRAINED = (
    "Ours are of weights trained anew. The spread (low to high) goes from the lowest to the highest"
    " of the published figure and those of the known reproductions of the same model, by the same"
    " protocol: ours, rounded to one decimal, is `inside` it, ends included, or `outside`. Where"
    " the published figure stands alone there is no spread: `no spread known`."
)


def write_verdicts(options: ReproduceOptions) -> str:
    """Write table.md and table.csv of the sweeps that are done; return what to print of them."""
    sections, cells = [], []
    for model in MODELS:
        for protocol in PROTOCOLS:
            no_crop = protocol == "no_crop"
            metrics = read_metrics(sweep_folder(options, model, protocol))
            its = judge(metrics, model, no_crop, released=options.released)
            cells += its
            sources = "; ".join(reproductions(model, no_crop)) or "none"
            sections.append(
                f"## {model}, {NAMES[protocol]}\n\n{_markdown(its)}\n\nKnown reproductions:"
                f" {sources}.\n"
            )
    count = Counter(cell.verdict for cell in cells)
    summary = ", ".join(f"{verdict}: {count[verdict]}" for verdict in VERDICTS if count[verdict])
    folder = results_folder(options)
    note = RELEASED if options.released else TRAINED
    head = f"# The paper's figures and ours\n\nIn per cent; the difference in points. {note}\n"
    with atomic_write(os.path.join(folder, "table.md")) as file:
        file.write("\n".join([head, f"{len(cells)} cells: {summary}.\n", *sections]))
    with atomic_write(os.path.join(folder, "table.csv")) as file:
        writer = csv_writer(file)
        writer.writerow(COLUMNS)
        writer.writerows(_row(cell) for cell in cells)
    return f"{os.path.join(folder, 'table.md')}, table.csv: {len(cells)} cells: {summary}"


def _markdown(cells: Sequence[Cell]) -> str:
    rows = []
    for cell in cells:
        figures = (cell.published, cell.ours, cell.difference(), cell.low, cell.high)
        published, ours, difference, low, high = map(_figure, figures, (1, 2, 2, 1, 1))
        sign = "+" if cell.difference() > 0 else ""
        name = {"ap": "AP", "accuracy": "acc."}[cell.metric]
        spread = f"{low} to {high}" if low else ""
        rows.append([cell.testset, name, cell.verdict, published, ours, sign + difference, spread])
    headings = ["test set", "metric", "verdict", "published", "ours", "difference", "spread"]
    return table(headings, rows, num_left=3)


def _row(cell: Cell) -> list[str]:
    protocol = "no_crop" if cell.no_crop else "crop"
    figures = (cell.published, cell.ours, cell.difference(), cell.low, cell.high)
    return [
        *(cell.testset, cell.model, protocol, cell.metric),
        *map(_figure, figures, (1, 2, 2, 1, 1)),
        cell.verdict,
    ]


def _figure(value: float, decimals: int) -> str:
    return "" if math.isnan(value) else f"{value:.{decimals}f}"
