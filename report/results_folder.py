"""The folder of an evaluation's results: what it is called, and what may take its place."""

from __future__ import annotations

import os
import re
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from evaluation.evaluation import Evaluation
from evaluation.metrics_file import METRICS_FILE, read_metrics
from options.detector_source import distinct_name
from util.errors import UsageError
from util.files import atomic_folder

OWN_FILES = ("predictions.csv", "aligned.csv", "robustness.csv", "threshold.json")  # of each model
FILES = (
    *("table.csv", "table.md", "table.tex", "comparison.csv", METRICS_FILE, "report.html"),
    *OWN_FILES,
)
IDENTITY = (
    *("weights_sha256", "arch", "predictions"),
    *("crop_size", "crops", "resize", "interpolation", "precision", "reencode"),
)
ON_REQUEST = {
    "robustness.csv": "--robustness",
    "threshold.json": "--calibrate_on",
    "aligned.csv": "--aligned",
}


def model_names(paths: Sequence[str]) -> list[str]:
    """Return names for the models of predictions files: by folder, made different where equal."""
    names: list[str] = []
    for path in map(os.path.abspath, paths):
        folder, file = os.path.split(path)
        own = os.path.splitext(file)[0]
        name = os.path.basename(folder) if own == "predictions" else own
        name += " scores" if f"{name}.csv" in FILES else ""  # its own file is <name>.csv
        names.append(distinct_name(name, names))
    return names


def own_file(folder: str, model: str, file: str) -> str:
    """Return the path of one of OWN_FILES: under its name for a single model (""), else under the
    model's.
    """
    return os.path.join(folder, _own_name(model, file) if model else file)


def beside(predictions: str, file: str) -> str:
    """Return the path of another of OWN_FILES of the model that a predictions file is of."""
    folder, name = os.path.split(os.path.abspath(predictions))
    stem = os.path.splitext(name)[0]
    return own_file(folder, stem if name != OWN_FILES[0] else "", file)


def _own_name(model: str, file: str) -> str:
    return f"{model}.csv" if file == OWN_FILES[0] else f"{model}.{file}"


@contextmanager
def new_results(folder: str, models: Collection[str] = ()) -> Iterator[str]:
    """Yield a folder to write results into; when all of them are there it becomes `folder`.

    `models` are the names of those whose scores lie side by side in it.
    """
    with atomic_folder(folder, lambda path: is_ours(path, models)) as new:
        yield new


def is_ours(path: str, models: Collection[str] = ()) -> bool:
    """Return whether an evaluation writes a file of this name, relative to its folder."""
    is_figure = os.path.dirname(path) == "figures" and path.endswith((".png", ".pdf"))
    is_thumbnail = re.fullmatch(r"thumbnails/\d{6}\.(png|jpg)", path.replace(os.sep, "/"))
    return (
        path in FILES
        or is_figure
        or is_thumbnail is not None
        or path in {_own_name(name, file) for name in models for file in OWN_FILES}
    )


def refuse_other_results(
    folder: str,
    evaluations: Collection[Evaluation],
    testsets: Collection[str],
    *,
    with_threshold: bool,
) -> None:
    """Raise UsageError where `folder` holds anything that the new results would not hold as well:
    scores of other weights, another protocol, other images or further test sets, or files that
    are made on request and not now.

    `testsets` are those that the new results will have, `with_threshold`: and threshold.json.
    """
    there = [name for name in FILES if os.path.exists(os.path.join(folder, name))]
    if os.path.exists(folder) and not os.path.isdir(folder):
        raise UsageError(f"{folder}: is no folder; give another --name or --results_dir")
    if not there:
        return
    reason = "files of unknown origin"
    if METRICS_FILE in there:
        reason = _difference(folder, evaluations, testsets)
    made = {
        "robustness.csv": any(each.provenance.levels or each.degraded for each in evaluations),
        "threshold.json": with_threshold,
        "aligned.csv": any(each.provenance.aligned for each in evaluations),
    }
    several = [each.name for each in evaluations] if len(evaluations) > 1 else [""]
    lost = [
        name
        for name in ON_REQUEST
        if not made[name] and any(os.path.exists(own_file(folder, m, name)) for m in several)
    ]
    if lost and not reason:
        reason = f"{lost[0]}, which {ON_REQUEST[lost[0]]} would make again"
    if reason:
        raise UsageError(
            f"{folder}: holds {reason}; give another --name, or --overwrite to replace it"
        )


def _difference(folder: str, evaluations: Collection[Evaluation], testsets: Collection[str]) -> str:
    """Return, in words, what an earlier evaluation there has that the new one has not."""
    metrics = read_metrics(folder)
    names = [each.name if len(evaluations) > 1 else "" for each in evaluations]
    abouts = {n: each.provenance.to_json() for n, each in zip(names, evaluations, strict=True)}
    earlier = metrics.get("models") or {name: metrics for name in abouts if len(abouts) == 1}
    if set(earlier) != set(abouts):
        return "a comparison of other models"
    for name, about in abouts.items():
        old = earlier[name]
        for key in IDENTITY:
            if old.get(key) != about.get(key):
                return f"results of another {key} ({_shown(old, key)}, now {_shown(about, key)})"
        if lost := sorted(set(old.get("testsets", {})) - set(testsets)):
            return f"results of further test sets ({', '.join(lost)})"
        for testset, root in about.get("roots", {}).items():
            theirs = old.get("roots", {}).get(testset, root)
            if os.path.realpath(theirs) != os.path.realpath(root):
                return f"results of other images ({testset} in {theirs})"
        for degradation, levels in old.get("robustness", {}).items():
            if set(levels) - set(about.get("robustness", {}).get(degradation, ())):
                return f"further levels of {degradation}"
    return ""


def _shown(about: dict[str, Any], key: str) -> str:
    if key not in about:
        optional = ("crops", "resize", "interpolation", "reencode")
        return "none" if key in optional else "unknown"
    return "whole images" if about[key] is None else str(about[key])[:40]
