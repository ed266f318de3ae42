"""A figure for each study, drawn from its tidy table."""

from __future__ import annotations

import io
from collections.abc import Iterable, Mapping
from pathlib import Path

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from data.testsets import ORDER
from studies.reading import Row
from studies.tables import HELD_OUT, SHAPES, Key, Values, by_seed, spread
from util.drawing import FAKE, MODELS, REAL, STYLE
from util.files import atomic_write

DPI = 200


def save_figure(study: str, rows: list[Row], path: Path) -> None:
    """Write the PNG of a study's table."""
    draw = {
        "diversity": _diversity,
        "robustness": _robustness,
        "spectra": _spectra,
        "few_shot": _few_shot,
        "calibration": _calibration,
        "formats": _formats,
        "recipe": _recipe,
    }.get(study, _by_testset)
    with matplotlib.rc_context(STYLE):
        figure = draw(rows, SHAPES[study].across)
        buffer = io.BytesIO()
        figure.savefig(buffer, format="png", dpi=DPI, metadata={"Software": None})
    with atomic_write(str(path), "wb") as file:
        file.write(buffer.getvalue())


def of(rows: Iterable[Row], **where: str) -> list[Row]:
    """Return the rows that have these values."""
    return [row for row in rows if all(row[key] == value for key, value in where.items())]


def values_of(rows: Iterable[Row], column: str) -> list[str]:
    """Return the different values of a column, in their order."""
    return list(dict.fromkeys(row[column] for row in rows))


def _by_testset(rows: list[Row], hue: str, metric: str = "ap") -> Figure:
    figure = Figure((8, 3.2), layout="constrained")
    _dots(figure.subplots(), of(rows, metric=metric), hue=hue, title="AP, %")
    return figure


def _dots(axes: Axes, rows: list[Row], *, hue: str, title: str) -> None:
    """Test sets side by side, a column of dots for each value of `hue`: the mean over seeds, with a
    line from the lowest to the highest seed.
    """
    shown = [name for name in (*ORDER, "shallow") if name in values_of(rows, "testset")]
    hues = values_of(rows, hue)
    for number, its in enumerate(hues):
        found = by_seed(of(rows, **{hue: its}), ("testset",), shown)
        for place, name in enumerate(shown):
            if (name,) in found:
                each = [100 * value for value in found[name,].values()]
                x = place + 0.7 * ((number + 0.5) / len(hues) - 0.5)
                colour = MODELS[number % len(MODELS)]
                axes.plot([x, x], [min(each), max(each)], color=colour, linewidth=1)
                label = its if place == 0 else None
                axes.plot(x, np.mean(each), "o", color=colour, markersize=4, label=label)
    axes.set_xticks(range(len(shown)), shown, rotation=30, ha="right")
    axes.set_ylabel(title)
    axes.grid(axis="y", alpha=0.3)
    axes.legend(ncols=len(hues), fontsize=7, frameon=False, loc="lower left", bbox_to_anchor=(0, 1))


def _line(axes: Axes, points: Mapping[Key, Values], *, label: str, number: int) -> None:
    """Means over the seeds with their standard deviation, at evenly spaced x."""
    means, deviations = zip(*(spread(its) for its in points.values()), strict=True)
    axes.errorbar(
        [x for (x,) in points],
        100 * np.array(means),
        100 * np.nan_to_num(deviations),
        marker="o",
        markersize=4,
        capsize=2,
        color=MODELS[number % len(MODELS)],
        label=label,
    )


def _diversity(rows: list[Row], _: str) -> Figure:
    figure = Figure((7, 3), layout="constrained")
    names = {"photographs": "photographs, as many images", "images": "share of all images"}
    for axes, (varied, title) in zip(
        figure.subplots(1, 2, sharey=True), names.items(), strict=True
    ):
        some = of(rows, varied=varied, metric="ap")
        for number, (label, sets) in enumerate((("held-out", HELD_OUT), ("progan", ("progan",)))):
            found = by_seed(some, ("amount",), sets)
            if found:
                _line(axes, found, label=label, number=number)
        axes.set(xlabel=title, ylabel="AP, %, mean over test sets")
        axes.legend(frameon=False)
    return figure


