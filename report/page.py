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


class Fact(NamedTuple):
    """A figure of the first screen, and what stands below it."""

    name: str
    value: str
    below: str = ""
    link: str = ""  # the part of the page that has more of it; "": none


class Overview(NamedTuple):
    """What is to be known of a model first."""

    model: str
    facts: Sequence[Fact]


class HeatMap(NamedTuple):
    """A table whose cells have a colour, from 0 (worst) to 9 (best); -1 where there is nothing."""

    title: str
    headings: Sequence[str]
    rows: Sequence[tuple[str, Sequence[tuple[str, int]]]]  # name -> text and colour of each cell


class Mark(NamedTuple):
    """A way to choose the threshold: logits above which an image is called fake."""

    about: str  # how it was chosen, in a sentence
    logits: Mapping[str, Mapping[str, float]]  # model -> test set -> logit; what lacks has none


Image = bytes | str  # PNG or JPEG, embedded, or its path relative to the page


class Picture(NamedTuple):
    """An image of a test set as the first model that scored it saw it, shrunk."""

    image: Image
    width: int  # of the file, in pixels
    height: int
    heatmaps: Mapping[str, Image] = {}  # model -> what it saw, with Grad-CAM laid over


class Page(NamedTuple):
    """The whole report."""

    title: str
    overviews: Sequence[Overview]
    captions: Sequence[str]  # which weights, which protocol, which mean; a paragraph each
    warnings: Sequence[str]
    heat_maps: Sequence[HeatMap]
    tables: Sequence[Table]
    drawings: Sequence[Drawing]
    models: Mapping[str, Mapping[str, Scores]]  # model name -> test set, in the order of the table
    marks: Mapping[str, Mark]  # by name
    mean_over: Sequence[str]  # test sets; those not there are passed over, none: all
    start: str  # the mark that the page opens with, and Grad-CAM was made for
    pictures: Mapping[str, Mapping[str, Picture]]  # test set -> path, not of every image
    unreadable: Sequence[tuple[str, str, str]]  # test set, path, reason
    provenance: Sequence[Table]  # of two columns


def threshold_of(page: Page, model: str, testset: str) -> float:
    """Return the logit above which an image is called fake as the page opens."""
    return page.marks[page.start].logits.get(model, {}).get(testset, 0.0)
