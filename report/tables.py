"""The tables as they are read: which columns stand together, and how a figure is written."""

from __future__ import annotations

import math
from collections.abc import Sequence

from evaluation.evaluation import Evaluation
from evaluation.measure import RESAMPLED, Estimate, change_of
from evaluation.metrics import ECE_BINS
from evaluation.thresholds import FEW_SHOT_DRAWS
from report.captions import SPREAD, drawn
from report.page import Table
from util.markdown import table

COUNTS = {"num_real": "real", "num_fake": "fake", "num_unreadable": "unreadable"}
HEADINGS = {
    "ap": "AP",
    "accuracy": "acc.",
    "real_accuracy": "real acc.",
    "fake_accuracy": "fake acc.",
    "auroc": "AUROC",
    "balanced_accuracy": "balanced acc.",
    "tpr_at_fpr_1": "TPR at FPR 1",
    "tpr_at_fpr_5": "TPR at FPR 5",
    "tpr_at_fpr_10": "TPR at FPR 10",
    "equal_error_rate": "EER",
    "brier": "Brier",
    "expected_calibration_error": "ECE",
    "oracle_accuracy": "oracle",
    "calibrated_accuracy": "calibrated",
    "calibrated_tpr": "TPR",
    "calibrated_fpr": "FPR",
}

# A metric that stands in neither of these is shown with the operating points.
RESULTS = ("ap", "accuracy", "real_accuracy", "fake_accuracy", "auroc")
CALIBRATED = ("calibrated_accuracy", "calibrated_tpr", "calibrated_fpr")


def model_tables(evaluation: Evaluation, name: str) -> list[Table]:
    """Return results, accuracy by threshold, and operating points, in per cent.

    `name` (may be empty) goes before each title.
    """
    lines = evaluation.lines()
    metrics, published = list(lines[0].metrics), list(lines[0].published)
    results = [*RESULTS, *(m for m in published if m not in RESULTS)]
    few_shot = [m for m in metrics if m.startswith("few_shot_")]
    by_threshold = ["accuracy", *few_shot, *(m for m in CALIBRATED if m in metrics)]
    by_threshold.append("oracle_accuracy")
    rest = [m for m in metrics if m not in results and m not in by_threshold]
    titled = f"{name}: " if name else ""
    return [
        _table(
            f"{titled}Results", evaluation, results, note=_results_note(evaluation), counts=True
        ),
        _table(
            f"{titled}Accuracy by threshold",
            evaluation,
            by_threshold,
            note=_threshold_note(evaluation),
        ),
        _table(f"{titled}Operating points and calibration", evaluation, rest, note=OPERATING_NOTE),
        *([aligned_table(evaluation, name)] if evaluation.aligned else []),
    ]


OPERATING_NOTE = (
    "TPR at FPR 1, 5, 10: share of fakes found where at most 1, 5, 10 % of the reals are called"
    " fake; the FPR of a set moves in steps of 1/real images, so that a budget below one step"
    " allows none. EER: equal error rate. Brier score and ECE (expected calibration"
    f" error, {ECE_BINS} bins) judge the probability as it stands; 0 is best."
)


def _results_note(evaluation: Evaluation) -> str:
    resamples = evaluation.measuring.bootstrap
    over = f" over {drawn(evaluation)}"
    if not evaluation.measuring.clusters.rule:
        over += ", as many real and fake as there are"
    interval = f"{SPREAD}: interval of {resamples} bootstrap resamples{over}." if resamples else ""
    return f"AP and AUROC rank by logit. {interval}".strip()


def _threshold_note(evaluation: Evaluation) -> str:
    parts = ["Accuracy where the threshold is: probability 0.5 (acc.)"]
    if evaluation.measuring.few_shot:
        parts.append(
            "learned from k real and k fake images of the set itself, the other images scored,"
            f" mean of {FEW_SHOT_DRAWS} draws (k shot)"
        )
    if found := evaluation.measuring.calibration:
        parts.append(
            f"learned on {found.calibrated_on} by {found.rule}: logit {found.threshold:.3f}"
            " (calibrated, with its TPR and FPR)"
        )
    parts.append("the best one on these very images, an upper bound out of reach (oracle)")
    return "; ".join(parts) + "."


def markdown(text: Table) -> str:
    """Return the table in Markdown."""
    return table(text.headings, text.cells)


def per_cent(fraction: float, decimals: int = 2) -> str:
    """Return a fraction in per cent; nothing where it is undefined."""
    return "" if math.isnan(fraction) else f"{100 * fraction:.{decimals}f}"


def with_interval(estimate: Estimate) -> list[str]:
    """Return the cells of a value and its interval, in per cent."""
    value, low, high = estimate
    spread = "" if math.isnan(low) else f"{per_cent(low, 1)} to {per_cent(high, 1)}"
    return [per_cent(value), spread]


def aligned_table(evaluation: Evaluation, name: str) -> Table:
    """Return the metrics of images as they are beside those of the same images re-encoded."""
    plain, aligned = evaluation.lines(), evaluation.aligned_lines()
    metrics = ("ap", "accuracy", "auroc")
    headings = ["test set"]
    for metric in metrics:
        headings += [HEADINGS[metric], f"{HEADINGS[metric]}, aligned"]
        headings += ["change", SPREAD] if metric == "ap" else []
    cells = []
    for as_is, its in zip(plain, aligned, strict=True):
        row = [as_is.name]
        for metric in metrics:
            row += [per_cent(line.metrics[metric].value) for line in (as_is, its)]
            row += with_interval(change_of(as_is, its)) if metric == "ap" else []
        cells.append(row)
    note = (
        f"Aligned: all images, real and fake, re-encoded as {evaluation.provenance.aligned} first."
        " A change whose interval (paired bootstrap) lies below 0 is what the detector owes to the"
        " formats of the files."
    )
    titled = f"{name}: " if name else ""
    return Table(f"{titled}As they are against re-encoded", headings, cells, note)


def _table(
    title: str, evaluation: Evaluation, metrics: Sequence[str], *, note: str, counts: bool = False
) -> Table:
    """Return a row per test set, and the mean: each metric with its interval, where it has one.

    With `counts` the images come before them, and published values beside ours.
    """
    lines = evaluation.lines()
    intervals = RESAMPLED if evaluation.measuring.bootstrap else ()
    shown = list(COUNTS)[: 3 if any(line.num_unreadable for line in lines) else 2]
    headings = ["test set", *(COUNTS[field] for field in shown if counts)]
    for metric in metrics:
        if metric in lines[0].metrics:
            headings += [heading(metric), *([SPREAD] if metric in intervals else [])]
        if counts and metric in lines[0].published:
            headings.append(f"published {heading(metric)}")
    cells = []
    for line in lines:
        row = [line.name, *(_count(getattr(line, field)) for field in shown if counts)]
        for metric in metrics:
            if metric in line.metrics:
                row += with_interval(line.metrics[metric])[: 2 if metric in intervals else 1]
            if counts and metric in line.published:
                row.append(per_cent(line.published[metric]))
        cells.append(row)
    return Table(title, headings, cells, note)


def _count(number: int | None) -> str:
    return "" if number is None else str(number)


def heading(metric: str) -> str:
    """Return what stands above a metric's column."""
    if metric.startswith("few_shot_"):
        return f"{metric.split('_')[2]} shot"
    return HEADINGS.get(metric, metric)