def _robustness(rows: list[Row], hue: str) -> Figure:
    kinds = values_of(rows, "degradation")
    figure = Figure((3 * len(kinds), 3), layout="constrained")
    names = {"blur": "blur, sigma", "jpeg": "JPEG, quality", "rescale": "rescaling, factor"}
    grid = np.ravel(figure.subplots(1, len(kinds), sharey=True))
    for axes, kind in zip(grid, kinds, strict=True):
        for number, its in enumerate(values_of(rows, hue)):
            some = of(rows, degradation=kind, metric="ap", **{hue: its})
            found = by_seed(some, ("level",), HELD_OUT)
            if found:
                _line(axes, found, label=its, number=number)
        axes.set_xlabel(names[kind])
    grid[0].set_ylabel("AP, %, mean of the held-out")
    handles, labels = axes.get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside upper center", ncols=len(labels), frameon=False)
    return figure


def _spectra(rows: list[Row], _: str) -> Figure:
    shown = [name for name in (*ORDER, "shallow") if name in values_of(rows, "testset")]
    width = 5
    height = -(-len(shown) // width)
    figure = Figure((1.8 * width, 1.6 * height), layout="constrained")
    grid = np.ravel(figure.subplots(height, width, sharex=True, squeeze=False))
    for axes, name in zip(grid, shown, strict=False):
        for label, colour in (("real", REAL), ("fake", FAKE)):
            its = of(rows, testset=name, label=label, metric="profile")
            x, y = ([float(row[column]) for row in its] for column in ("frequency", "value"))
            axes.plot(x, y, color=colour, linewidth=1, label=label)
        axes.set_title(name, fontsize=7)
    for axes in grid[len(shown) :]:
        axes.set_axis_off()
    grid[0].legend(frameon=False, fontsize=6)
    figure.supxlabel("cycles per pixel")
    figure.supylabel("log10 of mean magnitude, grey levels")
    return figure


def _few_shot(rows: list[Row], hue: str) -> Figure:
    figure = Figure((7, 3), layout="constrained")
    titles = {"tuned": "the family tuned on", "other": "all other families"}
    for axes, (role, title) in zip(figure.subplots(1, 2), titles.items(), strict=True):
        for number, family in enumerate(values_of(rows, hue)):
            some = of(rows, role=role, metric="ap", **{hue: family})
            for replay, style in (("yes", "with replay"), ("no", "without")):
                found = by_seed(
                    [row for row in some if row["replay"] in ("", replay)], ("images",), ORDER
                )
                colour = 2 * number + (replay == "no")
                _line(axes, found, label=f"{family}, {style}", number=colour)
        axes.set(xlabel="images of each label", ylabel="AP, %", title=title)
    handles, labels = axes.get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside upper center", ncols=3, frameon=False)
    return figure


def _calibration(rows: list[Row], hue: str) -> Figure:
    augmentation = "blur_jpeg_0.5"
    figure = Figure((8, 3.2), layout="constrained")
    some = [row for row in of(rows, augmentation=augmentation) if row["metric"] != "ap"]
    _dots(figure.subplots(), some, hue=hue, title=f"accuracy, %, {augmentation}")
    return figure


def _formats(rows: list[Row], _: str) -> Figure:
    models = values_of(rows, "augmentation")
    figure = Figure((8, 2.8 * len(models)), layout="constrained")
    for axes, its in zip(np.ravel(figure.subplots(len(models), 1)), models, strict=True):
        _dots(axes, of(rows, augmentation=its, metric="ap"), hue="encoding", title=f"AP, %, {its}")
    return figure


def _recipe(rows: list[Row], hue: str) -> Figure:
    kinds = list(dict.fromkeys((row["degradation"], row["level"]) for row in rows))
    figure = Figure((8, 2.8 * len(kinds)), layout="constrained")
    grid = np.ravel(figure.subplots(len(kinds), 1))
    for axes, (kind, level) in zip(grid, kinds, strict=True):
        some = of(rows, degradation=kind, level=level, metric="ap")
        title = "AP, %, as they are" if kind == "none" else f"AP, %, {kind} {level}"
        _dots(axes, some, hue=hue, title=title)
    return figure
