"""List training runs and where they were evaluated, or compare two: `python -m tools.runs A B`."""

from __future__ import annotations

import json
import math
import os
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import fields
from typing import Any

from options.parse import parse
from options.presets import PRESETS
from options.runs_options import RunsOptions
from options.train_options import TrainOptions
from tools.records import Evaluated, Run, match, read_results, read_runs
from util.console import be_quiet, warn
from util.errors import UsageError, run
from util.markdown import table

DATA = ("dataroot", "real", "fake")
UNTOLD = {"preset", "name", "checkpoints_dir", "device", "num_threads", *TrainOptions.saved.anew}
SIZES = {"loadSize": 256, "cropSize": 224, "rz_interp": ["bilinear"]}  # of torchvision's networks
COLUMNS = {"loss": "loss", "val_accuracy": "accuracy", "val_ap": "AP", "lr": "rate"}  # of history

Places = Mapping[str, Sequence[tuple[str, Evaluated]]]


def listing(runs: Sequence[Run], places: Places) -> str:
    """Return a table of the runs, one of where they were evaluated, and the options of each."""
    rows = []
    for each in runs:
        best = each.best()
        figures = [_figure(best.get("val_accuracy")), _figure(best.get("val_ap"))]
        counts = [f"{each.last(column):,}" for column in ("epoch", "total_steps")]
        rows.append([each.name, each.state, *counts, *figures])
    headings = ["run", "state", "epochs", "steps", "best validation accuracy", "its AP"]
    evaluated = [
        [each.name, _which(file), its.place, its.crop, _figure(its.mean), str(len(its.ap))]
        for each in runs
        for file, its in places[each.name]
    ]
    where = ["evaluated", "checkpoint", "results", "crop", "mean AP", "test sets"]
    told = "\n".join(f"{each.name}: {shlex.join(own_options(each.options))}" for each in runs)
    parts = [table(headings, rows, num_left=2)]
    parts += [table(where, evaluated, num_left=3)] if evaluated else []
    return "\n\n".join([*parts, "figures are in per cent; options that are not the default:", told])


def own_options(values: Mapping[str, Any]) -> list[str]:
    """Return the flags that set a run apart from one with the defaults: its data, its presets, and
    what is otherwise than they say.
    """
    presets = [name for name in values.get("preset", []) if name in PRESETS]
    usual = {field.name: field.default for field in fields(TrainOptions)}
    for name in presets:
        usual |= PRESETS[name]
    usual = json.loads(json.dumps(usual))
    if not str(values.get("arch")).startswith("timm:"):
        usual |= {name: size for name, size in SIZES.items() if not usual[name]}
    data = [name for name in (DATA[1:] if values.get("fake") else DATA[:1]) if name in values]
    told = [word for name in data for word in (f"--{name}", _shown(values[name]))]
    told += ["--preset", ",".join(presets)] if presets else []
    for name, value in values.items():
        if name not in {*UNTOLD, *DATA} and value != usual.get(name):
            told += [f"--{name}=false"] if value is False else [f"--{name}"]
            told += [] if isinstance(value, bool) else [_shown(value)]
    return told


def comparison(both: Sequence[Run], places: Places) -> str:
    """Return what sets two runs apart: options, history and figures, side by side."""
    first, second = both
    names = dict.fromkeys((*first.options, *second.options))
    differ = [
        [f"--{name}", *(_shown(each.options.get(name)) for each in both)]
        for name in names
        if name != "name" and first.options.get(name) != second.options.get(name)
    ]
    parts = [table(["option", first.name, second.name], differ) if differ else "the same options"]

    columns = [c for c in COLUMNS if any(c in row for each in both for row in each.history)]
    headings = [f"{COLUMNS[c]} {each.name}" for c in columns for each in both]
    epochs = max(len(each.history) for each in both)
    rows = [
        [str(n + 1), *(_cell(each, n, column) for column in columns for each in both)]
        for n in range(epochs)
    ]
    parts.append(table(["epoch", *headings], rows) if rows else "no epoch has ended")

    results = [(each.name, file, its) for each in both for file, its in places[each.name]]
    testsets = dict.fromkeys(name for _, _, its in results for name in its.ap)
    headings = [f"{name}, {_which(file)}, {its.place}" for name, file, its in results]
    rows = [[t, *(_figure(its.ap.get(t)) for _, _, its in results)] for t in testsets]
    rows.append(["mean", *(_figure(its.mean) for _, _, its in results)])
    parts.append(table(["AP of", *headings], rows) if results else "neither was evaluated")
    return "\n\n".join(parts)


def main() -> None:
    """List or compare, as the command line says; what cannot be read is a warning."""
    options = parse(RunsOptions)
    be_quiet(options.quiet)
    if not os.path.isdir(options.checkpoints_dir):
        raise UsageError(f"--checkpoints_dir {options.checkpoints_dir}: no such folder")
    runs = read_runs(options.checkpoints_dir)
    if not runs:
        raise UsageError(f"--checkpoints_dir {options.checkpoints_dir}: holds no run")
    results, problems = read_results(options.results_dir, runs)
    known = {each.name: each for each in runs}
    if lost := [name for name in options.name if name not in known]:
        raise UsageError(f"NAME: no run {lost[0]} in {options.checkpoints_dir}: {', '.join(known)}")
    chosen = [known[name] for name in options.name] or runs
    places = match(chosen, results)
    for text in [*(text for each in chosen for text in each.problems), *problems]:
        warn(text)
    print(comparison(chosen, places) if options.name else listing(chosen, places))


def _shown(value: Any) -> str:  # noqa: ANN401
    if isinstance(value, list):
        return ",".join(map(str, value))
    return "" if value is None else str(value).lower() if isinstance(value, bool) else str(value)


def _figure(fraction: float | None) -> str:
    return "" if fraction is None or math.isnan(fraction) else f"{100 * fraction:.2f}"


def _cell(its: Run, number: int, column: str) -> str:
    value = its.history[number].get(column) if number < len(its.history) else None
    if column.startswith("val_"):
        return _figure(value)
    return "" if value is None or math.isnan(value) else f"{value:.4g}"


def _which(file: str) -> str:
    return file.removeprefix("model_epoch_").removesuffix(".pth")


if __name__ == "__main__":
    run(main)
