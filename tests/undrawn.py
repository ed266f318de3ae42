"""Reports without their figures, which would be most of what a small evaluation takes.

Imported, this leaves them out of every report; tests that look at them ask for the fixture
`figures`, or are in its block.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import report.write

_drawings = report.write.drawings


def leave_out() -> None:
    """Draw no figures from now on."""
    report.write.drawings = lambda folder, evaluations, threshold: []


def draw() -> None:
    """Draw them from now on."""
    report.write.drawings = _drawings


@contextlib.contextmanager
def figures() -> Iterator[None]:
    """Draw figures in this block, and in the commands that it starts."""
    draw()
    try:
        yield
    finally:
        leave_out()


def are_drawn() -> bool:
    """Return whether figures are drawn."""
    return report.write.drawings is _drawings


leave_out()
