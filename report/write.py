"""Write a report into its folder: tables after every test set, figures and the page at the end."""

from __future__ import annotations

import functools
import json
import math
import os
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from matplotlib.figure import Figure
from tqdm import tqdm

from data.testsets import PAPER_ELEVEN
from evaluation.metrics import unranked
from evaluation.model import METRICS, Model, caption, metrics_of
from evaluation.rows import Row, compare
from evaluation.suspicions import suspicions
from report.figures import (
    performance_bars,
    precision_recall_curves,
    robustness_panels,
    roc_curves,
    score_histograms,
)
from report.html import write_html
from report.latex import latex
from report.page import Mistake, Page, Table
from report.tables import comparison_table, markdown, model_tables
from util.drawing import Drawing, save_drawing
from util.errors import one_line
from util.files import atomic_write, csv_writer


def write_tables(folder: str, models: Sequence[Model]) -> str:
    """Write table.csv, table.md, table.tex, metrics.json (and comparison.csv for several models);
    return what the console shows: the captions and the first table.
    """
    several = len(models) > 1
    rows = [
        ({"model": model.name} if several else {}) | row for model in models for row in model.rows()
    ]
    write_csv(os.path.join(folder, "table.csv"), rows)
    comparisons = _comparisons(models)
    if several:
        lines = [
            {"first": models[0].name, "second": name} | row
            for name, rows in comparisons.items()
            for row in rows
        ]
        write_csv(os.path.join(folder, "comparison.csv"), lines)
    captions, tables = _captions(models), _tables(models, comparisons)
    noted = [f"**Warning**: {one_line(text)}" for text in warnings(models)]
    shown = (f"### {t.title}\n\n{markdown(t)}\n\n{t.note}" for t in tables)
    parts = [*map(one_line, captions), *noted, *shown]
    _write(os.path.join(folder, "table.md"), "\n\n".join(parts) + "\n")
    _write(os.path.join(folder, "table.tex"), latex(models))
    metrics = metrics_of(models[0])
    if several:
        metrics = {"models": {model.name: metrics_of(model) for model in models}}
    metrics["warnings"] = warnings(models)
    text = json.dumps(metrics, indent=1, allow_nan=False)
    _write(os.path.join(folder, METRICS), text + "\n")
    return "\n\n".join([*captions, markdown(tables[0])])


def write_page(
    folder: str,
    models: Sequence[Model],
    thresholds: Mapping[str, float],
    robustness: Sequence[Row],
    find_mistakes: Callable[[Model, float], list[Mistake]],
) -> None:
    """Write the figures, as PNG and PDF, and report.html.

    `thresholds` are logits by name; mistakes are those at the last of them. `robustness` are the
    rows of robustness.csv, or none.
    """
    threshold = list(thresholds.values())[-1]
    page = Page(
        " and ".join(model.name for model in models),
        [*(text.replace("**", "") for text in _captions(models)), *warnings(models)],
        _tables(models, _comparisons(models)),
        _drawings(os.path.join(folder, "figures"), models, threshold, robustness),
        {model.name: model.scores for model in models},
        threshold,
        thresholds,
        [mistake for model in models for mistake in find_mistakes(model, threshold)],
        [
            (testset, path, reason)
            for model in models
            for testset, reasons in model.about.get("unreadable", {}).items()
            for path, reason in reasons.items()
        ],
    )
    write_html(os.path.join(folder, "report.html"), page)


def warnings(models: Sequence[Model]) -> list[str]:
    """Return, in words, what leaves cells of the tables empty, which images are missing in them,
    and what hints that the scores are not what they seem.
    """
    found = []
    for model in models:
        for name, scores in model.scores.items():
            if reason := unranked(scores.labels, scores.logits):
                found.append(f"{name} {reason}: no AP, no AUROC, nothing that ranks")
        for name, reasons in model.about.get("unreadable", {}).items():
            images = "1 image" if len(reasons) == 1 else f"{len(reasons)} images"
            found.append(f"{name}: {images} could not be read and not scored")
        found += suspicions(model.about, model.scores)
    return list(dict.fromkeys(found))


def write_csv(path: str, rows: Sequence[Row]) -> None:
    """Write rows of one shape: fractions with 6 decimals, undefined ones empty."""
    with atomic_write(path) as file:
        writer = csv_writer(file)
        if rows:
            writer.writerow(rows[0])
        writer.writerows([_cell(value) for value in row.values()] for row in rows)


def _cell(value: Any) -> str:  # noqa: ANN401
    if isinstance(value, float):
        return "" if math.isnan(value) else f"{value:.6f}"
    return str(value)


def _write(path: str, text: str) -> None:
    with atomic_write(path) as file:
        file.write(text)


def _captions(models: Sequence[Model]) -> list[str]:
    several = len(models) > 1
    return [
        (f"{model.name}: " if several else "") + caption(model.about, model.scores)
        for model in models
    ]


def _comparisons(models: Sequence[Model]) -> dict[str, list[Row]]:
    """The first model against each other."""
    first = models[0].scored()
    return {model.name: compare(first, model.scored(), PAPER_ELEVEN) for model in models[1:]}


def _tables(models: Sequence[Model], comparisons: dict[str, list[Row]]) -> list[Table]:
    if len(models) == 1:
        return model_tables(models[0], "")
    each = [table for model in models for table in model_tables(model, model.name)]
    return [comparison_table(models, comparisons), *each]


def _drawings(
    folder: str, models: Sequence[Model], threshold: float, robustness: Sequence[Row]
) -> list[Drawing]:
    rows = {model.name: model.rows() for model in models}
    scores = {model.name: model.scores for model in models}
    wanted: list[tuple[str, str, Callable[[], Figure]]] = [
        (
            "performance",
            "Average precision by generator, with 95 % intervals",
            lambda: performance_bars(rows),
        ),
        ("roc", "ROC curves", lambda: roc_curves(scores)),
        ("precision_recall", "Precision-recall curves", lambda: precision_recall_curves(scores)),
        (
            "scores",
            "Scores of real and fake images; the line is the threshold",
            lambda: score_histograms(scores, threshold),
        ),
    ]
    for degradation in dict.fromkeys(row["degradation"] for row in robustness):
        draw = functools.partial(robustness_panels, robustness, degradation)
        title = f"Average precision under {degradation}, with 95 % intervals"
        wanted.append((f"robustness_{degradation}", title, draw))
    bar = tqdm(wanted, "figures", leave=False, unit="figure", delay=1)
    return [save_drawing(folder, name, title, draw) for name, title, draw in bar]
