"""One model's scores and figures: what all of the report is made from."""

from __future__ import annotations

import dataclasses
import json
import math
import os
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from data.samples import Samples
from data.testsets import PAPER_ELEVEN, benchmark_note
from evaluation.predictions import Scores
from evaluation.protocol import ScoringProtocol
from evaluation.rows import MEAN, Measured, Row, with_mean
from util.errors import UsageError
from util.files import sha256

METRICS = "metrics.json"
About = dict[str, Any]  # which weights, which protocol: what metrics.json begins with


class Model(NamedTuple):
    """The test sets, in the order of the tables, as one network scored them."""

    name: str
    about: About
    scores: dict[str, Scores]
    measured: dict[str, Measured]

    def rows(self) -> list[Row]:
        """A row per test set, and the mean."""
        return with_mean(list(self.measured.values()), PAPER_ELEVEN)

    def scored(self) -> dict[str, tuple[Scores, Measured]]:
        """Scores and figures by test set."""
        return {name: (self.scores[name], self.measured[name]) for name in self.scores}


def describe(
    weights: str,
    arch: str,
    protocol: ScoringProtocol,
    dataroot: str,
    testsets: Mapping[str, Samples],
) -> About:
    """Return what a table says of how its scores came to be; of `weights` (a path) also the hash.

    Raises UsageError for a test set called as the mean is.
    """
    return {
        "weights": weights,
        "weights_sha256": sha256(weights),
        "arch": arch,
        **protocol.about(),
        "dataroot": dataroot,
        "roots": {name: samples.root for name, samples in testsets.items()},
        "benchmark": benchmark_note(dataroot),
        "partial": [],  # test sets that were there and left out
        "unreadable": {},  # test set -> path -> reason
        "padded": {},  # test set -> number of images smaller than the crop
        "seen_in_training": {},  # test set -> [images of the training data, images looked up]
    }


def protocol_of(about: Mapping[str, Any]) -> ScoringProtocol:
    """Return the protocol that metrics.json tells of; of unknown scores, the usual one."""
    names = [field.name for field in dataclasses.fields(ScoringProtocol) if field.name in about]
    return ScoringProtocol(**{name: about[name] for name in names})


def refuse_reserved(testsets: Iterable[str]) -> None:
    """Raise UsageError for a test set that could not be told from the row of the mean."""
    if MEAN in testsets:
        raise UsageError(
            f"a test set cannot be called {MEAN!r}: the row of the mean is; rename its folder"
        )


def model_names(paths: Sequence[str]) -> list[str]:
    """What to call the models of predictions files: by folder, made different where equal."""
    names: list[str] = []
    for path in map(os.path.abspath, paths):
        folder, file = os.path.split(path)
        own = os.path.splitext(file)[0]
        name = os.path.basename(folder) if own == "predictions" else own
        same = sum(other == name or other.startswith(f"{name} (") for other in names)
        names.append(f"{name} ({same + 1})" if same else name)
    return names


def refuse_other_labels(models: Sequence[Model], new: Model) -> None:
    """Raise UsageError where `new` and one of `models` call one image real and fake."""
    for model in models:
        for name in set(model.scores) & set(new.scores):
            known = dict(zip(*model.scores[name][:2], strict=True))
            for path, label in zip(*new.scores[name][:2], strict=True):
                if known.get(path, label) != label:
                    raise UsageError(
                        f"--predictions: {name}/{path} is real in one file and fake in another"
                        f" ({model.name}, {new.name})"
                    )


def caption(about: Mapping[str, Any], scored: Collection[str]) -> str:
    """What a reader must know to read the table: which weights, which protocol, which mean."""
    parts = []
    if about.get("benchmark"):
        parts.append(f"**{about['benchmark']}**")
    if left_out := about.get("partial"):
        every = len(scored) + len(left_out)
        parts.append(f"**Partial: {len(scored)} of the {every} test sets that are there.**")
    if "weights" in about:
        parts.append(
            f"{about['arch']}, weights {about['weights']} (SHA-256 {about['weights_sha256'][:12]}),"
            f" {protocol_of(about).describe()}."
        )
    else:
        parts.append(f"From {about['predictions']}.")
    of_eleven = sum(name in PAPER_ELEVEN for name in scored)
    mean = f"{of_eleven} of the paper's 11" if of_eleven else f"all {len(scored)}"
    parts.append(f"In per cent; accuracy at probability 0.5; mean over {mean} test sets.")
    return " ".join(parts)


def metrics_of(model: Model) -> dict[str, Any]:
    """What metrics.json holds of a model: `about`, the figures of each test set, their mean."""
    rows = model.rows()
    figures = [{c: _defined(row[c]) for c in row if c != "testset"} for row in rows]
    testsets = {row["testset"]: own for row, own in zip(rows[:-1], figures, strict=False)}
    return {**model.about, "testsets": testsets, "mean": figures[-1]}


def read_metrics(folder: str) -> dict[str, Any]:
    """Return what an earlier evaluation's metrics.json holds; empty where there is none.

    Raises UsageError where the file is no such file.
    """
    path = os.path.join(folder, METRICS)
    if not os.path.isfile(path):
        return {}
    try:
        with open(path, encoding="utf-8") as file:
            metrics = json.load(file)
        if not isinstance(metrics, dict) or not {"testsets", "models"} & set(metrics):
            raise ValueError("it holds no test sets")
    except (OSError, ValueError) as error:
        raise UsageError(
            f"{path}: not the metrics.json of an evaluation ({error}); move it away"
        ) from error
    return metrics


def read_about(predictions: str) -> About:
    """Return what the metrics.json beside a predictions file says of how its scores came to be;
    empty where nothing does.
    """
    folder, file = os.path.split(os.path.abspath(predictions))
    metrics = read_metrics(folder)
    metrics = metrics.get("models", {}).get(os.path.splitext(file)[0], metrics)
    no_about = ("testsets", "mean", "warnings", "models")
    return {key: value for key, value in metrics.items() if key not in no_about}


def _defined(value: Any) -> Any:  # noqa: ANN401
    return None if isinstance(value, float) and math.isnan(value) else value
