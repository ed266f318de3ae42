"""What eval.py prints beside the table: a line as a test set is scored, and short tables."""

from __future__ import annotations

import os
import shlex
from collections.abc import Sequence

from evaluation.model import Model
from evaluation.rows import Row
from evaluation.thresholds import Calibration
from report.tables import per_cent
from util.markdown import table


def one_row(model: Model, name: str) -> str:
    """Return AP and accuracy of a test set that has just been scored, in a line."""
    row = model.measured[name].row
    ap = per_cent(row["ap"]) or "undefined"
    return f"{name}: AP {ap}, accuracy {per_cent(row['accuracy'])}"


def robustness_told(rows: Sequence[Row]) -> str:
    """Return a table of AP in per cent: a line per test set, a column per degradation and level."""
    columns = list(dict.fromkeys(f"{row['degradation']} {row['level']}" for row in rows))
    lines: dict[str, dict[str, str]] = {}
    for row in rows:
        column = f"{row['degradation']} {row['level']}"
        lines.setdefault(row["testset"], {})[column] = per_cent(row["ap"], 1)
    cells = [[name, *(its.get(column, "") for column in columns)] for name, its in lines.items()]
    return table(["AP under", *columns], cells)


def calibration_told(model: Model, calibration: Calibration, folder: str) -> str:
    """Return what the learned threshold does in each test set, and the command that uses it."""
    columns = ("calibrated_accuracy", "calibrated_tpr", "calibrated_fpr")
    cells = [
        [row["testset"], *(per_cent(row[column]) for column in columns)] for row in model.rows()
    ]
    file = os.path.join(folder, "threshold.json")
    command = ["python", "predict.py", "--model_path", model.about.get("weights", "WEIGHTS.pth")]
    size = calibration.crop_size
    command += ["--threshold", file, *(["--cropSize", str(size)] if size else ["--no_crop"])]
    return (
        f"threshold: logit {calibration.threshold:.4f}, learned on {calibration.calibrated_on} by"
        f" {calibration.rule} ({calibration.num_real} real and {calibration.num_fake} fake images)"
        f"\n\n{table(['test set', 'accuracy', 'TPR', 'FPR'], cells)}\n\n"
        f"{file}: for\n  {shlex.join(command)} PATH..."
    )
