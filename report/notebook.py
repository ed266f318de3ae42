"""An evaluation as a notebook and print show it: caption, warnings and the table of results."""

from __future__ import annotations

import html

from evaluation.evaluation import Evaluation
from evaluation.suspicions import warnings
from report.captions import caption
from report.page import Table
from report.tables import markdown, model_tables
from util.errors import one_line

NOTHING = "nothing was scored yet"


def as_text(evaluation: Evaluation) -> str:
    """Return the caption, warnings and results in per cent, as plain text; a title line first."""
    if not evaluation.scores:
        return f"{one_line(evaluation.name)}: {NOTHING}"
    warned = [f"Warning: {one_line(text)}" for text in warnings([evaluation])]
    results = _results(evaluation)
    parts = [_plain(evaluation), *warned, markdown(results), results.note]
    return "\n\n".join(parts)


def as_html(evaluation: Evaluation) -> str:
    """Return the same as HTML. Names may be hostile: they are shown as text, and bytes that are no
    UTF-8 as an escape.
    """
    if not evaluation.scores:
        return f"<p>{_text(evaluation.name)}: {NOTHING}</p>"
    warned = [f"<p><b>Warning</b>: {_text(text)}</p>" for text in warnings([evaluation])]
    results = _results(evaluation)
    head = "".join(f"<th>{_text(heading)}</th>" for heading in results.headings)
    rows = [
        f"<tr><th>{_text(first)}</th>{''.join(f'<td>{_text(cell)}</td>' for cell in rest)}</tr>"
        for first, *rest in results.cells
    ]
    table = f"<table><thead><tr>{head}</tr></thead><tbody>{''.join(rows)}</tbody></table>"
    return "\n".join(
        [f"<p>{_text(_plain(evaluation))}</p>", *warned, table, f"<p>{_text(results.note)}</p>"]
    )


def _results(evaluation: Evaluation) -> Table:
    return model_tables(evaluation, "")[0]


def _plain(evaluation: Evaluation) -> str:
    return one_line(f"{evaluation.name}: {caption(evaluation)}".replace("**", ""))


def _text(text: str) -> str:
    return html.escape(one_line(text))
