"""metrics.json: an evaluation for other programs, and what later evaluations are compared with."""

from __future__ import annotations

import dataclasses
import json
import math
import os
from collections.abc import Mapping, Sequence
from typing import Any

from evaluation.evaluation import Evaluation, Provenance
from evaluation.measure import MEAN
from options.cluster import cluster_rule
from util.errors import UsageError
from util.files import write_json

METRICS_FILE = "metrics.json"


def write_metrics(
    folder: str,
    evaluations: Sequence[Evaluation],
    warnings: Sequence[str],
    *,
    options: Mapping[str, Any],
) -> None:
    """Write metrics.json; of several models one below the other. `options` are those of the command
    that measured them, where they are known.
    """
    metrics = _content(evaluations[0])
    if len(evaluations) > 1:
        metrics = {"models": {each.name: _content(each) for each in evaluations}}
    metrics["warnings"] = list(warnings)
    metrics |= {"options": dict(options)} if options else {}
    write_json(os.path.join(folder, METRICS_FILE), metrics)


def read_metrics(folder: str) -> dict[str, Any]:
    """Return what an earlier evaluation's metrics.json holds; empty where there is none.

    Raises UsageError where the file is no such file.
    """
    path = os.path.join(folder, METRICS_FILE)
    if not os.path.isfile(path):
        return {}
    try:
        with open(path, encoding="utf-8") as file:
            metrics = json.load(file)
        if not isinstance(metrics, dict) or not {"testsets", "models"} & set(metrics):
            raise ValueError("it holds no test sets")
        models = metrics.get("models", {})
        if not isinstance(models, dict):
            raise ValueError("its models have no names")
        for head in (metrics, *models.values()):
            Provenance.from_json(head)
    except (OSError, ValueError, TypeError, AttributeError) as error:
        raise UsageError(
            f"{path}: not the metrics.json of an evaluation ({error}); move it away"
        ) from error
    return metrics


def read_provenance(predictions: str) -> Provenance:
    """Return what the metrics.json beside a predictions file says of how its scores came to be;
    that they come from this file, where nothing does.
    """
    metrics = _beside(predictions)
    return Provenance.from_json(metrics) if metrics else Provenance(predictions=predictions)


def read_cluster(predictions: str) -> str | None:
    """Return the rule by which the same file says that images belong together, "" for none; None
    where it says nothing. Raises UsageError where it is no rule.
    """
    rule = _beside(predictions).get("cluster")
    if rule is not None and (not isinstance(rule, str) or cluster_rule(rule)):
        raise UsageError(f"{predictions}: the metrics.json beside it has cluster {rule!r}")
    return rule


def _beside(predictions: str) -> dict[str, Any]:
    folder, file = os.path.split(os.path.abspath(predictions))
    metrics = read_metrics(folder)
    its: dict[str, Any] = metrics.get("models", {}).get(os.path.splitext(file)[0], metrics)
    return its


def _content(evaluation: Evaluation) -> dict[str, Any]:
    measuring = evaluation.measuring
    calibration = measuring.calibration
    rows = evaluation.rows()
    values = {row["testset"]: {c: _defined(row[c]) for c in row if c != "testset"} for row in rows}
    clusters = {name: its.num_clusters for name, its in evaluation.measured.items()}
    pooled = {its.name: values[its.name] for its in evaluation.pooled(evaluation.scores)}
    return {
        **evaluation.provenance.to_json(),
        "bootstrap": measuring.bootstrap,
        "cluster": measuring.clusters.rule,
        **({"clusters": clusters} if measuring.clusters.rule else {}),
        "few_shot": list(measuring.few_shot),
        "calibration": dataclasses.asdict(calibration) if calibration else None,
        "testsets": {name: values[name] for name in evaluation.measured},
        **({"pooled": pooled} if pooled else {}),
        "mean": values[MEAN],
    }


def _defined(value: Any) -> Any:  # noqa: ANN401
    return None if isinstance(value, float) and math.isnan(value) else value
