"""What the HTML report shows, as plain values (report/html.py turns them into the file)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from evaluation.predictions import Scores
from util.drawing import Drawing


class Table(NamedTuple):
    """A table as it is read: every cell a string, empty where a figure is undefined."""

    title: str
    headings: Sequence[str]
    cells: Sequence[Sequence[str]]  # a row per test set, last the mean; the first column names it
    note: str = ""  # what the columns mean, in a sentence or two


class Mistake(NamedTuple):
    """An image on the wrong side of the threshold."""

    model: str
    testset: str
    path: str
    label: int  # 0 = real, 1 = fake
    logit: float
    image: bytes | None  # PNG or JPEG of what the network saw; None where the file is not at hand
    heatmap: bytes | None = None  # the same with Grad-CAM laid over it


class Page(NamedTuple):
    """The whole report."""

    title: str
    notes: Sequence[str]  # which weights, which protocol, warnings; a paragraph each
    tables: Sequence[Table]
    drawings: Sequence[Drawing]
    models: Mapping[str, Mapping[str, Scores]]  # model name -> test set, in the order of the table
    threshold: float  # logit above which an image was called fake, for `mistakes`
    thresholds: Mapping[str, float]  # further named ones to try, as logits
    mistakes: Sequence[Mistake]  # by model, test set, then the most confident first
    unreadable: Sequence[tuple[str, str, str]]  # test set, path, reason
