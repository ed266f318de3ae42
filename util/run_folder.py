"""A training run's folder: who may write into it, and what it says of how it came to be."""

from __future__ import annotations

import datetime
import json
import os
import pathlib
import platform
import shlex
import shutil
import subprocess
import sys
from typing import Any

from util.checkpoint import read_checkpoint
from util.console import warn
from util.errors import InputError
from util.files import atomic_write
from util.machine import versions

LATEST, BEST = "model_epoch_latest.pth", "model_epoch_best.pth"
PREVIOUS = "model_epoch_previous.pth"  # what LATEST was before
UNFINISHED = "*.tmp"  # left by a run that was killed while it wrote one of these
OWN_FILES = (
    "model_epoch_*.pth",
    "options.json",
    "run.json",
    "history.csv",
    "train",
    "val",
    "before_after",
)
PACKAGES = ("torch", "torchvision", "numpy", "pillow", "opencv-python-headless", "scipy")


def open_run(
    folder: str, options: dict[str, Any], may_change: set[str], continue_run: bool, overwrite: bool
) -> bool:
    """Make the folder ready; return whether it holds a checkpoint to go on from.

    A run that is there is continued or replaced only when asked, and continued only with the
    same `options`, but for those that `may_change`. Replacing removes what a run writes
    (OWN_FILES) and nothing else. Raises InputError otherwise.
    """
    found = [path for pattern in OWN_FILES for path in pathlib.Path(folder).glob(pattern)]
    if found and not (continue_run or overwrite):
        raise InputError(
            f"--name: {folder} holds a run already; add --continue_train to go on with it,"
            " --overwrite to replace it, or choose another name"
        )
    if overwrite:
        for path in found:
            shutil.rmtree(path) if path.is_dir() else path.unlink()
    os.makedirs(folder, exist_ok=True)
    for pattern in OWN_FILES:
        for path in pathlib.Path(folder).glob(f"{pattern}.{UNFINISHED}"):
            path.unlink()
    goes_on = continue_run and os.path.exists(os.path.join(folder, LATEST))
    if goes_on:
        before = read_json(os.path.join(folder, "options.json"))
        wanted = json.loads(json.dumps(options))  # as JSON has it: a list for a tuple
        differ = [
            k for k in wanted if k not in may_change and before.get(k, wanted[k]) != wanted[k]
        ]
        if differ:
            changes = ", ".join(f"--{k} was {before[k]}, is {wanted[k]}" for k in differ)
            raise InputError(f"{folder}: cannot be continued with other options: {changes}")
    return goes_on


def read_latest(folder: str) -> dict[str, Any]:
    """The checkpoint to go on from: the latest or, where that is damaged (by a failing disk; a
    kill leaves it whole), the one before. Raises InputError where neither can be read.
    """
    try:
        return read_checkpoint(os.path.join(folder, LATEST))
    except InputError as error:
        previous = os.path.join(folder, PREVIOUS)
        if not os.path.exists(previous):
            raise
        warn(f"{error}; going on from the one before it, {previous}")
        return read_checkpoint(previous)


def write_about(
    folder: str, options: dict[str, Any], data: dict[str, str], continues: bool
) -> dict[str, Any]:
    """Write options.json and run.json; return what the latter says: the command, the code, the
    machine, the fingerprints of the data, and the run.json of the run it continues.
    """
    path = os.path.join(folder, "run.json")
    about = {
        "command": shlex.join([os.path.basename(sys.executable), *sys.argv]),
        "git_commit": _git_commit(),
        "python": platform.python_version(),
        "packages": versions(PACKAGES),
        "platform": platform.platform(),
        "seed": options["seed"],
        "data_fingerprint": data,
        "started": now(),
        "continues": read_json(path) if continues else None,
    }
    write_json(os.path.join(folder, "options.json"), options)
    write_json(path, about)
    return about


def end(folder: str, about: dict[str, Any]) -> None:
    """Add the time of the end to run.json."""
    write_json(os.path.join(folder, "run.json"), {**about, "ended": now()})


def write_json(path: str, values: dict[str, Any]) -> None:
    """Write `values` readably, in one step."""
    with atomic_write(path) as file:
        json.dump(values, file, indent=1)
        file.write("\n")


def read_json(path: str) -> dict[str, Any]:
    """Read what `write_json` wrote."""
    with open(path, encoding="utf-8") as file:
        values: dict[str, Any] = json.load(file)
    return values


def now() -> str:
    """The time, to the second, with its offset from UTC."""
    return datetime.datetime.now().astimezone().isoformat(timespec="seconds")


def _git_commit() -> str | None:
    """The commit of this code, with "+changes" where the work tree differs; None without git."""
    here = os.path.dirname(os.path.abspath(__file__))
    git = ["git", "-C", here]
    try:
        commit = subprocess.run(
            [*git, "rev-parse", "HEAD"], capture_output=True, text=True, check=True
        )
        status = subprocess.run(
            [*git, "status", "--porcelain", "-uno"], capture_output=True, text=True, check=True
        )
    except (OSError, subprocess.CalledProcessError):
        return None
    return commit.stdout.strip() + ("+changes" if status.stdout.strip() else "")
