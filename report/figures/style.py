"""What the figures have in common: colours, lines, legends, and names as they are."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from matplotlib import rcParams
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from report.tables import per_cent
from util.drawing import MODELS

LONGEST = 32  # letters of a name; the rest is in the tables


def colour(number: int) -> str:
    """Return the colour of a model, by its place."""
    return MODELS[number % len(MODELS)]


def chance() -> dict[str, Any]:
    """Return the style of a line that shows what needs no detector."""
    return {"color": rcParams["axes.edgecolor"], "linewidth": 0.7, "linestyle": (0, (4, 3))}


def at_threshold() -> dict[str, Any]:
    """Return the style of a line at a threshold."""
    return {"color": rcParams["text.color"], "linewidth": 0.8, "linestyle": "--"}


def shown(name: str, longest: int = LONGEST) -> str:
    """Return the name as matplotlib prints it unchanged: no mathematics, no odd bytes."""
    name = "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in name)
    if len(name) > longest:
        half = (longest - 1) // 2
        name = f"{name[:half]}…{name[-half:]}"
    return name.replace("$", r"\$")


def model_handles(models: Iterable[str]) -> list[Any]:
    """Return what a legend tells several models apart by; nothing for a single one."""
    handles = [Line2D([], [], color=colour(i), label=shown(m)) for i, m in enumerate(models)]
    return handles if len(handles) > 1 else []


def add_legend(figure: Figure, handles: list[Any]) -> None:
    """Put a legend above the panels, in as many columns as there is room for."""
    if handles:
        longest = max(len(handle.get_label()) for handle in handles)
        columns = int(figure.get_figwidth() / (0.5 + 0.075 * longest))
        columns = max(1, min(len(handles), columns))
        figure.legend(handles=handles, loc="outside upper center", ncols=columns, frameon=False)


def say_numbers(
    axes: Axes,
    metric: str,
    corner: str,
    *,
    lines: Mapping[str, Line2D],
    alone: bool = False,
    **look: Any,  # noqa: ANN401
) -> None:
    """Write what stands for each line under the name of their metric: in a legend, which `look` may
    change, or as words, where only one line can be there (`alone`).
    """
    if not lines:
        return
    if alone:
        x, side = (0.97, "right") if corner.endswith("right") else (0.03, "left")
        y, base = (0.96, "top") if corner.startswith("upper") else (0.04, "bottom")
        paper = {"facecolor": axes.get_facecolor(), "alpha": 0.75, "linewidth": 0, "pad": 1}
        look = {"ha": side, "va": base, "transform": axes.transAxes, "zorder": 4, "bbox": paper}
        axes.text(x, y, f"{metric} {next(iter(lines))}", **look)
    else:
        usual: dict[str, Any] = {
            **{"fontsize": "small", "title_fontsize": "small", "handlelength": 0.9},
            **{"labelspacing": 0.2, "columnspacing": 1.0, "handletextpad": 0.4},
            **{"borderpad": 0.2, "framealpha": 0.75, "edgecolor": "none", "loc": corner},
        }
        legend = axes.legend(list(lines.values()), list(lines), title=metric, **usual | look)
        legend.set_zorder(4)
        legend.set_in_layout("bbox_to_anchor" in look)  # inside, it is not to squeeze the panel


def in_words(metric: str, values: Mapping[str, float]) -> str:
    """Return a metric of each model in per cent; of a single one without its name."""
    each = [(name, per_cent(value, 1) or "undefined") for name, value in values.items()]
    if len(each) == 1:
        return f"{metric} {each[0][1]}"
    return f"{metric}: {', '.join(f'{name} {value}' for name, value in each)}"
