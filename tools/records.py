"""What training runs and evaluations have left in their folders, as far as it can be read."""

from __future__ import annotations

import csv
import json
import math
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from options.train_options import TrainOptions
from util.files import open_csv, sha256
from util.progress import progress
from util.run_lock import at_work

CHECKPOINTS = "model_epoch_*.pth"
OWN_FILES = ("options.json", "run.json", "history.csv", CHECKPOINTS)  # any of them makes a run
USUAL = ("model_epoch_best.pth", "model_epoch_latest.pth")  # what is evaluated, mostly
DAMAGED = (OSError, ValueError, TypeError, AttributeError, KeyError, csv.Error)


class Run(NamedTuple):
    """A run's folder. What is lost or damaged is empty, and said in `problems`."""

    name: str
    folder: Path
    options: dict[str, Any]  # of options.json
    history: list[dict[str, float]]  # of history.csv: a row per epoch, NaN where it is empty
    state: str
    problems: list[str]

    def best(self) -> dict[str, float]:
        """Return the epoch with the highest validation accuracy; empty where there is none."""
        rows = [row for row in self.history if row.get("val_accuracy", math.nan) >= 0]
        return max(rows, key=lambda row: row["val_accuracy"], default={})

    def last(self, column: str) -> int:
        """Return a count of the last epoch; 0 where there is none."""
        value = self.history[-1].get(column, math.nan) if self.history else 0.0
        return 0 if math.isnan(value) else int(value)


class Evaluated(NamedTuple):
    """One model's results in a folder of eval.py, or of the comparison after fine-tuning."""

    place: str  # the folder, and the model's name where there are several
    weights: str  # path of the file
    sha256: str
    crop: str  # side of the centre crop, in pixels, or whole
    mean: float  # average precision, fractions; NaN: undefined
    ap: dict[str, float]  # by test set


def read_runs(checkpoints_dir: str) -> list[Run]:
    """Return the runs in a folder, by name."""
    folders = sorted(path for path in Path(checkpoints_dir).iterdir() if path.is_dir())
    return [read_run(path) for path in folders if any(map(any, map(path.glob, OWN_FILES)))]


def read_run(folder: Path) -> Run:
    """Return what a run's folder holds."""
    problems: list[str] = []
    options = _json(folder / "options.json", problems)
    for name in [name for name, value in options.items() if not _fits(name, value)]:
        problems.append(f"{folder / 'options.json'}: damaged ({name} is {options.pop(name)!r})")
    about = _json(folder / "run.json", problems)
    history: list[dict[str, float]] = []
    try:
        with open_csv(str(folder / "history.csv")) as file:
            history = [
                {name: float(value or math.nan) for name, value in row.items() if name}
                for row in csv.DictReader(file)
            ]
    except FileNotFoundError:  # killed before its first epoch ended
        pass
    except DAMAGED as error:
        problems.append(f"{folder / 'history.csv'}: {_reason(error)}")
    state = "finished" if "ended" in about else "stopped"
    if who := at_work(str(folder)):
        state = f"running ({who})"
    return Run(folder.name, folder, options, history, state, problems)


def read_results(results_dir: str, runs: Sequence[Run]) -> tuple[list[Evaluated], list[str]]:
    """Return all evaluations below `results_dir`, up to two folders deep, and those after
    fine-tuning in the runs' folders; and what is wrong with any.
    """
    top = Path(results_dir)
    found: list[Evaluated] = []
    problems: list[str] = []
    paths = {*top.glob("*/metrics.json"), *top.glob("*/*/metrics.json")}
    paths |= {run.folder / "before_after" / "metrics.json" for run in runs}
    for path in sorted(path for path in paths if path.is_file()):
        metrics = _json(path, problems)
        try:
            found += list(_models(path.parent, metrics))
        except DAMAGED as error:
            problems.append(f"{path}: {_reason(error)}")
    return found, problems


def _models(folder: Path, metrics: Mapping[str, Any]) -> Iterator[Evaluated]:
    for name, its in metrics.get("models", {"": metrics}).items():
        if its.get("weights_sha256"):  # else nobody knows whose scores they are
            yield Evaluated(
                f"{folder} ({name})" if name else str(folder),
                str(its.get("weights", "")),
                str(its["weights_sha256"]),
                str(its.get("crop_size") or "whole"),
                _number(its["mean"].get("ap")),
                {testset: _number(row.get("ap")) for testset, row in its["testsets"].items()},
            )


def match(
    runs: Sequence[Run], results: Iterable[Evaluated]
) -> dict[str, list[tuple[str, Evaluated]]]:
    """Return, by name of the run, the results of its checkpoints, each with the checkpoint's file:
    those whose weights have its SHA-256. Files are hashed only if any results could be theirs.
    """
    by_hash: dict[str, list[Evaluated]] = {}
    for its in results:
        by_hash.setdefault(its.sha256, []).append(its)
    named = {os.path.basename(its.weights) for several in by_hash.values() for its in several}
    files = [
        (run.name, path)
        for run in runs
        for path in sorted(run.folder.glob(CHECKPOINTS))
        if by_hash and (path.name in USUAL or path.name in named)
    ]
    found: dict[str, list[tuple[str, Evaluated]]] = {run.name: [] for run in runs}
    seen: set[tuple[str, str]] = set()
    for name, path in progress(files, "hashing checkpoints", unit="file", delay=1):
        digest = sha256(str(path))
        if (name, digest) not in seen:  # the best is often the latest
            found[name] += [(path.name, its) for its in by_hash.get(digest, [])]
        seen.add((name, digest))
    return found


def _json(path: Path, problems: list[str]) -> dict[str, Any]:
    try:
        found = json.loads(path.read_bytes())
        if not isinstance(found, dict):
            raise ValueError("holds no JSON object")
    except (OSError, ValueError, RecursionError) as error:
        problems.append(f"{path}: {_reason(error)}")
        return {}
    return found


def _fits(name: str, value: object) -> bool:
    """Return whether it is a plain value, and a list where the option is one of several values."""
    known = vars(TrainOptions())
    if name in known and isinstance(known[name], tuple) != isinstance(value, list):
        return False
    plain = (str, int, float, type(None))
    return all(isinstance(each, plain) for each in (value if isinstance(value, list) else [value]))


def _reason(error: Exception) -> str:
    if isinstance(error, FileNotFoundError):
        return "lost"
    return (isinstance(error, OSError) and error.strerror) or f"damaged ({error})"


def _number(value: Any) -> float:  # noqa: ANN401
    return math.nan if value is None else float(value)
