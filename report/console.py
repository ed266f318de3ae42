"""What eval.py prints beside the table: a line as a test set is scored, and short tables."""

from __future__ import annotations

import os
import shlex
from collections.abc import Sequence

from evaluation.evaluation import Evaluation
from evaluation.measure import Measured
from evaluation.rows import Degraded
from report.tables import per_cent
from util.markdown import table


def testset_line(measured: Measured) -> str:
    """Return AP and accuracy of a test set that has just been scored."""
    ap = per_cent(measured.metrics["ap"].value) or "undefined"
    accuracy = per_cent(measured.metrics["accuracy"].value)
    return f"{measured.name}: AP {ap}, accuracy {accuracy}"


def robustness_table(degraded: Sequence[Degraded]) -> str:
    """Return AP in per cent: a line per test set, a column per degradation and level."""
    columns = list(dict.fromkeys(f"{its.degradation} {its.level}" for its in degraded))
    lines: dict[str, dict[str, str]] = {}
    for its in degraded:
        ap = per_cent(its.metrics["ap"].value, 1)
        lines.setdefault(its.testset, {})[f"{its.degradation} {its.level}"] = ap
    cells = [[name, *(its.get(column, "") for column in columns)] for name, its in lines.items()]
    return table(["AP under", *columns], cells)


def calibration_table(evaluation: Evaluation, folder: str) -> str:
    """Return what the learned threshold does in each test set, and the command that uses it;
    nothing where none was learned.
    """
    calibration = evaluation.measuring.calibration
    if not calibration:
        return ""
    metrics = ("calibrated_accuracy", "calibrated_tpr", "calibrated_fpr")
    cells = [
        [line.name, *(per_cent(line.metrics[metric].value) for metric in metrics)]
        for line in evaluation.lines()
    ]
    file = os.path.join(folder, "threshold.json")
    weights = evaluation.provenance.weights or "WEIGHTS.pth"
    command = ["python", "predict.py", "--model_path", weights, "--threshold", file]
    size = calibration.crop_size
    command += ["--cropSize", str(size)] if size else ["--no_crop"]
    return (
        f"threshold: logit {calibration.threshold:.4f}, learned on {calibration.calibrated_on} by"
        f" {calibration.rule} ({calibration.num_real} real and {calibration.num_fake} fake images)"
        f"\n\n{table(['test set', 'accuracy', 'TPR', 'FPR'], cells)}\n\n"
        f"{file}: for\n  {shlex.join(command)} PATH..."
    )
