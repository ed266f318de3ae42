"""The tidy tables of the studies: a CSV file each, and beside it how it was made."""

from __future__ import annotations

import csv
import json
import platform
import shlex
import subprocess
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from studies.catalogue import STUDIES, Cell, Row, read_csv
from studies.jobs import ROOT, finished, in_order
from util.errors import UsageError
from util.files import atomic_write, csv_writer, write_json
from util.machine import processor, versions

LAST = ("seed", "testset", "metric", "value")
Run = dict[str, Any]  # how some seeds' rows were made
PACKAGES = ("torch", "torchvision", "numpy", "pillow", "opencv-python-headless", "scipy")


def columns_of(study: str) -> tuple[str, ...]:
    """Return the columns of a study's CSV file."""
    return ("study", *STUDIES[study].columns, *LAST)


def rows_of(study: str, cells: Iterable[Cell], done: Mapping[str, Any]) -> list[Row]:
    """Return the rows of the cells whose job has ended well; of the others there are none."""
    return [
        {"study": study, "seed": cell.seed, **row}
        for cell in cells
        if cell.job.name in done
        for row in cell.read()
    ]


def write_results(
    folder: Path, study: str, cells: list[Cell], *, out: Path, about: Mapping[str, Any]
) -> int:
    """Write <folder>/<study>.csv and .json, in which the rows of seeds that are not run now stay,
    and those of seeds of which a job has failed now, if they are of the same images.

    Returns the number of rows written. Without new rows it writes nothing and returns 0.
    """
    done = finished(in_order(cell.job for cell in cells), out)
    failed = {cell.seed for cell in cells if cell.job.name not in done}
    alike = [run for run in others(folder, study, [])[1] if run["images"] == about["images"]]
    stay = failed & {seed for run in alike for seed in run["seeds"]}
    cells = [cell for cell in cells if cell.seed not in stay]
    new = rows_of(study, cells, done)
    if not new:
        return 0
    kept, runs = others(folder, study, cells)
    rows = sorted(kept + new, key=lambda row: int(row["seed"] or 0))
    with atomic_write(str(folder / f"{study}.csv")) as file:
        table = csv_writer(file)
        table.writerow(columns_of(study))
        table.writerows([row[name] for name in columns_of(study)] for row in rows)
    ended = [job.name for job in in_order(cell.job for cell in cells) if job.name in done]
    jobs = {name: {k: done[name][k] for k in ("command", "seconds")} for name in ended}
    run = {**about, "seeds": list(dict.fromkeys(row["seed"] for row in new)), "jobs": jobs}
    write_json(str(folder / f"{study}.json"), {"runs": [*runs, run]})
    return len(rows)


def others(folder: Path, study: str, cells: Iterable[Cell]) -> tuple[list[Row], list[Run]]:
    """Return the rows that are there of seeds that no cell has, and the runs that made them."""
    seeds = {cell.seed for cell in cells}
    kept = [row for row in read_results(folder, study) if row["seed"] not in seeds]
    their = {row["seed"] for row in kept}
    runs = read_runs(folder, study) if kept else []
    left = [{**run, "seeds": [seed for seed in run["seeds"] if seed in their]} for run in runs]
    return kept, [run for run in left if run["seeds"]]


def read_runs(folder: Path, study: str) -> list[Run]:
    """Return how a study's rows were made, a dict for each run: about, its seeds, its jobs.

    Raises UsageError where the file is not there, or no such record.
    """
    path = folder / f"{study}.json"
    try:
        runs: list[Run] = json.loads(path.read_bytes())["runs"]
    except (OSError, ValueError, LookupError, TypeError) as error:
        raise UsageError(f"{path}: is no record of python -m studies ({error})") from error
    return runs


def read_results(folder: Path, study: str) -> list[Row]:
    """Return the rows of a study; none where it was not run.

    Raises UsageError where the file is no such table.
    """
    path = folder / f"{study}.csv"
    if not path.is_file():
        return []
    try:
        rows = read_csv(path)
        [float(row["value"]) for row in rows]
    except (ValueError, TypeError, KeyError, csv.Error) as error:
        raise UsageError(f"{path}: is no table of python -m studies ({error})") from error
    if not rows or tuple(rows[0]) != columns_of(study):
        raise UsageError(f"{path}: has no rows with the columns {', '.join(columns_of(study))}")
    return rows


def refuse_other_images(folder: Path, study: str, cells: Iterable[Cell], *, images: str) -> None:
    """Raise UsageError where seeds that stay in the table were run on another miniature."""
    for run in others(folder, study, cells)[1]:
        if run["images"] != images:
            raise UsageError(
                f"--results {folder}: seeds {', '.join(run['seeds'])} of {study}.csv were run on"
                " other images than are made now; name another folder, or run all seeds"
            )


def made_with(argv: list[str], device: str, *, images: str) -> Run:
    """Return how results are made: command, commit, versions, machine, hash of the miniature."""
    git = subprocess.run(
        ["git", "-C", str(ROOT), "rev-parse", "HEAD"], capture_output=True, text=True, check=False
    )
    return {
        "command": shlex.join(["python", "-m", "studies", *argv]),
        "commit": git.stdout.strip() or None,
        "python": platform.python_version(),
        "packages": versions(PACKAGES),
        "processor": processor()[0],
        "device": device_name(device),
        "images": images,
    }


def device_name(device: str) -> str:
    """Return the name of the GPU that `device` means, else "cpu" or mps."""
    import torch  # noqa: PLC0415 (takes seconds)

    if device in ("cpu", "mps") or not torch.cuda.is_available():
        return "cpu" if device == "auto" else device
    return torch.cuda.get_device_name(None if device == "auto" else device)
