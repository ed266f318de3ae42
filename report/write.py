"""Write a report into its folder: scores, tables, figures and the page, all or nothing."""

from __future__ import annotations

import functools
import os
from collections.abc import Mapping, Sequence
from typing import Any

from evaluation.compare import compare
from evaluation.evaluation import Evaluation
from evaluation.metrics_file import write_metrics
from evaluation.predictions import write_predictions
from evaluation.rows import degraded_row, difference_row, write_csv
from evaluation.suspicions import warnings
from evaluation.thresholds import write_calibration
from report.captions import captions
from report.drawings import drawings
from report.html import write_html
from report.latex import latex
from report.marks import marks_of, start_of
from report.overview import heat_maps, overview
from report.page import Page, Picture, Table
from report.provenance import provenance
from report.published import published_tables
from report.results_folder import new_results, own_file
from report.side_by_side import Comparisons, comparison_tables, leaderboard
from report.tables import markdown, model_tables
from report.thumbnails import DEFAULT, Explainer, make_thumbnails
from util.errors import one_line
from util.files import atomic_write


def write_report(
    folder: str,
    evaluations: Sequence[Evaluation],
    *,
    number: int | None = DEFAULT,
    dataroot: str = "",
    explain: Sequence[Explainer] = (),
    options: Mapping[str, Any] | None = None,
    figures: bool = True,
) -> str:
    """Write everything that is made of evaluations, side by side where they are several.

    The folder goes from its old state to the new one in one step. Of each label in each test set
    `number` images are shown (None: all), from `dataroot` or where the scores say that they come
    from, and with Grad-CAM by `explain`, one for each of the first evaluations: `make_thumbnails`
    says which. `options` are those of the command, which metrics.json keeps. Figures are drawn
    unless `figures` is False. Returns what the console shows: captions and the first tables.
    """
    several = len(evaluations) > 1
    with new_results(folder, [each.name for each in evaluations] if several else []) as new:
        for each in evaluations:
            own = functools.partial(own_file, new, each.name if several else "")
            column = each.measuring.clusters.column
            write_predictions(own("predictions.csv"), each.scores, column)
            if each.aligned_scores:
                write_predictions(own("aligned.csv"), each.aligned_scores, column)
            if degraded := [degraded_row(its) for its in each.degraded]:
                write_csv(own("robustness.csv"), degraded)
            if each.measuring.calibration:
                write_calibration(own("threshold.json"), each.measuring.calibration)
        shown = write_tables(new, evaluations, options)
        pictures = make_thumbnails(
            new,
            evaluations,
            number=number,
            mark=marks_of(evaluations)[start_of(evaluations)],
            dataroot=dataroot,
            explain=explain,
        )
        write_page(new, evaluations, pictures, figures=figures)
    return shown


def write_tables(
    folder: str, evaluations: Sequence[Evaluation], options: Mapping[str, Any] | None = None
) -> str:
    """Write table.csv, table.md, table.tex, metrics.json (and comparison.csv for several models);
    return what the console shows: the captions and the first tables.
    """
    several = len(evaluations) > 1
    rows = [
        ({"model": each.name} if several else {}) | row
        for each in evaluations
        for row in each.rows()
    ]
    write_csv(os.path.join(folder, "table.csv"), rows)
    comparisons = _comparisons(evaluations)
    if several:
        lines = [
            {"first": name, "second": minus} | difference_row(line)
            for (name, minus), differences in comparisons.items()
            for line in differences
        ]
        write_csv(os.path.join(folder, "comparison.csv"), lines)
    said, tables = captions(evaluations), _tables(evaluations, comparisons)
    warned = warnings(evaluations)
    noted = [f"**Warning**: {one_line(text)}" for text in warned]
    shown = (f"### {t.title}\n\n{markdown(t)}\n\n{t.note}" for t in tables)
    parts = [*map(one_line, said), *noted, *shown]
    _write(os.path.join(folder, "table.md"), "\n\n".join(parts) + "\n")
    _write(os.path.join(folder, "table.tex"), latex(evaluations))
    write_metrics(folder, evaluations, warned, options=options or {})
    first = tables[:2] if several else tables[:1]  # who leads, and by how much
    return "\n\n".join([*said, *map(markdown, first)])


def write_page(
    folder: str,
    evaluations: Sequence[Evaluation],
    pictures: Mapping[str, Mapping[str, Picture]],
    *,
    figures: bool = True,
) -> None:
    """Write the figures, as PNG and PDF, and report.html."""
    marks, start = marks_of(evaluations), start_of(evaluations)
    thresholds = marks[start].logits[evaluations[0].name]
    drawn = []
    if figures:
        threshold = next(iter(thresholds.values()))
        drawn = drawings(os.path.join(folder, "figures"), evaluations, threshold)
    page = Page(
        title=", ".join(each.name for each in evaluations),
        overviews=[overview(each, len(warnings([each]))) for each in evaluations],
        captions=[text.replace("**", "") for text in captions(evaluations)],
        warnings=warnings(evaluations),
        heat_maps=heat_maps(evaluations),
        tables=_tables(evaluations, _comparisons(evaluations)),
        drawings=drawn,
        models={each.name: each.scores for each in evaluations},
        marks=marks,
        start=start,
        mean_over=[name for each in evaluations for name in each.benchmark.chosen(each.scores)],
        pictures=pictures,
        unreadable=[
            (testset, path, reason)
            for each in evaluations
            for testset, reasons in each.provenance.unreadable.items()
            for path, reason in reasons.items()
        ],
        provenance=[provenance(each) for each in evaluations],
    )
    write_html(os.path.join(folder, "report.html"), page)


def _write(path: str, text: str) -> None:
    with atomic_write(path) as file:
        file.write(text)


def _comparisons(evaluations: Sequence[Evaluation]) -> Comparisons:
    """Return the first model minus each other or, where it is a baseline, each other minus it; the
    keys say what minus what.
    """
    first = evaluations[0]
    pairs = [(each, first) if first.is_baseline else (first, each) for each in evaluations[1:]]
    return {(one.name, minus.name): compare(one, minus) for one, minus in pairs}


def _tables(evaluations: Sequence[Evaluation], comparisons: Comparisons) -> list[Table]:
    if len(evaluations) == 1:
        return [*model_tables(evaluations[0], ""), *published_tables(evaluations[0])]
    each = [
        table
        for its in evaluations
        for table in (*model_tables(its, its.name), *published_tables(its, its.name))
    ]
    return [leaderboard(evaluations), *comparison_tables(evaluations, comparisons), *each]
