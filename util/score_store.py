"""Scores that are kept, so that no image is scored twice with the same weights and protocol.

A cell is one test set in one variant (plain, or degraded): a CSV file as predictions.csv. It may
be incomplete: an interrupted run goes on with the images it lacks.
"""

from __future__ import annotations

import os
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from util.predictions import Scores, read_predictions, write_predictions

Logits = npt.NDArray[np.float64]  # (N, number of variants), NaN = not scored


def protocol_folder(
    results_dir: str,
    weights_sha256: str,
    arch: str,
    crop_size: int | None,
    precision: str,
    reencode: str = "",
) -> str:
    """Where the cells of these weights under this protocol lie, below every run's results."""
    protocol = f"{arch}-{crop_size or 'whole'}-{precision}"
    protocol += f"-{reencode.replace(':', '_')}" if reencode else ""
    return os.path.join(results_dir, ".scores", f"{weights_sha256[:16]}-{protocol}")


def read_cells(folder: str, paths: Sequence[str], variants: Sequence[str]) -> Logits:
    """The logits that are kept in `folder` for images `paths`."""
    logits = np.full((len(paths), len(variants)), np.nan)
    for column, variant in enumerate(variants):
        file = os.path.join(folder, f"{variant}.csv")
        if os.path.exists(file):
            (kept,) = read_predictions(file).values()
            logit_of = dict(zip(kept.paths, kept.logits, strict=True))
            logits[:, column] = [logit_of.get(path, np.nan) for path in paths]
    return logits


def write_cells(
    folder: str,
    testset: str,
    paths: Sequence[str],
    labels: npt.NDArray[np.uint8],
    logits: Logits,
    variants: Sequence[str],
) -> None:
    """Keep the logits that are there, one file per variant."""
    for column, variant in enumerate(variants):
        scored = np.flatnonzero(~np.isnan(logits[:, column])).tolist()
        if scored:
            kept = Scores([paths[i] for i in scored], labels[scored], logits[scored, column])
            write_predictions(os.path.join(folder, f"{variant}.csv"), {testset: kept})
