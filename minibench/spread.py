"""Gather the figures that ship: `python -m minibench.spread results/demo0 results/demo1 ...`."""

import csv
import json
import shlex
from pathlib import Path
from typing import Any

from options.minibench_options import SpreadOptions
from options.parse import parse
from util.errors import UsageError, run
from util.files import atomic_write, csv_writer
from util.machine import processor

FIGURES = ("ap", "accuracy")
SAME = ("packages", "python", "platform")
"""What the runs of one spread must have in common; the seed is what differs."""

Figures = dict[str, dict[str, str]]
"""By test set and figure, as fractions; empty where a figure is undefined."""


def read_rows(path: Path, columns: tuple[str, ...]) -> list[dict[str, str]]:
    """Return the rows of a CSV file, these columns alone, those of FIGURES being numbers.

    Raises UsageError where the file is missing or is another one.
    """
    try:
        with open(path, encoding="utf-8", newline="") as file:
            rows = [{name: row[name] or "" for name in columns} for row in csv.DictReader(file)]
        for row in rows:
            [float(row[name]) for name in FIGURES if row[name]]
    except OSError as error:
        raise UsageError(f"{path}: cannot be read ({error.strerror})") from error
    except (ValueError, KeyError, csv.Error) as error:
        raise UsageError(f"{path}: no table with the columns {', '.join(columns)}") from error
    if not rows:
        raise UsageError(f"{path}: holds no rows")
    return rows


def read_figures(results: Path) -> Figures:
    """Return the figures in the table.csv of a results folder."""
    rows = read_rows(results / "table.csv", ("testset", *FIGURES))
    return {row["testset"]: {name: row[name] for name in FIGURES} for row in rows}


def read_about(path: Path, *keys: str) -> dict[str, Any]:
    """Return what a JSON file says of `keys`; raises UsageError where it does not say it."""
    try:
        about = json.loads(path.read_bytes())
        return {key: about[key] for key in keys}
    except OSError as error:
        raise UsageError(f"{path}: cannot be read ({error.strerror})") from error
    except (ValueError, LookupError, TypeError, RecursionError) as error:
        raise UsageError(f"{path}: does not tell {', '.join(keys)}") from error


def read_run(results: Path) -> dict[str, Any]:
    """Return what the run of these results says of itself: seed, versions, and its two commands."""
    about = read_about(results / "metrics.json", "weights", "dataroot")
    weights = Path(about["weights"])  # as eval.py was given it, from where results/ lies
    run_json = results.parent.parent / weights.parent / "run.json"
    told = read_about(run_json, "seed", "command", *SAME)
    scored = ["--model_path", about["weights"], "--dataroot", about["dataroot"]]
    commands = [told.pop("command"), shlex.join(["python", "eval.py", *scored])]
    return {**told, "commands": commands}


def gather(folders: list[Path]) -> tuple[list[list[str]], dict[str, Any]]:
    """Return the rows of all runs, and what is to be said of them.

    Raises UsageError where two runs have one seed, or differ in versions or machine.
    """
    runs = [read_run(folder) for folder in folders]
    rows: list[list[str]] = []
    seeds: list[int] = []
    for folder, run_of in zip(folders, runs, strict=True):
        if differing := [key for key in SAME if run_of[key] != runs[0][key]]:
            raise UsageError(f"{folder}: has other {differing[0]} than {folders[0]}")
        if run_of["seed"] in seeds:
            raise UsageError(f"{folder}: seed {run_of['seed']} is there twice")
        seeds.append(run_of["seed"])
        for name, figures in read_figures(folder).items():
            rows.append([str(run_of["seed"]), name, *figures.values()])
    about = {"seeds": seeds, **{key: runs[0][key] for key in ("packages", "python")}}
    about |= {"processor": processor()[0], "commands": [run_of["commands"] for run_of in runs]}
    return rows, about


def main() -> None:
    """Write the figures, and beside them what they were made with, as the command line says."""
    options = parse(SpreadOptions)
    out = Path(options.out)
    if out.exists() and not options.overwrite:
        raise UsageError(f"--out {out}: is there already; add --overwrite to replace it")
    rows, about = gather([Path(folder) for folder in options.results])
    with atomic_write(str(out)) as file:
        table = csv_writer(file)
        table.writerow(("seed", "testset", *FIGURES))
        table.writerows(rows)
    with atomic_write(str(out.with_suffix(".json"))) as file:
        json.dump(about, file, indent=1)
        file.write("\n")
    print(f"{out}: {len(about['seeds'])} runs")


if __name__ == "__main__":
    run(main)
