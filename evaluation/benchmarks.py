"""The benchmarks by name: benchmarks.json, which also says where each figure comes from."""

from __future__ import annotations

import functools
import json
import pathlib
from collections.abc import Mapping, Sequence
from typing import Any

from data.layouts import Layout, check_wanted
from evaluation.benchmark import PAPER, Benchmark, PapersProtocol, Published
from evaluation.measure import MEAN
from evaluation.metrics import METRICS
from evaluation.predictions import Scores
from evaluation.published import published
from networks.input_spec import Side
from util.console import note
from util.errors import UsageError

_FILE = pathlib.Path(__file__).with_name("benchmarks.json")


@functools.cache
def _entries() -> dict[str, Any]:
    entries: dict[str, Any] = json.loads(_FILE.read_text(encoding="utf-8"))["benchmarks"]
    return entries


def benchmark_names() -> list[str]:
    """Return what `benchmark` can be asked for."""
    return list(_entries())


def benchmark(name: str, asked_by: str = "--benchmark") -> Benchmark:
    """Return a benchmark; PAPER, which nobody asked for, for "".

    Raises UsageError that begins with `asked_by` for a name that is not known.
    """
    if not name:
        return PAPER
    if name not in _entries():
        raise UsageError(f"{asked_by} {name} is not one of {', '.join(_entries())}")
    entry = _entries()[name]
    order = tuple(entry["testsets"])
    mean_over = tuple(entry.get("mean_over", order))
    layout, protocol = dict(entry["layout"]), entry["protocol"]
    layout_words = layout.pop("words")
    ways = protocol.get("ways")
    rows = {detector: _row(row) for detector, row in entry.get("published", {}).items()}
    ours = {detector: _released(detector, order) for detector in entry.get("released", ())}
    return Benchmark(
        entry["owner"],
        order,
        mean_over,
        name=name,
        title=entry["title"],
        metrics=tuple(entry["metrics"]),
        pooled=entry.get("pooled", ""),
        miniature=entry.get("miniature", False),
        layout=Layout(**layout),
        layout_words=layout_words,
        protocol=PapersProtocol(
            protocol["words"], None if ways is None else tuple(_way(*its) for its in ways)
        ),
        note=entry.get("note", ""),
        source=entry["source"],
        published={detector: _with_mean(row, mean_over) for detector, row in (ours | rows).items()},
    )


def _way(crop: int | None, resize: int | list[int] | None) -> tuple[int | None, Side | None]:
    if isinstance(resize, list):
        height, width = resize
        return crop, (height, width)
    return crop, resize


def own_scores(
    asked: Benchmark, scores: Mapping[str, Scores], *, path: str, wanted: Sequence[str]
) -> dict[str, Scores]:
    """Return the scores of a benchmark's own test sets, and say which others are left out.

    Raises UsageError where `path`, which they were read from, holds none of them, or where the
    benchmark has not all that are `wanted`.
    """
    own = {name: its for name, its in scores.items() if asked.has(name)}
    if asked.name:
        check_wanted(wanted, asked.order, asked.name)
    if not own:
        raise UsageError(
            f"{path}: holds none of the test sets of --benchmark {asked.name}, which are"
            f" {', '.join(asked.order)}; it holds {', '.join(scores)}"
        )
    if others := sorted(set(scores) - set(own)):
        note(f"left out, as {asked.name} does not have them: {', '.join(others)}")
    return own


def _row(row: Mapping[str, Any]) -> Published:
    """Return an entry's row, which is by metric and in per cent, by test set and in fractions."""
    figures: dict[str, dict[str, float]] = {}
    for metric in METRICS:
        for testset, value in row.get(metric, {}).items():
            figures.setdefault(testset, {})[metric] = round(value / 100, 6)
    return Published(row["source"], figures)


def _released(detector: str, order: tuple[str, ...]) -> Published:
    figures = published(detector)
    source = "README of PeterWang512/CNNDetection: the centre crop of 224 pixels"
    return Published(source, {name: figures[name] for name in order})


def _with_mean(row: Published, mean_over: tuple[str, ...]) -> Published:
    """Return the row with the means that its source does not print, where it has all figures."""
    means = dict(row.figures.get(MEAN, {}))
    for metric in METRICS:
        known = [row.figures[t][metric] for t in mean_over if metric in row.figures.get(t, {})]
        if len(known) == len(mean_over):
            means.setdefault(metric, sum(known) / len(known))
    return row._replace(figures={**row.figures, MEAN: means} if means else row.figures)
