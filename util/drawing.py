"""Save a figure for every use: PNG and PDF for papers, light and dark pictures for the page."""

from __future__ import annotations

import io
import os
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import matplotlib
import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from PIL import Image

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


SHOWN = 130  # pixels of the page to an inch
FINER = 2  # pixels of a picture to one of the page, for screens that have more
COLOURS = 256  # of a picture in the page: enough for flat colours with smooth edges, in a third


class Plot(NamedTuple):
    """A picture of a figure in the page, in both styles."""

    words: str  # what it shows, for those who cannot see it
    light: bytes  # PNG, FINER times as large as it is shown
    dark: bytes  # PNG
    width: int  # pixels of the page
    height: int


class Drawing(NamedTuple):
    """A figure as the HTML report shows it."""

    name: str  # of the files, without ending
    title: str  # what the figure shows, in words
    pictures: Sequence[Plot]  # small ones, to be laid out side by side as the page has room
    summary: str = ""  # the title in a few words, for where many pictures are folded


def save_figure(folder: str, name: str, draw: Callable[[], Figure]) -> None:
    """Write `<folder>/<name>.png` and `.pdf`."""
    with matplotlib.rc_context(STYLE):
        figure = draw()
        figure.draw_without_rendering()
        figure.set_layout_engine("none")  # laid out once, not again for each file
        for ending in ("png", "pdf"):
            content = _rendered(figure, ending)
            with atomic_write(os.path.join(folder, f"{name}.{ending}"), "wb") as file:
                file.write(content)


def picture(words: str, draw: Callable[[], Figure]) -> Plot:
    """Return a picture of the page; `draw` is called for each style."""
    with matplotlib.rc_context(STYLE):
        figure = draw()
        light = _rendered(figure, "page")
        width, height = (round(SHOWN * inches) for inches in figure.get_size_inches())
    with matplotlib.rc_context({**STYLE, **DARK}):
        dark = _rendered(draw(), "page")
    return Plot(words, light, dark, width, height)


def _rendered(figure: Figure, kind: str) -> bytes:
    """Return a figure as "png" or "pdf", without empty margins; or as a PNG of its whole size with
    few colours ("page").
    """
    buffer = io.BytesIO()
    if kind == "page":
        figure.set_dpi(FINER * SHOWN)
        canvas = FigureCanvasAgg(figure)
        canvas.draw()
        image = Image.fromarray(np.asarray(canvas.buffer_rgba())[..., :3])
        few = image.quantize(COLOURS, Image.Quantize.FASTOCTREE, dither=Image.Dither.NONE)
        few.save(buffer, "PNG", optimize=True)
    else:
        figure.savefig(buffer, format=kind, dpi=SHOWN, bbox_inches="tight")
    return buffer.getvalue()
