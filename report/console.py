"""What eval.py prints beside the table: a line as a test set is scored, and short tables."""

from __future__ import annotations

import os
from collections.abc import Sequence

from evaluation.evaluation import Evaluation
from evaluation.rows import Degraded
from options.names import DETECTORS
from report.results_folder import own_file
from report.tables import per_cent
from util.console import as_typed
from util.markdown import table


def testset_line(evaluation: Evaluation, testset: str, with_model: bool) -> str:
    """Return AP and accuracy of a test set that has just been scored."""
    metrics = evaluation.measured[testset].metrics
    ap, accuracy = per_cent(metrics["ap"].value) or "undefined", per_cent(metrics["accuracy"].value)
    model = f"{evaluation.name}, " if with_model else ""
    return f"{model}{testset}: AP {ap}, accuracy {accuracy}"


def robustness_table(degraded: Sequence[Degraded], model: str = "") -> str:
    """Return AP in per cent: a line per test set, a column per degradation and level. `model` goes
    before it, where there are several.
    """
    columns = list(dict.fromkeys(f"{its.degradation} {its.level}" for its in degraded))
    lines: dict[str, dict[str, str]] = {}
    for its in degraded:
        ap = per_cent(its.metrics["ap"].value, 1)
        lines.setdefault(its.testset, {})[f"{its.degradation} {its.level}"] = ap
    cells = [[name, *(its.get(column, "") for column in columns)] for name, its in lines.items()]
    return table([f"{model} AP under".strip(), *columns], cells)


def calibration_table(evaluation: Evaluation, folder: str, model: str = "") -> str:
    """Return what the learned threshold does in each test set, and the command that uses it;
    nothing where none was learned. `model` is its name where there are several.
    """
    calibration = evaluation.measuring.calibration
    if not calibration:
        return ""
    metrics = ("calibrated_accuracy", "calibrated_tpr", "calibrated_fpr")
    cells = [
        [line.name, *(per_cent(line.metrics[metric].value) for metric in metrics)]
        for line in evaluation.lines()
    ]
    file = own_file(folder, model, "threshold.json")
    command = as_typed("predict.py", *_scoring(evaluation, file))
    named = f"{model}: " if model else ""
    return (
        f"{named}threshold: logit {calibration.threshold:.4f}, learned on"
        f" {calibration.calibrated_on} by {calibration.rule} ({calibration.num_real} real and"
        f" {calibration.num_fake} fake images)"
        f"\n\n{table(['test set', 'accuracy', 'TPR', 'FPR'], cells)}\n\n"
        f"{file}: for\n  {command} PATH..."
    )


def next_step(evaluations: Sequence[Evaluation], folder: str) -> str:
    """Return what to do when `folder` holds the report: score images with the detector or, where
    there are several or it is not known, look.
    """
    first = evaluations[0]
    if len(evaluations) > 1 or not os.path.isfile(first.provenance.weights):
        return f"open {os.path.join(folder, 'report.html')} in a browser"
    file = own_file(folder, "", "threshold.json") if first.measuring.calibration else ""
    return as_typed("predict.py", *_scoring(first, file), "FOLDER_OF_IMAGES")


def _scoring(evaluation: Evaluation, threshold: str) -> list[str]:
    """Return options of predict.py: the detector and, if any, the file of its threshold."""
    origin, calibration = evaluation.provenance, evaluation.measuring.calibration
    weights = origin.weights or "WEIGHTS.pth"
    which = ["--model_path", weights]
    if origin.arch in DETECTORS:
        which = ["--detector", f"{origin.arch}:{weights}"]
    if not threshold or not calibration:
        return which
    size = calibration.crop_size
    crop = ["--cropSize", str(size)] if size else ["--no_crop"]
    return [*which, "--threshold", threshold, *crop]
