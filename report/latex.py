"""table.tex: the table for a paper, with booktabs."""

from __future__ import annotations

import functools
import math
from collections.abc import Sequence

from evaluation.model import Model, caption
from evaluation.rows import MEAN, Row
from report.tables import SPREAD, by_testset
from report.tables import per_cent as per_cent_with
from util.errors import one_line

_SPECIAL = {
    "\\": r"\textbackslash{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    **{character: "\\" + character for character in "&%$#_{}"},
}


per_cent = functools.partial(per_cent_with, decimals=1)  # as the paper's tables


def latex(models: Sequence[Model]) -> str:
    """AP with its interval and accuracy by test set, for each model and what was published.

    The best AP of a row is bold, where there are several to choose from.
    """
    names, rows_of = by_testset(models)
    columns = [(model.name, rows, "") for model, rows in zip(models, rows_of, strict=True)]
    if any("published_ap" in row for row in rows_of[0].values()):
        columns.append(("published", rows_of[0], "published_"))
    lines = [
        f"% \\usepackage{{booktabs}} in the preamble. In brackets the {SPREAD} bootstrap interval.",
        *(one_line(f"% {model.name}: {caption(model.about, model.scores)}") for model in models),
        "\\begin{tabular}{l" + "lr" * len(columns) + "}",
        "\\toprule",
        " & ".join(["", *(f"\\multicolumn{{2}}{{c}}{{{escape(c[0])}}}" for c in columns)]) + r" \\",
        "".join(f"\\cmidrule(lr){{{2 * i + 2}-{2 * i + 3}}}" for i in range(len(columns))),
        "Test set" + " & AP & acc." * len(columns) + r" \\",
        "\\midrule",
        *(_line(name, columns) for name in names),
        "\\midrule",
        _line(MEAN, columns),
        "\\bottomrule",
        "\\end{tabular}",
    ]
    return "\n".join(lines) + "\n"


def escape(text: str) -> str:
    """Return the text as LaTeX prints it, in one line."""
    return "".join(_SPECIAL.get(character, character) for character in one_line(text))


def _line(name: str, columns: Sequence[tuple[str, dict[str, Row], str]]) -> str:
    aps = [rows.get(name, {}).get(f"{prefix}ap", math.nan) for _, rows, prefix in columns]
    best = max((per_cent(ap) for ap in aps if not math.isnan(ap)), key=float, default="")
    cells = [escape(name)]
    for ap, (_, rows, prefix) in zip(aps, columns, strict=True):
        row = rows.get(name, {})
        text = per_cent(ap)
        if text and text == best and len(columns) > 1:
            text = f"\\textbf{{{text}}}"
        low, high = (per_cent(row.get(f"{prefix}ap_{end}", math.nan)) for end in ("low", "high"))
        cells.append(f"{text} [{low}, {high}]" if low else text)
        cells.append(per_cent(row.get(f"{prefix}accuracy", math.nan)))
    return " & ".join(cells) + r" \\"
