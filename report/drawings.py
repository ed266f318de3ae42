"""Which figures a report has: their names, titles and order."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

from matplotlib.figure import Figure

from evaluation.compare import agreement
from evaluation.evaluation import Evaluation
from evaluation.metrics import ECE_BINS
from report.figures.agreement import logits_against_logits, who_is_right
from report.figures.bars import performance_bars
from report.figures.curves import (
    low_rate_curves,
    overlay,
    overlay_planes,
    precision_recall_curves,
    roc_curves,
)
from report.figures.panels import Panels, figure_of, picture_of
from report.figures.ranking import ranking_against_accuracy
from report.figures.reliability import reliability_diagrams
from report.figures.robustness import robustness_panels
from report.figures.scores import score_histograms
from util.drawing import Drawing, picture, save_figure
from util.progress import Progress

Draw = Callable[[], Figure]


class Wanted(NamedTuple):
    """A figure to be drawn: whole, for papers, and the pictures of the page with their words."""

    name: str
    title: str
    draw: Draw
    pictures: Sequence[tuple[str, Draw]]
    summary: str = ""


def drawings(folder: str, evaluations: Sequence[Evaluation], threshold: float) -> list[Drawing]:
    """Save every figure of evaluations, side by side where they are several, into `folder`; return
    them in the order of the page. `threshold` is a logit.
    """
    wanted = [
        *_summaries(evaluations),
        *_by_testset(evaluations, threshold),
        *_pairs(evaluations, threshold),
        *_degraded(evaluations),
    ]
    drawn = []
    number = sum(1 + len(its.pictures) for its in wanted)
    with Progress(number, "figures", unit="picture", delay=1) as bar:
        for its in wanted:
            save_figure(folder, its.name, its.draw)
            bar.update()
            pictures = []
            for words, draw in its.pictures:
                pictures.append(picture(words, draw))
                bar.update()
            drawn.append(Drawing(its.name, its.title, pictures, its.summary))
    return drawn


def _summaries(evaluations: Sequence[Evaluation]) -> Iterator[Wanted]:
    """Yield the figures in which every test set is a mark."""
    lines = {each.name: each.lines() for each in evaluations}
    title = "Average precision by generator, with 95 % intervals"
    draw = functools.partial(performance_bars, lines)
    yield Wanted("performance", title, draw, [(title, draw)])
    title = (
        "Average precision against accuracy at probability 0.5. The line from a point ends at the"
        " accuracy of the best threshold: where it is long, images are ranked well and cut at the"
        " wrong place"
    )
    measured = {each.name: [*each.measured.values(), each.mean()] for each in evaluations}
    each_alone = [
        (
            f"Average precision against accuracy{_of(name, evaluations)}",
            functools.partial(ranking_against_accuracy, measured, name),
        )
        for name in measured
    ]
    draw = functools.partial(ranking_against_accuracy, measured)
    yield Wanted("ap_against_accuracy", title, draw, each_alone)
    scores = evaluations[0].scores
    if len(evaluations) == 1 and len(scores) > 1:
        planes = overlay_planes(scores)
        yield Wanted(
            "overlay",
            "All test sets in one panel: ROC, precision and recall, and ROC at low false positive"
            " rates, the best first in the legend, in per cent",
            functools.partial(overlay, scores, planes),
            [
                (
                    f"{plane.labels[1]} over {plane.labels[0]} of all test sets,"
                    f" {plane.metric_name} in the legend",
                    functools.partial(overlay, scores, [plane]),
                )
                for plane in planes
            ],
        )


def _by_testset(evaluations: Sequence[Evaluation], threshold: float) -> Iterator[Wanted]:
    """Yield the figures that have a panel for each test set."""
    scores = {each.name: each.scores for each in evaluations}
    yield _multiples("roc", "ROC curves", roc_curves(scores), note=", with AUROC in per cent")
    yield _multiples(
        "precision_recall",
        "Precision-recall curves",
        precision_recall_curves(scores),
        note=", with average precision in per cent",
    )
    yield _multiples(
        "roc_low_fpr",
        "ROC curves at low false positive rates",
        low_rate_curves(scores),
        note=". The axis begins at one false alarm among the reals of the largest set, each curve"
        " at one of its own; TPR, the share of fakes found, in per cent, where 1 % is an image or"
        " more",
    )
    yield _multiples(
        "reliability",
        "Reliability",
        reliability_diagrams(scores),
        note=f", with the expected calibration error (ECE, {ECE_BINS} bins) in per cent. On the"
        " diagonal a probability is what it says; the area of a dot is the share of images in its"
        " bin",
    )
    yield _multiples(
        "scores",
        "Scores of real and fake images",
        score_histograms(scores, threshold),
        note=": real blue, fake orange; the dashed line is the threshold",
    )


def _pairs(evaluations: Sequence[Evaluation], threshold: float) -> Iterator[Wanted]:
    """Yield the figure of the first model against each other."""
    first = evaluations[0]
    pairs = {(first.name, each.name): agreement(first, each) for each in evaluations[1:]}
    if not pairs:
        return
    each_alone = []
    for names, its in pairs.items():
        counts = who_is_right(names, its, threshold)
        words = ", ".join(f"{words} {number}" for words, number in counts.items())
        draw = functools.partial(logits_against_logits, {names: its}, threshold)
        each_alone.append((f"Logits of {names[1]} over those of {names[0]}. {words}", draw))
    yield Wanted(
        "agreement",
        "Logits of two models on the same images, of all test sets: the more, the stronger the"
        " colour, real blue, fake orange; the dashed lines are the threshold",
        functools.partial(logits_against_logits, pairs, threshold),
        each_alone,
    )


def _degraded(evaluations: Sequence[Evaluation]) -> Iterator[Wanted]:
    """Yield the figures of robustness, those of each model by itself."""
    for each in evaluations:
        file = f"_{each.name}" if len(evaluations) > 1 else ""
        whose = _of(each.name, evaluations)
        for degradation in dict.fromkeys(its.degradation for its in each.degraded):
            what = f"Average precision{whose} under {degradation}"
            panels = robustness_panels(each.degraded, degradation)
            yield _multiples(
                f"robustness_{degradation}{file}", what, panels, note=", with 95 % intervals"
            )


def _multiples(name: str, what: str, its: Panels, *, note: str = "") -> Wanted:
    """Return a figure whose pictures are its panels. `what` is what each shows, in words."""
    pictures = [
        (
            f"{what}: {', '.join((*panel.title, panel.words)).removesuffix(', ')}",
            functools.partial(picture_of, its, panel),
        )
        for panel in its.panels
    ]
    return Wanted(name, what + note, functools.partial(figure_of, its), pictures, what)


def _of(name: str, evaluations: Sequence[Evaluation]) -> str:
    return f" of {name}" if len(evaluations) > 1 else ""
