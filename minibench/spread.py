"""Gather the metrics that ship: `python -m minibench.spread results/demo0 results/demo1 ...`."""

import csv
import json
import shlex
from pathlib import Path
from typing import Any

from options.minibench_options import SpreadOptions
from options.parse import parse
from util.errors import UsageError, run
from util.files import atomic_write, csv_writer, write_json
from util.machine import processor

METRICS = ("ap", "accuracy")
SAME = ("packages", "python", "platform")
"""What the runs of one spread must have in common; their seeds differ."""

Metrics = dict[str, dict[str, str]]
"""By test set and metric, as fractions; "" where a metric is undefined."""


def read_rows(path: Path, columns: tuple[str, ...]) -> list[dict[str, str]]:
    """Return these columns of the rows of a CSV file; those in METRICS hold numbers or "".

    Raises UsageError where the file is missing, has no rows or no such columns.
    """
    try:
        with open(path, encoding="utf-8", newline="") as file:
            rows = [{name: row[name] or "" for name in columns} for row in csv.DictReader(file)]
        for row in rows:
            [float(row[name]) for name in METRICS if row[name]]
    except OSError as error:
        raise UsageError(f"{path}: cannot be read ({error.strerror})") from error
    except (ValueError, KeyError, csv.Error) as error:
        raise UsageError(f"{path}: no table with the columns {', '.join(columns)}") from error
    if not rows:
        raise UsageError(f"{path}: holds no rows")
    return rows


def read_metrics(results: Path) -> Metrics:
    """Return the metrics in the table.csv of a results folder."""
    rows = read_rows(results / "table.csv", ("testset", *METRICS))
    return {row["testset"]: {name: row[name] for name in METRICS} for row in rows}


def read_about(path: Path, *keys: str) -> dict[str, Any]:
    """Return the values of `keys` in a JSON file. Raises UsageError where one is missing."""
    try:
        about = json.loads(path.read_bytes())
        return {key: about[key] for key in keys}
    except OSError as error:
        raise UsageError(f"{path}: cannot be read ({error.strerror})") from error
    except (ValueError, LookupError, TypeError, RecursionError) as error:
        raise UsageError(f"{path}: does not tell {', '.join(keys)}") from error


def read_run(results: Path) -> dict[str, Any]:
    """Return the seed, the versions and the two commands of the run behind these results."""
    about = read_about(results / "metrics.json", "weights", "dataroot")
    weights = Path(about["weights"])  # as eval.py was given it, from where results/ lies
    run_json = results.parent.parent / weights.parent / "run.json"
    about_run = read_about(run_json, "seed", "command", *SAME)
    scored = ["--model_path", about["weights"], "--dataroot", about["dataroot"]]
    commands = [about_run.pop("command"), shlex.join(["python", "eval.py", *scored])]
    return {**about_run, "commands": commands}


def gather(folders: list[Path]) -> tuple[list[list[str]], dict[str, Any]]:
    """Return the rows of all runs, and how they were made.

    Raises UsageError where two runs have the same seed, or differ in versions or platform.
    """
    runs = [read_run(folder) for folder in folders]
    rows: list[list[str]] = []
    seeds: list[int] = []
    for folder, made in zip(folders, runs, strict=True):
        if differing := [key for key in SAME if made[key] != runs[0][key]]:
            raise UsageError(f"{folder}: has other {differing[0]} than {folders[0]}")
        if made["seed"] in seeds:
            raise UsageError(f"{folder}: seed {made['seed']} is there twice")
        seeds.append(made["seed"])
        for name, metrics in read_metrics(folder).items():
            rows.append([str(made["seed"]), name, *metrics.values()])
    about = {"seeds": seeds, **{key: runs[0][key] for key in ("packages", "python")}}
    about |= {"processor": processor()[0], "commands": [made["commands"] for made in runs]}
    return rows, about


def main() -> None:
    """Write the metrics, and beside them how they were made, as the command line says."""
    options = parse(SpreadOptions)
    out = Path(options.out)
    if out.exists() and not options.overwrite:
        raise UsageError(f"--out {out}: is there already; add --overwrite to replace it")
    rows, about = gather([Path(folder) for folder in options.results])
    with atomic_write(str(out)) as file:
        table = csv_writer(file)
        table.writerow(("seed", "testset", *METRICS))
        table.writerows(rows)
    write_json(str(out.with_suffix(".json")), about)
    print(f"{out}: {len(about['seeds'])} runs")


if __name__ == "__main__":
    run(main)
