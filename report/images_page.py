"""The page of predict.py --html: images of unknown label to look through, as one HTML file."""

from __future__ import annotations

import datetime
import os
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from matplotlib.ticker import MaxNLocator

from evaluation.own_images import describe
from evaluation.protocol import ScoringProtocol
from evaluation.thresholds import Calibration
from networks.detector import Detector
from report.look import Pictures
from report.web import data_uri, readable, rendered, script_safe
from util.files import atomic_write

VERDICTS = ("fake", "unsure", "real")
BINS = 40  # of the histogram
TICKS = 6  # of the histogram, about
DIGITS = 4  # of a logit in the page


class ImagesPage(NamedTuple):
    """Scored images of unknown label, in the order in which they were named."""

    paths: Sequence[str]
    logits: npt.NDArray[np.floating]  # (N,), NaN where an image has none
    unreadable: Sequence[tuple[str, str]]  # path, reason
    pictures: Pictures  # by index of `paths`


def write_images_page(
    path: str,
    page: ImagesPage,
    *,
    detector: Detector,
    protocol: ScoringProtocol,
    calibration: Calibration,
) -> None:
    """Write `page` to `path`, whole or not at all, as it was scored by a detector under a protocol
    and judged by a threshold. File names may be hostile: they are shown as text.

    Raises WorkError where the file cannot be written.
    """
    finite = np.flatnonzero(np.isfinite(page.logits))
    shown = finite[np.argsort(-page.logits[finite], kind="stable")].tolist()  # the highest first
    logits = page.logits[shown]
    verdicts = [calibration.verdict(float(logit)) for logit in logits]
    thumbnails, looks = page.pictures
    data = {
        "threshold": calibration.threshold,
        "verdicts": VERDICTS,
        "paths": [readable(page.paths[index]) for index in shown],
        "logits": np.round(logits.astype(np.float64), DIGITS).tolist(),
        "verdictOf": [VERDICTS.index(verdict) for verdict in verdicts],
        "thumbnails": [thumbnails.get(index) and data_uri(thumbnails[index]) for index in shown],
    }
    content = rendered(
        "images",
        ("look.js", "images.js"),
        number=len(shown),
        notes=[
            f"{os.path.basename(detector.weights)} ({detector.name}, SHA-256"
            f" {detector.sha256[:12]}), {protocol.describe()};"
            f" {datetime.date.today().isoformat()}",
            describe(calibration),
            _what_has_pictures(page.pictures, len(shown)),
        ],
        counts=[(verdict, verdicts.count(verdict)) for verdict in VERDICTS],
        histogram=histogram(logits, verdicts, calibration) if shown else None,
        unreadable=page.unreadable,
        data=script_safe(data),
        looks=script_safe(
            {str(i): looks[index].to_json() for i, index in enumerate(shown) if index in looks}
        ),
    )
    with atomic_write(path, "wb") as file:
        file.write(content)


def _what_has_pictures(pictures: Pictures, number: int) -> str:
    shown, looked = len(pictures.thumbnails), len(pictures.looks)
    if looked == number:
        return "Click an image for its spectrum and the map of evidence."
    pictured = "every image" if shown == number else f"the {shown:,} with the highest scores"
    return (
        f"Pictures: {pictured}. Spectrum and map of evidence, on a click: the {looked:,} with the"
        " highest scores."
    )


class Bar(NamedTuple):
    """A bar of the histogram; places and sizes in per cent of it."""

    left: float
    width: float
    words: str  # what it counts, for a reader who points at it
    parts: list[tuple[str, float, float]]  # verdict, bottom, height


class Histogram(NamedTuple):
    """Scores by logit, each bar parted by verdict; places in per cent of the width."""

    bars: list[Bar]
    most: int  # images, of the highest bar
    ticks: list[tuple[float, str]]
    thresholds: list[float]


def histogram(
    logits: npt.NDArray[np.floating], verdicts: Sequence[str], calibration: Calibration
) -> Histogram:
    """Return the histogram of logits, one at least, all finite."""
    values = logits.astype(np.float64)
    edges = np.histogram_bin_edges(values, BINS)
    low, high = float(edges[0]), float(edges[-1])
    which = np.asarray(verdicts)
    counts = {verdict: np.histogram(values[which == verdict], edges)[0] for verdict in VERDICTS}
    most = int(sum(counts.values()).max())  # type: ignore[union-attr]

    def place(logit: float) -> float:
        return round(100 * (logit - low) / (high - low), 3)

    bars = []
    for number in range(BINS):
        parts, bottom = [], 0.0
        for verdict in reversed(VERDICTS):
            height = 100 * float(counts[verdict][number]) / most
            if height:
                parts.append((verdict, round(bottom, 3), round(height, 3)))
            bottom += height
        if parts:
            told = [f"{counts[v][number]:,} {v}" for v in VERDICTS if counts[v][number]]
            words = f"logit {edges[number]:.4g} to {edges[number + 1]:.4g}: {', '.join(told)}"
            bars.append(Bar(place(edges[number]), 100 / BINS, words, parts))
    ticks = [float(tick) for tick in MaxNLocator(TICKS).tick_values(low, high)]
    lines = dict.fromkeys((calibration.unsure_from, calibration.unsure_to))
    return Histogram(
        bars,
        most,
        [(place(tick), f"{tick:g}") for tick in ticks if low <= tick <= high],
        [place(line) for line in lines if low <= line <= high],
    )
