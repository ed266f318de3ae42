"""The audit as a heatmap."""

from __future__ import annotations

import io
import math
from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure


def heatmap(auroc: Mapping[str, Sequence[float]], cues: Sequence[str]) -> Figure:
    """AUROC by set (a value for each cue, NaN where there is none; the last is of all cues): from
    white, 0.5 and below, which is chance, to dark, 1, told without fail.
    """
    values = np.array(list(auroc.values()))
    figure = Figure((3.2 + 0.5 * len(cues), 1.7 + 0.28 * len(auroc)), layout="constrained")
    FigureCanvasAgg(figure)  # draws without a display
    axes = figure.add_subplot()
    image = axes.imshow(values, cmap="Blues", vmin=0.5, vmax=1.0, aspect="auto")
    for row, column in np.ndindex(*values.shape):
        value = float(values[row, column])
        text = "-" if math.isnan(value) else f"{value:.2f}"
        colour = "white" if value > 0.8 else "black"
        axes.text(column, row, text, ha="center", va="center", fontsize=8, color=colour)
    names = [name if len(name) <= 40 else f"{name[:37]}..." for name in auroc]
    axes.set_yticks(range(len(names)), names, fontsize=8, parse_math=False)  # "$" is a letter
    words = [cue.replace("_", " ") for cue in cues]
    axes.set_xticks(range(len(cues)), words, rotation=40, ha="right", fontsize=8)
    axes.axvline(len(cues) - 1.5, color="black", linewidth=1)
    axes.set_title("How far the file alone tells real from fake: AUROC, 0.5 is chance", fontsize=10)
    figure.colorbar(image, ax=axes, pad=0.01).ax.tick_params(labelsize=8)
    return figure


def heatmap_png(auroc: Mapping[str, Sequence[float]], cues: Sequence[str]) -> bytes:
    """`heatmap` as the content of a PNG file."""
    buffer = io.BytesIO()
    heatmap(auroc, cues).savefig(buffer, format="png", dpi=130)
    return buffer.getvalue()
