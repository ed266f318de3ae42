"""Markdown tables that also read well as plain text."""

from __future__ import annotations

from collections.abc import Sequence

from util.errors import one_line


def table(headings: Sequence[str], rows: Sequence[Sequence[str]], num_left: int = 1) -> str:
    """Return a table: the first `num_left` columns flush left, the others (numbers) flush right."""
    lines = [[one_line(c).replace("|", "\\|") for c in line] for line in (headings, *rows)]
    widths = [max(3, *(len(line[i]) for line in lines)) for i in range(len(headings))]
    flush = [i < num_left for i in range(len(widths))]
    rule = ["-" * (w - 1) + ("-" if left else ":") for w, left in zip(widths, flush, strict=True)]
    text = [
        [c.ljust(w) if left else c.rjust(w) for c, w, left in zip(line, widths, flush, strict=True)]
        for line in lines
    ]
    return "\n".join(f"| {' | '.join(line)} |" for line in (text[0], rule, *text[1:]))
