"""What the scripts of the report work on, as JSON: every image's scores, thresholds, pictures."""

from __future__ import annotations

import math
import re
from collections.abc import Collection, Iterable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from evaluation.predictions import Scores
from report.page import Page, Picture, threshold_of
from report.web import data_uri, readable

DIGITS = 4  # of a logit in the page
FAR = 1e9  # stands for an infinite threshold, which JSON cannot say


def scores_data(page: Page) -> dict[str, Any]:
    """Return models, marks and test sets. `of` holds a mark's thresholds by model, then test set,
    null where it has none; a test set the paths, the labels as a string of 0 and 1, and the logits
    by model, null where a model lacks the image.
    """
    names = testsets_of(page)
    return {
        "models": [readable(model) for model in page.models],
        "marks": [
            {
                "name": readable(name),
                "about": readable(mark.about),
                "of": [
                    [_finite(mark.logits.get(model, {}).get(name)) for name in names]
                    for model in page.models
                ],
            }
            for name, mark in page.marks.items()
        ],
        "start": list(page.marks).index(page.start),
        "sets": [
            {
                "name": readable(name),
                "anchor": anchor,
                "inMean": name in page.mean_over,
                **_images(page, name),
            }
            for name, anchor in anchors(names).items()
        ],
    }


def pictures_data(page: Page, shown: Collection[tuple[str, str]]) -> list[list[list[Any]]]:
    """Return for each test set, for each of its pictures: place of the path among its paths, width
    and height of the file, address of the picture, and of those with Grad-CAM by model's place.

    What the page has already, without the script, is left out: of the images `shown` (test set,
    path) the picture, and the first model's Grad-CAM.
    """
    models = list(page.models)
    sets = []
    for testset in testsets_of(page):
        places = {path: place for place, path in enumerate(paths_of(page, testset))}
        lines = []
        for path, its in page.pictures.get(testset, {}).items():
            twice = (testset, path) in shown
            heatmaps = {
                models.index(model): data_uri(heat)
                for model, heat in its.heatmaps.items()
                if not (twice and model == models[0])
            }
            address = None if twice else data_uri(its.image)
            lines.append([places[path], its.width, its.height, address, heatmaps])
        sets.append(lines)
    return sets


def testsets_of(page: Page) -> list[str]:
    """Return the test sets of all models, in order."""
    return list(dict.fromkeys(name for scored in page.models.values() for name in scored))


def anchors(testsets: Iterable[str]) -> dict[str, str]:
    """Return by test set what a link to its part of the page ends with: a word, each another."""
    found: dict[str, str] = {}
    for name in testsets:
        word = "set-" + re.sub(r"[^\w.-]+", "-", readable(name))
        while word in found.values():
            word += "-"
        found[name] = word
    return found


def paths_of(page: Page, testset: str) -> list[str]:
    """Return the paths of a test set's images, those of all models together, sorted."""
    return list(_labels(page, testset))


def _labels(page: Page, testset: str) -> dict[str, int]:
    present = [its[testset] for its in page.models.values() if testset in its]
    labels: dict[str, int] = {}
    for scores in reversed(present):  # the first model's label holds
        labels.update(zip(scores.paths, scores.labels.tolist(), strict=True))
    in_order = len(labels) == len(present[0].paths)
    return {path: labels[path] for path in (present[0].paths if in_order else sorted(labels))}


def _images(page: Page, testset: str) -> dict[str, Any]:
    """Return one test set's images, those of all models together, in the order of their paths."""
    labels = _labels(page, testset)
    logits: list[list[float | None]] = []
    for model, its in page.models.items():
        known: dict[str, float] = {}
        if testset in its:
            scores = its[testset]
            marks = (mark.logits.get(model, {}).get(testset) for mark in page.marks.values())
            exact = [t for t in marks if t is not None and math.isfinite(t)]
            known = dict(zip(scores.paths, rounded(scores, exact).tolist(), strict=True))
        logits.append([known.get(path) for path in labels])
    return {
        "paths": [readable(path) for path in labels],
        "labels": "".join(map(str, labels.values())),
        "logits": logits,
    }


def rounded(scores: Scores, thresholds: Sequence[float]) -> npt.NDArray[np.float64]:
    """Return logits with DIGITS decimals, but with all their digits where these would carry one
    over a threshold: the page would contradict the tables, which were made from all digits.
    """
    values = np.round(scores.logits, DIGITS)
    for threshold in thresholds:
        same_side = (scores.logits > threshold) == (values > threshold)
        values = np.where(same_side, values, scores.logits)
    return values


def _finite(threshold: float | None) -> float | None:
    return None if threshold is None else min(max(threshold, -FAR), FAR)


def first_mistakes(page: Page, most: int) -> list[dict[str, Any]]:
    """Return the mistakes of the first model as the page opens: for each of its test sets both
    kinds, with their number and up to `most` of the images of which there are pictures, the most
    confident first.
    """
    model = next(iter(page.models), "")
    parts = []
    for testset, anchor in anchors(testsets_of(page)).items():
        kinds = []
        for label, title in enumerate(("Real, called fake", "Fake, called real")):
            wrong = _mistakes(page, model, testset, label=label)
            cards = [card for card in wrong if card[2] is not None]
            kinds.append({"title": title, "number": len(wrong), "cards": cards[:most]})
        parts.append({"testset": testset, "anchor": anchor, "kinds": kinds})
    return parts


def _mistakes(
    page: Page, model: str, testset: str, *, label: int
) -> list[tuple[str, float, Picture | None]]:
    """Return path, logit and picture of a label's mistakes, the most confident first."""
    if testset not in page.models[model]:
        return []
    paths, labels, logits, _ = page.models[model][testset]
    called_fake = logits > threshold_of(page, model, testset)
    wrong = np.flatnonzero((labels == label) & (called_fake != label)).tolist()
    wrong.sort(key=lambda i: (logits[i] if label else -logits[i], paths[i]))
    pictures = page.pictures.get(testset, {})
    return [(paths[i], float(logits[i]), pictures.get(paths[i])) for i in wrong]
