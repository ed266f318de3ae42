"""Send an evaluation to trackers: the figures of each test set, all predictions, the wrong ones."""

from __future__ import annotations

import glob
import os
import secrets
from collections.abc import Sequence
from typing import Any

import numpy as np

from data.images import UnreadableImage, open_image
from evaluation.evaluation import Evaluation
from evaluation.predictions import Scores, probability
from evaluation.protocol import ScoringProtocol
from options.eval_options import EvalOptions
from report.pictures import applied, encoded, shrunk
from report.thumbnails import roots_of
from util.console import note
from util.errors import one_line
from util.progress import progress
from util.trackers.together import Trackers
from util.trackers.tracker import Cell, Picture, Run, Table, plain_values

SIDE = 128  # pixels of a picture's long side, at most
BARS = ("ap", "accuracy")  # what is shown as a bar for each test set
COLUMNS = ("picture", "path", "label", "verdict", "wrong", "probability", "logit")
FILES = ("report.html", "thumbnails", "table.csv", "metrics.json")
WORDS = ("real", "fake")


def send_report(
    options: EvalOptions,
    folder: str,
    evaluations: Sequence[Evaluation],
    *,
    dataroot: str,
    number: int,
) -> None:
    """Show evaluations, whose results lie in `folder`, in the trackers that are asked for: a run
    for each model, with the bars of its performance, a table of all predictions on each test set,
    and one of those that are wrong at the model's threshold.

    A table begins with the most wrong. The first `number` of a test set have pictures of what the
    network saw, from `dataroot` or from where the scores say that they come from.
    """
    for each in evaluations:
        trackers = Trackers(_runs(options, folder, each, several=len(evaluations) > 1))
        if trackers.working:
            _send_performance(trackers, folder, each)
            _send_predictions(trackers, each, dataroot=dataroot, number=number)
            paths = [os.path.join(folder, name) for name in FILES]
            trackers.files("results", [path for path in paths if os.path.exists(path)])
            trackers.close()


def _runs(
    options: EvalOptions, folder: str, evaluation: Evaluation, *, several: bool
) -> dict[str, Run]:
    """Return what each tracker is told of the run of one model."""
    origin, result = evaluation.provenance, os.path.basename(os.path.abspath(folder))
    model = evaluation.name if several else ""
    about = {
        "model": evaluation.name,
        "weights_sha256": origin.weights_sha256,
        "arch": origin.arch,
        "threshold": _threshold(evaluation),
        "protocol": origin.protocol.to_json() if origin.protocol else {},
    }
    own_folders = {"tensorboard": os.path.join(folder, "tensorboard", model)}
    return {
        name: Run(
            name=f"{result}-{model}" if several else result,
            folder=own_folders.get(name, folder),
            job="eval",
            config={**plain_values(options), **about},
            id=secrets.token_hex(4),
            group=result,
        )
        for name in options.tracker
    }


def _send_performance(trackers: Trackers, folder: str, evaluation: Evaluation) -> None:
    rows = evaluation.rows()
    columns = list(dict.fromkeys(column for row in rows for column in row))
    trackers.table("performance", Table(columns, [[row.get(c) for c in columns] for row in rows]))
    for metric in BARS:
        trackers.bars(metric, {row["testset"]: float(row[metric]) for row in rows})
    for path in sorted(glob.glob(os.path.join(glob.escape(folder), "figures", "*.png"))):
        name = os.path.splitext(os.path.basename(path))[0]
        trackers.image("", f"figures/{name}", pixels=open_image(path), step=0)


def _send_predictions(
    trackers: Trackers, evaluation: Evaluation, *, dataroot: str, number: int
) -> None:
    threshold, origin = _threshold(evaluation), evaluation.provenance
    protocol = origin.protocol or ScoringProtocol()
    transforms = [protocol.of_label(label).transforms()[0] for label in (0, 1)]
    roots = roots_of(dataroot, evaluation.scores) or origin.roots
    num_rows = num_pictures = num_bytes = 0
    sets = progress(evaluation.scores.items(), "trackers", unit="test set", delay=1)
    for testset, scores in sets:
        rows: list[list[Cell]] = []
        for place, index in enumerate(most_wrong(scores)):
            path, label, logit = (
                scores.paths[index],
                int(scores.labels[index]),
                scores.logits[index],
            )
            picture = None
            if place < number and testset in roots:
                picture = _picture(roots[testset], path, transforms[label])
            called = int(logit > threshold)
            words = (one_line(path), WORDS[label], WORDS[called])
            rows.append([picture, *words, called != label, probability(logit), float(logit)])
            num_pictures += picture is not None
            num_bytes += len(picture.data) if picture else 0
        num_rows += len(rows)
        wrong = [row for row in rows if row[COLUMNS.index("wrong")]]
        trackers.table(f"misclassified/{testset}", Table(COLUMNS, wrong))
        trackers.table(f"predictions/{testset}", Table(COLUMNS, rows))
    note(
        f"{', '.join(trackers.working)}: {num_rows} predictions on {len(evaluation.scores)} test"
        f" sets; {num_pictures} pictures of at most {SIDE} pixels a side, {num_bytes / 1e6:.1f} MB"
    )


def most_wrong(scores: Scores) -> list[int]:
    """Return the indices of all images: those first whose logit is the furthest on the side of the
    other label; by path where it is the same.
    """
    wrongness = np.where(scores.labels == 1, -scores.logits, scores.logits)
    return sorted(range(len(scores.paths)), key=lambda i: (-wrongness[i], scores.paths[i]))


def _threshold(evaluation: Evaluation) -> float:
    """Return the logit above which an image is called fake: the calibrated one, where there is."""
    calibration = evaluation.measuring.calibration
    return calibration.threshold if calibration else 0.0


def _picture(folder: str, path: str, transforms: Sequence[Any]) -> Picture | None:
    try:
        image = open_image(os.path.join(folder, path))
    except UnreadableImage:
        return None
    small = shrunk(applied(transforms, image), SIDE)
    data = encoded(small)
    return Picture(np.asarray(small), data, "png" if data.startswith(b"\x89PNG") else "jpg")
