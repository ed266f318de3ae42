"""The report as one HTML file that needs nothing else: no server, no network, no second file."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from evaluation.predictions import Scores
from report.page import Mistake, Page
from report.web import readable, rendered, script_safe
from util.files import atomic_write

DIGITS = 4  # of a logit in the page
FAR = 1e9  # stands for an infinite threshold, which JSON cannot say
GROUPS = ((0, "Real, called fake"), (1, "Fake, called real"))


def write_html(path: str, page: Page) -> None:
    """Write `page` to `path`. File names may be hostile: they are shown as text, and bytes that
    are no UTF-8 as an escape such as \\udcff.

    Raises OSError where the file cannot be written.
    """
    content = rendered(
        "report",
        page=page,
        gallery=_gallery(page.mistakes),
        data=script_safe(_data(page)),
    )
    with atomic_write(path, "wb") as file:
        file.write(content)


def _data(page: Page) -> dict[str, Any]:
    """Return what the script of the page works on: `sets` holds for each test set the paths, the
    labels as a string of 0 and 1, and the logits by model, null where a model lacks the image.
    """
    thresholds = {"0.5": 0.0, **page.thresholds}
    exact = [t for t in (page.threshold, *thresholds.values()) if math.isfinite(t)]
    names = list(dict.fromkeys(name for scored in page.models.values() for name in scored))
    return {
        "models": [readable(model) for model in page.models],
        "threshold": min(max(page.threshold, -FAR), FAR),
        "thresholds": [[readable(n), t] for n, t in thresholds.items() if math.isfinite(t)],
        "sets": [
            {"name": readable(name), **_images([m.get(name) for m in page.models.values()], exact)}
            for name in names
        ],
    }


def _images(by_model: Sequence[Scores | None], thresholds: Iterable[float]) -> dict[str, Any]:
    """Return one test set's images, those of all models together, in the order of their paths."""
    present = [scores for scores in by_model if scores is not None]
    labels: dict[str, int] = {}
    for scores in reversed(present):  # the first model's label holds
        labels.update(zip(scores.paths, scores.labels.tolist(), strict=True))
    paths = present[0].paths if len(labels) == len(present[0].paths) else sorted(labels)
    logits: list[list[float | None]] = []
    for each in by_model:
        known: dict[str, float] = {}
        if each is not None:
            rounded = _rounded(each.logits, thresholds).tolist()
            known = dict(zip(each.paths, rounded, strict=True))
        logits.append([known.get(path) for path in paths])
    return {
        "paths": [readable(path) for path in paths],
        "labels": "".join(str(labels[path]) for path in paths),
        "logits": logits,
    }


def _rounded(
    logits: npt.NDArray[np.float64], thresholds: Iterable[float]
) -> npt.NDArray[np.float64]:
    """Return logits with DIGITS decimals, each on the side of the thresholds where it was.

    Plain rounding may carry a logit over a threshold, and the page would then contradict the
    tables, which were made from all digits.
    """
    step = 10.0**-DIGITS
    values = np.round(logits, DIGITS)
    for threshold in thresholds:
        fell = (logits > threshold) & (values <= threshold)
        rose = (logits <= threshold) & (values > threshold)
        values = np.round(values + step * fell - step * rose, DIGITS)
    return values


def _gallery(mistakes: Sequence[Mistake]) -> list[dict[str, Any]]:
    """Return the mistakes as the template walks them: model, test set, then both directions."""
    parts = []
    for (model, testset), group in itertools.groupby(mistakes, lambda m: (m.model, m.testset)):
        items = list(group)
        kinds = [(title, [m for m in items if m.label == label]) for label, title in GROUPS]
        parts.append({"model": model, "testset": testset, "groups": [k for k in kinds if k[1]]})
    return parts
