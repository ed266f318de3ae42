"""The logits of one model against those of another, on the same images."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from evaluation.compare import Agreement
from report.figures.style import add_legend, at_threshold, shown
from util.drawing import FAKE, REAL

Pair = tuple[str, str]  # names of two models

FAINTEST = 0.5  # of a cell with one image; that with the most is 1


def logits_against_logits(pairs: Mapping[Pair, Agreement], threshold: float) -> Figure:
    """Draw for each pair of models how many images have which two logits: the more, the stronger
    the colour, which is that of their label, or of the mixture. Lines are at the threshold (a
    logit); below stands how often both, one or none of the two is right.
    """
    count = max(len(pairs), 1)
    figure = Figure(figsize=(2.69 * count, 3.65), layout="constrained")
    panels = figure.subplots(1, count, squeeze=False)[0]
    for axes, ((first, second), its) in zip(panels, pairs.items(), strict=False):
        _draw(axes, its, threshold)
        counts = who_is_right((first, second), its, threshold)
        axes.set_xlabel(f"logit of {shown(first, 26)}\n\n" + _in_lines(counts))
        axes.set_ylabel(f"logit of {shown(second, 26)}")
    handles = [Patch(color=REAL, label="real"), Patch(color=FAKE, label="fake")]
    add_legend(figure, handles)
    return figure


def who_is_right(names: Pair, its: Agreement, threshold: float) -> dict[str, int]:
    """Return how many images both models, only one, or none of the two calls right, in words."""
    first, second = names
    right = its.right(threshold)
    return {
        "both right": right[True, True],
        f"only {first}": right[True, False],
        f"only {second}": right[False, True],
        "none": right[False, False],
    }


def _in_lines(counts: Mapping[str, int]) -> str:
    every = max(sum(counts.values()), 1)
    return "\n".join(
        f"{shown(words, 24)}: {number:,} ({100 * number / every:.1f} %)"
        for words, number in counts.items()
    )


def _draw(axes: Axes, its: Agreement, threshold: float) -> None:
    for draw_line in (axes.axvline, axes.axhline):
        draw_line(threshold, **at_threshold())
    if not len(its.labels):
        return
    bins = int(np.clip(2 * np.sqrt(len(its.labels)), 50, 150))
    edges = [np.histogram_bin_edges(logits, bins) for logits in (its.first, its.second)]
    images = [
        np.histogram2d(its.first[chosen], its.second[chosen], edges)[0].T
        for chosen in (its.labels == 0, its.labels == 1)
    ]
    extent = (edges[0][0], edges[0][-1], edges[1][0], edges[1][-1])
    axes.imshow(_coloured(*images), extent=extent, origin="lower", aspect="auto", zorder=2)
    axes.margins(0.03)
    axes.set_box_aspect(1)
    axes.set_anchor("N")  # the words are below


def _coloured(
    real: npt.NDArray[np.float64], fake: npt.NDArray[np.float64]
) -> npt.NDArray[np.float64]:
    """Return a colour for each cell (height, width, 4) of two counts of images (height, width)."""
    every = real + fake
    share = np.divide(fake, every, out=np.zeros_like(every), where=every > 0)[..., np.newaxis]
    mixed = share * np.array(to_rgb(FAKE)) + (1 - share) * np.array(to_rgb(REAL))
    depth = np.log(np.maximum(every, 1)) / max(np.log(every.max()), 1)
    opaque = np.where(every > 0, FAINTEST + (1 - FAINTEST) * depth, 0)
    return np.concatenate((mixed, opaque[..., np.newaxis]), axis=-1)
