"""What eval.py prints beside the table: a line as a test set is scored, and short tables."""

from __future__ import annotations

import shlex
from collections.abc import Sequence

from evaluation.evaluation import Evaluation
from evaluation.rows import Degraded
from options.names import DETECTORS
from report.results_folder import own_file
from report.tables import per_cent
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
    origin = evaluation.provenance
    weights = origin.weights or "WEIGHTS.pth"
    which = ["--model_path", weights]
    if origin.arch in DETECTORS:
        which = ["--detector", f"{origin.arch}:{weights}"]
    command = ["python", "predict.py", *which, "--threshold", file]
    size = calibration.crop_size
    command += ["--cropSize", str(size)] if size else ["--no_crop"]
    named = f"{model}: " if model else ""
    return (
        f"{named}threshold: logit {calibration.threshold:.4f}, learned on"
        f" {calibration.calibrated_on} by {calibration.rule} ({calibration.num_real} real and"
        f" {calibration.num_fake} fake images)"
        f"\n\n{table(['test set', 'accuracy', 'TPR', 'FPR'], cells)}\n\n"
        f"{file}: for\n  {shlex.join(command)} PATH..."
    )
