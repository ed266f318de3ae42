"""The tables as they are read: which columns stand together, and how a figure is written."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from evaluation.bootstrap import CONFIDENCE
from evaluation.metrics import ECE_BINS
from evaluation.model import Model
from evaluation.rows import MEAN, Row
from evaluation.thresholds import FEW_SHOT_DRAWS
from report.page import Table
from util.markdown import table

HEADINGS = {
    "testset": "test set",
    "num_real": "real",
    "num_fake": "fake",
    "num_unreadable": "unreadable",
    "ap": "AP",
    "accuracy": "acc.",
    "real_accuracy": "real acc.",
    "fake_accuracy": "fake acc.",
    "auroc": "AUROC",
    "balanced_accuracy": "balanced acc.",
    "tpr_at_fpr_1": "TPR at FPR 1",
    "tpr_at_fpr_5": "TPR at FPR 5",
    "tpr_at_fpr_10": "TPR at FPR 10",
    "fpr_resolution": "FPR step",
    "equal_error_rate": "EER",
    "brier": "Brier",
    "expected_calibration_error": "ECE",
    "oracle_accuracy": "oracle",
    "calibrated_accuracy": "calibrated",
    "calibrated_tpr": "TPR",
    "calibrated_fpr": "FPR",
}
SPREAD = f"{CONFIDENCE:.0%}".replace("%", " %")

# A column that stands in none of these is shown with the operating points.
RESULTS = (
    *("num_real", "num_fake", "num_unreadable"),
    *("ap", "accuracy", "real_accuracy", "fake_accuracy", "auroc"),
)
CALIBRATED = ("calibrated_accuracy", "calibrated_tpr", "calibrated_fpr")


def model_tables(model: Model, name: str) -> list[Table]:
    """Results, accuracy by threshold, operating points; `name` (may be empty) goes before each."""
    rows = model.rows()
    unreadable = any(row["num_unreadable"] > 0 for row in rows)
    columns = [c for c in rows[0] if c != "num_unreadable" or unreadable]
    results = [c for column in RESULTS for c in (column, f"published_{column}") if c in columns]
    few_shot = [c for c in columns if c.startswith("few_shot_")]
    by_threshold = ["accuracy", *few_shot, *(c for c in CALIBRATED if c in columns)]
    by_threshold.append("oracle_accuracy")
    shown = {"testset", *results, *by_threshold}
    rest = [c for c in columns if c not in shown and not c.endswith(("_low", "_high"))]
    titled = f"{name}: " if name else ""
    return [
        _table(f"{titled}Results", results, rows, _results_note(model)),
        _table(f"{titled}Accuracy by threshold", by_threshold, rows, _threshold_note(model)),
        _table(f"{titled}Operating points and calibration", rest, rows, OPERATING_NOTE),
    ]


OPERATING_NOTE = (
    "TPR at FPR 1, 5, 10: share of fakes found where at most 1, 5, 10 % of the reals are called"
    " fake; the FPR of a set moves in steps of 1/real images (FPR step), so that a budget below"
    " one step allows none. EER: equal error rate. Brier score and ECE (expected calibration"
    f" error, {ECE_BINS} bins) judge the probability as it stands; 0 is best."
)


def _results_note(model: Model) -> str:
    resamples = model.about["bootstrap"]
    drawn = (
        f"{SPREAD}: bootstrap interval of {resamples} stratified resamples." if resamples else ""
    )
    return f"AP and AUROC rank by logit. {drawn}".strip()


def _threshold_note(model: Model) -> str:
    parts = ["Accuracy where the threshold is: probability 0.5 (acc.)"]
    if model.about["few_shot"]:
        parts.append(
            "learned from k real and k fake images of the set itself, the other images scored,"
            f" mean of {FEW_SHOT_DRAWS} draws (k shot)"
        )
    if found := model.about.get("calibration"):
        parts.append(
            f"learned on {found['calibrated_on']} by {found['rule']}: logit"
            f" {found['threshold']:.3f} (calibrated, with its TPR and FPR)"
        )
    parts.append("the best one on these very images, an upper bound out of reach (oracle)")
    return "; ".join(parts) + "."


def by_testset(models: Sequence[Model]) -> tuple[list[str], list[dict[str, Row]]]:
    """The test sets that any of `models` has scored, and for each model its rows by test set, the
    mean among them.
    """
    rows_of = [{row["testset"]: row for row in model.rows()} for model in models]
    names = dict.fromkeys(name for rows in rows_of for name in rows)
    return [name for name in names if name != MEAN], rows_of


def comparison_table(models: Sequence[Model], comparisons: dict[str, list[Row]]) -> Table:
    """AP of several models side by side, and the first's lead over each other."""
    headings = ["test set"]
    for model in models:
        headings += [f"{model.name} AP", SPREAD]
    for name in comparisons:
        headings += [f"{models[0].name} minus {name}", SPREAD]
    names, rows_of = by_testset(models)
    lead_of = [{row["testset"]: row for row in rows} for rows in comparisons.values()]
    cells = []
    for name in [*names, MEAN]:
        line = [name]
        for rows in rows_of:
            line += _with_interval(rows.get(name, {}), "ap")
        for leads in lead_of:
            line += _with_interval(leads.get(name, {}), "difference")
        cells.append(line)
    note = (
        "The interval of a difference is that of the paired bootstrap: both models on the same"
        " resamples. Where it excludes 0, the difference is more than the choice of images. Means"
        " of the single models are over their own sets, that of a difference over the shared ones."
    )
    return Table("Side by side", headings, cells, note)


def markdown(text: Table) -> str:
    """The table in Markdown."""
    return table(text.headings, text.cells)


def per_cent(value: Any, decimals: int = 2) -> str:  # noqa: ANN401
    """A fraction in per cent; a count as it is; nothing where it is undefined."""
    if isinstance(value, float):
        return "" if math.isnan(value) else f"{100 * value:.{decimals}f}"
    return str(value)


def _table(title: str, columns: Sequence[str], rows: Sequence[Row], note: str) -> Table:
    headings = [HEADINGS["testset"]]
    for column in columns:
        headings += [_heading(column), SPREAD] if f"{column}_low" in rows[0] else [_heading(column)]
    cells = []
    for row in rows:
        line = [row["testset"]]
        for column in columns:
            both = f"{column}_low" in row
            line += _with_interval(row, column) if both else [per_cent(row[column])]
        cells.append(line)
    return Table(title, headings, cells, note)


def _with_interval(row: Row, column: str) -> list[str]:
    value, low, high = (row.get(column + end, math.nan) for end in ("", "_low", "_high"))
    spread = "" if math.isnan(low) else f"{per_cent(low, 1)} to {per_cent(high, 1)}"
    return [per_cent(value), spread]


def _heading(column: str) -> str:
    ours = column.removeprefix("published_")
    if ours.startswith("few_shot_"):
        return f"{ours.split('_')[2]} shot"
    return ("published " if ours != column else "") + HEADINGS.get(ours, ours)
