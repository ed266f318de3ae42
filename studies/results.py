"""The tidy tables of the studies: a CSV file each, and beside it how it was made."""

from __future__ import annotations

import csv
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
    """Write <folder>/<study>.csv and .json; return the number of rows. Without rows, nothing."""
    done = finished(in_order(cell.job for cell in cells), out)
    rows = rows_of(study, cells, done)
    if rows:
        with atomic_write(str(folder / f"{study}.csv")) as file:
            table = csv_writer(file)
            table.writerow(columns_of(study))
            table.writerows([row[name] for name in columns_of(study)] for row in rows)
        jobs = {name: {k: its[k] for k in ("command", "seconds")} for name, its in done.items()}
        write_json(str(folder / f"{study}.json"), {**about, "jobs": jobs})
    return len(rows)


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


def refuse_fewer_seeds(folder: Path, study: str, seeds: int) -> None:
    """Raise UsageError where the results that are there are of more seeds."""
    there = {row["seed"] for row in read_results(folder, study)} - {""}
    if len(there) > seeds:
        raise UsageError(
            f"--results {folder}: {study}.csv there is of {len(there)} seeds; name another folder"
            f" for those of {seeds}"
        )


def made_with(argv: list[str], device: str) -> dict[str, Any]:
    """Return how results are made: command, commit, versions, machine."""
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
    }


def device_name(device: str) -> str:
    """Return the name of the GPU that `device` means, else "cpu" or mps."""
    import torch  # noqa: PLC0415 (takes seconds)

    if device in ("cpu", "mps") or not torch.cuda.is_available():
        return "cpu" if device == "auto" else device
    return torch.cuda.get_device_name(None if device == "auto" else device)
