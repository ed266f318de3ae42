"""table.tex: the table for a paper, with booktabs."""

from __future__ import annotations

import functools
import math
from collections.abc import Sequence

from evaluation.evaluation import Evaluation
from evaluation.measure import MEAN, UNDEFINED, Estimate, Measured
from report.captions import SPREAD, caption
from report.side_by_side import by_testset
from report.tables import per_cent as per_cent_with
from util.errors import one_line

_SPECIAL = {
    "\\": r"\textbackslash{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    **{character: "\\" + character for character in "&%$#_{}"},
}


Column = tuple[str, dict[str, tuple[Estimate, Estimate]]]
"""A heading and, by test set, AP and accuracy."""

per_cent = functools.partial(per_cent_with, decimals=1)  # as the paper's tables


def latex(evaluations: Sequence[Evaluation]) -> str:
    """Return AP with its interval and accuracy by test set, for each model and as published.

    The best AP of a row is bold, where there are several to choose from.
    """
    names, lines_of = by_testset(evaluations)
    columns: list[Column] = [
        (each.name, {name: _ours(line) for name, line in lines.items()})
        for each, lines in zip(evaluations, lines_of, strict=True)
    ]
    if any("ap" in line.published for line in lines_of[0].values()):
        theirs = {name: _published(line) for name, line in lines_of[0].items()}
        columns.append(("published", theirs))
    lines = [
        f"% \\usepackage{{booktabs}} in the preamble. In brackets the {SPREAD} bootstrap interval.",
        *(one_line(f"% {each.name}: {caption(each)}") for each in evaluations),
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


def _ours(line: Measured) -> tuple[Estimate, Estimate]:
    return line.metrics["ap"], line.metrics["accuracy"]


def _published(line: Measured) -> tuple[Estimate, Estimate]:
    ap, accuracy = (Estimate(line.published.get(name, math.nan)) for name in ("ap", "accuracy"))
    return ap, accuracy


def _line(name: str, columns: Sequence[Column]) -> str:
    both = [cells.get(name, (UNDEFINED, UNDEFINED)) for _, cells in columns]
    aps = [per_cent(ap.value) for ap, _ in both]
    best = max((ap for ap in aps if ap), key=float, default="")
    parts = [escape(name)]
    for text, (ap, accuracy) in zip(aps, both, strict=True):
        value = f"\\textbf{{{text}}}" if text and text == best and len(columns) > 1 else text
        low, high = per_cent(ap.low), per_cent(ap.high)
        parts.append(f"{value} [{low}, {high}]" if low else value)
        parts.append(per_cent(accuracy.value))
    return " & ".join(parts) + r" \\"
