"""What a reader must know to read a table: which weights, which protocol, which mean."""

from __future__ import annotations

from collections.abc import Sequence

from evaluation.bootstrap import CONFIDENCE
from evaluation.evaluation import Evaluation
from evaluation.protocol import ScoringProtocol

SPREAD = f"{CONFIDENCE:.0%}".replace("%", " %")


def caption(evaluation: Evaluation) -> str:
    """Return the caption of one model's table, in Markdown."""
    origin, scored = evaluation.provenance, evaluation.scores
    parts = []
    if origin.note:
        parts.append(f"**{origin.note}**")
    if origin.partial:
        every = len(scored) + len(origin.partial)
        parts.append(f"**Partial: {len(scored)} of the {every} test sets that are there.**")
    if origin.weights and not origin.weights_sha256:
        parts.append(f"{origin.arch}: {origin.weights}.")
    elif origin.weights:
        protocol = origin.protocol or ScoringProtocol()
        parts.append(
            f"{origin.arch}, weights {origin.weights} (SHA-256 {origin.weights_sha256[:12]}),"
            f" {protocol.describe()}."
        )
    else:
        parts.append(f"From {origin.predictions}.")
    benchmark = evaluation.benchmark
    if benchmark.name:
        parts.append(
            f"Benchmark {benchmark.name} ({benchmark.title}; {benchmark.source}); its papers"
            f" score: {benchmark.protocol.words}."
        )
        parts += [benchmark.note] if benchmark.note else []
    mean = f"mean over {benchmark.describe_mean(scored)} test sets"
    mean = f"**partial {mean}**" if benchmark.is_partial(scored) else mean
    parts.append(f"In per cent; accuracy at probability 0.5; {mean}.")
    if evaluation.measuring.bootstrap:
        parts.append(f"Intervals: {SPREAD}, bootstrap over {drawn(evaluation)}.")
    return " ".join(parts)


def drawn(evaluation: Evaluation) -> str:
    """Return, in words, what is drawn again for the intervals, and of clusters how many."""
    clusters = evaluation.measuring.clusters
    numbers = {its.num_clusters for its in evaluation.measured.values() if its.num_clusters}
    if not clusters.rule or not numbers:
        return "images"
    least, most = min(numbers), max(numbers)
    number = f"{least:,}" if least == most else f"{least:,} to {most:,}"
    singles = any(None in its.clusters for its in evaluation.scores.values())
    noun = clusters.noun + "s" * (most > 1)
    return f"{number} {noun}" + " or single images" * singles + " a test set" * (least < most)


def captions(evaluations: Sequence[Evaluation]) -> list[str]:
    """Return a caption for each model, which begins with its name where there are several."""
    several = len(evaluations) > 1
    return [(f"{each.name}: " if several else "") + caption(each) for each in evaluations]
