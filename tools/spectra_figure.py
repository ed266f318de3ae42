"""The figure of the average spectra: real above fake, a column for each test set."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt
from matplotlib.figure import Figure, SubFigure

from util.errors import one_line

Plane = npt.NDArray[np.float64]

LABEL_NAMES = ("real", "fake")
KINDS = (  # in the order of the fields of spectra.Spectra
    "(a) Magnitude of the mean spectrum: what has the same phase in every image",
    "(b) Mean of the magnitudes: periodic traces, whatever their phase",
)
MAX_COLUMNS = 7
PANEL = 1.8  # inches: 234 pixels of the PNG
MAX_PIXELS = 232  # of a panel: with more, single frequencies would vanish as it is drawn


def spectra_figure(spectra: Mapping[str, Sequence[Sequence[Plane] | None]]) -> Figure:
    """Real above fake, a column for each test set (given its real, then its fake average), first
    of the one kind, then of the other; in several bands where there are more than seven sets.
    """
    names = list(spectra)
    bands = math.ceil(len(names) / MAX_COLUMNS)
    columns = math.ceil(len(names) / bands)
    width = max(columns * PANEL + 0.4, 5.5)
    figure = Figure((width, bands * len(KINDS) * 2.25 * PANEL + 0.8), layout="constrained")
    title = (
        "Average spectra of image minus its 5x5 median, real above fake, on a logarithmic scale"
        " that both share. In the middle of a panel: frequency 0; at its edges: 1/2 per pixel."
        " Below a pair: its darkest and brightest, in grey levels."
    )
    figure.suptitle(textwrap.fill(title, int(13 * width)))
    parts = figure.subfigures(bands * len(KINDS), 1, squeeze=False)
    for number, part in enumerate(parts.flat):
        band, kind = divmod(number, len(KINDS))
        part.suptitle(textwrap.fill(KINDS[kind], int(11 * width)), weight="bold")
        shown = names[band * columns : (band + 1) * columns]
        _draw_pairs(part, kind, spectra={name: spectra[name] for name in shown}, columns=columns)
    return figure


def _draw_pairs(
    part: SubFigure,
    kind: int,
    *,
    spectra: Mapping[str, Sequence[Sequence[Plane] | None]],
    columns: int,
) -> None:
    grid = part.subplots(len(LABEL_NAMES), columns, squeeze=False)
    for axes in grid.flat:
        axes.set(xticks=[], yticks=[], frame_on=False)
    for column, (name, pair) in enumerate(spectra.items()):
        title = textwrap.fill(one_line(name), 20)
        grid[0, column].set_title(title, parse_math=False)  # "$" is a letter of a folder's name
        planes = [None if average is None else average[kind] for average in pair]
        there = [plane for plane in planes if plane is not None]
        low, high = np.percentile(there, (1, 99.98)) if there else (0.0, 0.0)
        for axes, label, plane in zip(grid[:, column], LABEL_NAMES, planes, strict=True):
            if not column:
                axes.set_ylabel(label)
            if plane is None:
                axes.text(0.5, 0.5, f"no {label} images", ha="center", transform=axes.transAxes)
                axes.set_box_aspect(1)
            else:
                axes.imshow(_shrunk(plane), "magma", vmin=low, vmax=max(high, low + 1e-3))
        if there:
            grid[-1, column].set_xlabel(f"{10**low:.2g} to {10**high:.2g}")


def _shrunk(plane: Plane) -> Plane:
    """At most MAX_PIXELS a side: the largest of each block, for a trace is one bright pixel."""
    block = math.ceil(len(plane) / MAX_PIXELS)
    edges = np.arange(0, len(plane), block)
    shrunk: Plane = np.maximum.reduceat(np.maximum.reduceat(plane, edges, 0), edges, 1)
    return shrunk
