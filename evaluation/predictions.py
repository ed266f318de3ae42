"""predictions.csv: one row per image, from which everything else can be measured again."""

from __future__ import annotations

import csv
import itertools
import math
import operator
import os
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from scipy.special import expit

from options.cluster import OWN_COLUMNS as COLUMNS
from util.errors import UsageError
from util.files import atomic_write, csv_writer, open_csv, wrong_separator

Labels = npt.NDArray[np.integer]  # (N,), 0 = real, 1 = fake
Logits = npt.NDArray[np.floating]  # (N,), above 0 = called fake


class Scores(NamedTuple):
    """One test set's images, sorted by path."""

    paths: list[str]  # relative to the test set, "/" between parts
    labels: npt.NDArray[np.uint8]  # (N,), 0 = real, 1 = fake
    logits: npt.NDArray[np.float64]  # (N,)
    clusters: Sequence[str | None] = ()  # (N,), None: none; or empty, where nobody asked


def probability(logit: float) -> float:
    """Return the sigmoid of `logit`."""
    return float(expit(logit))


def as_written(logit: float) -> float:
    """Return the logit as predictions.csv will give it back, to the bit."""
    return float(f"{logit:.9g}")


def write_predictions(path: str, scores: Mapping[str, Scores], column: str = "") -> None:
    """Write all test sets' scores, sorted by test set, then path; logits with 9 digits. Clusters go
    to `column`, where it has a name.
    """
    with atomic_write(path) as file:
        writer = csv_writer(file)
        writer.writerow([*COLUMNS, *([column] if column else [])])
        for testset in sorted(scores):
            rows = _rows(testset, scores[testset])
            if column:
                rows = map(operator.add, rows, ((name,) for name in scores[testset].clusters))
            writer.writerows(rows)


def _rows(testset: str, scores: Scores) -> Iterable[tuple[Any, ...]]:
    for path, label, logit in zip(*scores[:3], strict=True):
        yield testset, path, int(label), f"{logit:.9g}", f"{probability(logit):.9g}"


def read_predictions(path: str, flag: str = "--predictions", column: str = "") -> dict[str, Scores]:
    """Read what `write_predictions` wrote, with any further columns passed over: but `column`,
    where it has a name, has the clusters.

    Raises UsageError that names the line and column of the first bad value; or `flag`, where there
    is no such file.
    """
    if not os.path.isfile(path):
        raise UsageError(f"{flag} {path}: no such file")
    try:
        rows = _read(path, column)
    except csv.Error as error:
        raise UsageError(f"{path}: is no CSV file ({error})") from error
    if not rows:
        raise UsageError(f"{path}: holds no rows")
    scores = {testset: _scores(path, testset, rows[testset]) for testset in rows}
    return scores if column else {k: its._replace(clusters=()) for k, its in scores.items()}


Line = tuple[str, int, float, str]  # path, label, logit, cluster


def _read(path: str, cluster: str) -> dict[str, list[Line]]:
    rows: dict[str, list[Line]] = {}
    with open_csv(path) as file:
        reader = csv.DictReader(file)
        if wrong := wrong_separator(reader.fieldnames or ()):
            raise UsageError(f"{path}: {wrong}")
        for column in COLUMNS[:4]:
            if column not in (reader.fieldnames or ()):
                raise UsageError(f"{path}, line 1: the column {column} is missing")
        if cluster and cluster not in (reader.fieldnames or ()):
            raise UsageError(f"--cluster column:{cluster}: is no column of {path}")
        for row in reader:
            where = f"{path}, line {reader.line_num}"
            testset, name = row["testset"], row["path"]
            if not testset or name is None:
                raise UsageError(f"{where}: the row is incomplete")
            if row["label"] not in ("0", "1"):
                raise UsageError(f"{where}: label is {row['label']!r}, not 0 or 1")
            line = (name, int(row["label"]), _logit(row, where), row.get(cluster) or "")
            rows.setdefault(testset, []).append(line)
    return rows


def _logit(row: dict[str, str], where: str) -> float:
    try:
        logit = float(row["logit"])
    except (TypeError, ValueError):
        logit = math.nan
    if not math.isfinite(logit):
        raise UsageError(f"{where}: logit is {row['logit']!r}, not a finite number")
    return logit


def _scores(file: str, testset: str, rows: list[Line]) -> Scores:
    paths, labels, logits, names = zip(*sorted(rows), strict=True)
    for path, following in itertools.pairwise(paths):
        if path == following:
            raise UsageError(f"{file}: the image {path} of {testset} is there twice")
    return Scores(
        list(paths),
        np.array(labels, np.uint8),
        np.array(logits, np.float64),
        [name or None for name in names],
    )


def pooled(
    scores: Mapping[str, Scores],
) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.float64]]:
    """Return labels and logits of all test sets together."""
    labels = np.concatenate([part.labels for part in scores.values()])
    return labels, np.concatenate([part.logits for part in scores.values()])


def pooled_once(scores: Mapping[str, Scores], roots: Mapping[str, str]) -> Scores:
    """Return the images of all test sets as those of one, each once: real images that several sets
    share are counted as one image.

    Paths are relative to the folders of the sets (`roots`; by default, one beside the other).
    """
    images: dict[str, tuple[int, float, str | None]] = {}
    for testset, its in scores.items():
        root = os.path.realpath(roots.get(testset, testset))  # what paths that climb begin at
        clusters = its.clusters or [None] * len(its.paths)
        for path, label, logit, cluster in zip(*its[:3], clusters, strict=True):
            image = (int(label), float(logit), cluster)
            images[os.path.normpath(os.path.join(root, path))] = image
    paths = sorted(images)
    labels, logits, names = zip(*(images[path] for path in paths), strict=True)
    asked = any(its.clusters for its in scores.values())
    return Scores(
        paths,
        np.array(labels, np.uint8),
        np.array(logits, np.float64),
        list(names) if asked else (),
    )
