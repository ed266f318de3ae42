"""Save a figure for every use: PNG and PDF for papers, a light and a dark PNG for the page."""

from __future__ import annotations

import io
import os
from collections.abc import Callable
from typing import Any, NamedTuple

import matplotlib
from matplotlib.figure import Figure

from util.files import atomic_write

# Colours that stay apart for colour-blind readers and in grey (Okabe and Ito).
REAL, FAKE = "#0072B2", "#D55E00"
MODELS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9")
STYLE: dict[Any, Any] = {"font.size": 8, "axes.spines.top": False, "axes.spines.right": False}
DARK: dict[Any, Any] = {
    **dict.fromkeys(("figure.facecolor", "axes.facecolor", "savefig.facecolor"), "#16181d"),
    **dict.fromkeys(("text.color", "axes.labelcolor", "axes.edgecolor"), "#d8dae0"),
    **dict.fromkeys(("xtick.color", "ytick.color", "legend.labelcolor"), "#d8dae0"),
    "grid.color": "#3a3d45",
}


class Drawing(NamedTuple):
    """A figure as the HTML report shows it."""

    name: str  # of the files, without ending
    title: str  # what the figure shows, in words; also the text for screen readers
    light: bytes  # PNG
    dark: bytes  # PNG


def save_drawing(folder: str, name: str, *, title: str, draw: Callable[[], Figure]) -> Drawing:
    """Write `<folder>/<name>.png` and `.pdf`; call `draw` a second time for the dark version."""
    with matplotlib.rc_context(STYLE):
        figure = draw()
        light, pdf = _rendered(figure, "png"), _rendered(figure, "pdf")
    with matplotlib.rc_context({**STYLE, **DARK}):
        dark = _rendered(draw(), "png")
    for ending, content in (("png", light), ("pdf", pdf)):
        with atomic_write(os.path.join(folder, f"{name}.{ending}"), "wb") as file:
            file.write(content)
    return Drawing(name, title, light, dark)


def _rendered(figure: Figure, kind: str) -> bytes:
    buffer = io.BytesIO()
    figure.savefig(buffer, format=kind, dpi=130, bbox_inches="tight")
    return buffer.getvalue()
