"""Whether what was measured of a published detector is what its authors report."""

from __future__ import annotations

import math
from typing import NamedTuple

from evaluation.evaluation import Evaluation
from evaluation.measure import Estimate
from networks.detectors.release import Release
from util.markdown import table

AGREES, DIFFERS, UNTOLD = "agrees", "differs", "cannot be told"
DECIMALS = 3  # of a published fraction, at least: a trailing zero falls away in a float


class Verdict(NamedTuple):
    """What a comparison says, and why it says nothing where it does."""

    word: str
    reason: str = ""


def verdict(published: float | None, measured: Estimate, *, unlike: str = "") -> Verdict:
    """Compare a published fraction with a measured one: they agree where the published one lies in
    the 95 % interval, widened by the half unit of its last digit that was rounded away.

    `unlike` says why the two are not of the same images, if they are not.
    """
    if published is None:
        return Verdict(UNTOLD, "nothing published is known here")
    if unlike:
        return Verdict(UNTOLD, unlike)
    if math.isnan(measured.value):
        return Verdict(UNTOLD, "it is undefined on these images")
    if math.isnan(measured.low):
        return Verdict(UNTOLD, "no interval is computed for this metric")
    rounded = 0.5 * 10.0 ** -decimals(published)
    fits = measured.low - rounded <= published <= measured.high + rounded
    return Verdict(AGREES if fits else DIFFERS)


def decimals(fraction: float) -> int:
    """Return with how many decimals a published fraction was printed."""
    return max(DECIMALS, len(f"{fraction!r}".partition(".")[2]))


def why_unlike(evaluation: Evaluation) -> str:
    """Return why a published mean over the whole benchmark is not of these images; "" if it is."""
    asked = evaluation.benchmark
    if evaluation.provenance.note and not asked.miniature:
        return "the images are the miniature's"
    if asked.is_partial(evaluation.scores):
        lacking = [name for name in asked.mean_over if name not in evaluation.scores]
        return f"{len(lacking)} of {len(asked.mean_over)} test sets are missing"
    return ""


def describe(evaluation: Evaluation, its: Release) -> str:
    """Return what was scored, and a table: a row for each metric that the authors report on the
    benchmark or, where they report none, that its papers do. In per cent.
    """
    asked, origin = evaluation.benchmark, evaluation.provenance
    figures = its.published.get(asked.name, {})
    chosen = asked.chosen(evaluation.scores)
    images = sum(len(evaluation.scores[name].paths) for name in chosen)
    transform = origin.protocol.describe() if origin.protocol else "not known"
    lines = [
        f"{origin.arch} ({its.paper}), {origin.weights}",
        f"benchmark: {asked.name}, mean over {asked.describe_mean(evaluation.scores)} test sets",
        f"images: {images:,}",
        f"transform: {transform}",
    ]
    if its.published_of and figures:
        lines.append(f"published: of the file {its.published_of}")
    mean, unlike = evaluation.mean().metrics, why_unlike(evaluation)
    rows = []
    for metric in figures or asked.metrics:
        published, measured = figures.get(metric), mean[metric]
        word, reason = verdict(published, measured, unlike=unlike)
        shown = "" if published is None else f"{100 * published:.{decimals(published) - 2}f}"
        interval = f"{_per_cent(measured.low)} to {_per_cent(measured.high)}"
        interval = "" if math.isnan(measured.low) else interval
        rows.append([metric, shown, _per_cent(measured.value), interval, word, reason])
    headings = ["metric", "published", "measured", "95 % interval", "verdict", "why"]
    if not any(row[-1] for row in rows):
        headings, rows = headings[:-1], [row[:-1] for row in rows]
    return "\n".join([*lines, "", table(headings, rows), ""])


def _per_cent(fraction: float) -> str:
    return "" if math.isnan(fraction) else f"{100 * fraction:.2f}"
