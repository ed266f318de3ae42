"""Open, read and describe a training run's folder."""

from __future__ import annotations

import datetime
import json
import os
import pathlib
import platform
import shutil
import time
from collections.abc import Sequence
from typing import Any

from util import run_lock
from util.checkpoint import read_checkpoint
from util.console import warn
from util.errors import UsageError
from util.files import write_json
from util.machine import about_program

LATEST, BEST = "model_epoch_latest.pth", "model_epoch_best.pth"
CHECKPOINTS, TRACKERS = (BEST, LATEST), "trackers.json"
PREVIOUS = "model_epoch_previous.pth"  # the LATEST before this one
UNFINISHED = "*.tmp"  # ending of temporary files, left by a run that was killed while writing
OWN_FILES = (
    "model_epoch_*.pth",
    "options.json",
    "run.json",
    "history.csv",
    "train",
    "val",
    "before_after",
    TRACKERS,
    "wandb",
)


def open_run(folder: str, continue_run: bool, overwrite: bool) -> None:
    """Create the folder and lock it (`util.run_lock`); with `overwrite`, remove the run in it.

    That removes what a run writes (OWN_FILES) and nothing else. Raises UsageError where the
    folder holds a run that is neither to be continued nor replaced.
    """
    if own_files(folder) and not (continue_run or overwrite):
        raise UsageError(
            f"--name: {folder} holds a run already; add --continue_train to go on with it,"
            " --overwrite to replace it, or choose another name"
        )
    os.makedirs(folder, exist_ok=True)
    run_lock.acquire(folder)
    for path in own_files(folder) if overwrite else ():
        shutil.rmtree(path) if path.is_dir() else path.unlink()
    for pattern in (*OWN_FILES, run_lock.NAME):
        for path in pathlib.Path(folder).glob(f"{pattern}.{UNFINISHED}"):
            path.unlink(missing_ok=True)  # one that fails to get the lock removes its own


def refuse_to_remove(folder: str, weights: str) -> None:
    """Raise UsageError where replacing the run would remove the `weights` that it starts from."""
    for path in own_files(folder):
        if path.is_file() and os.path.exists(weights) and path.samefile(weights):
            raise UsageError(
                f"--init {weights} is a file of the run that --overwrite removes; copy it first, or"
                " choose another --name"
            )


def own_files(folder: str) -> list[pathlib.Path]:
    """Return what a run has written in the folder (OWN_FILES)."""
    return [path for pattern in OWN_FILES for path in pathlib.Path(folder).glob(pattern)]


def read_latest(folder: str) -> tuple[str, dict[str, Any]] | None:
    """Return the path and content of the checkpoint to resume from; None where there is none.

    That is the latest; where it is lost or damaged (by a failing disk: a kill leaves it whole), the
    one before it, else the newest of the others. Each holds everything that resumes. Raises
    UsageError where there are checkpoints and none can be read.
    """
    names = [LATEST, PREVIOUS]
    kept = pathlib.Path(folder).glob("model_epoch_*.pth")
    others = [path for path in kept if path.name not in names]
    others.sort(key=lambda path: path.stat().st_mtime, reverse=True)
    paths = [os.path.join(folder, name) for name in (*names, *(path.name for path in others))]
    if not any(map(os.path.exists, paths)):
        return None
    problem: UsageError | None = None
    for path in paths:
        try:
            checkpoint = read_checkpoint(path)
        except UsageError as error:
            problem = problem or error
            continue
        if problem:
            which = "the one before it" if path == paths[1] else "the newest that can be read"
            warn(f"{problem}; going on from {which}, {path}")
        return path, checkpoint
    raise problem or UsageError(f"{folder}: holds no checkpoint")


def last_good(folder: str) -> str:
    """Return, in words, the checkpoint from which a failed run can be resumed."""
    path = os.path.join(folder, LATEST)
    return f"the last good checkpoint is {path}" if os.path.exists(path) else "none was saved"


def refuse_changes(
    folder: str,
    before: dict[str, Any],
    now: dict[str, Any],
    *,
    may_change: set[str],
    allowed: Sequence[str],
) -> None:
    """Raise UsageError where a run would be continued from other things than it was `made_from`.

    `before` and `now` are such records. Refused are other "options", except those in `may_change`,
    and other "data" or "processes", unless their names are in `allowed`. Another "machine" changes
    the rounding alone: it is a warning. What `before` lacks, as that of an older checkpoint may, is
    not compared.
    """
    old = before.get("options") or read_json(path := os.path.join(folder, "options.json"))
    if old is None:
        warn(f"{path}: lost, and the checkpoint is too old to say; the options are not compared")
        old = {}
    wanted = json.loads(json.dumps(now["options"]))  # as JSON stores it: tuples as lists
    differ = [k for k in wanted if k not in may_change and old.get(k, wanted[k]) != wanted[k]]
    if differ:
        changes = ", ".join(f"--{k} was {old[k]}, is {wanted[k]}" for k in differ)
        raise UsageError(f"{folder}: cannot be continued with other options: {changes}")
    refused = []
    for kind in ("data", "processes", "machine"):
        was = before.get(kind, {})
        found = [f"{k} {was[k]}, now {v}" for k, v in now[kind].items() if was.get(k, v) != v]
        if found and kind in allowed:
            warn(f"{folder}: goes on with other {kind}: {'; '.join(found)}")
        elif found and kind == "machine":
            warn(f"{folder}: goes on from the same state, not to the same bits: {found[0]}")
        elif found:
            refused.append((kind, "; ".join(found)))
    if refused:
        changes = "; ".join(text for _, text in refused)
        names = ",".join(kind for kind, _ in refused)
        raise UsageError(
            f"{folder}: the run was made from something else: {changes}; restore that, or add"
            f" --allow_changes {names} to go on knowingly"
        )


def write_about(
    folder: str, options: dict[str, Any], *, data: dict[str, str], continues: bool
) -> None:
    """Write options.json and run.json.

    run.json holds the command, the git commit, versions and platform, the seed, the fingerprints of
    the data, the time of the start and, under "continues", the run.json of the run it continues.
    """
    path = os.path.join(folder, "run.json")
    about = {
        **about_program(),
        "platform": platform.platform(),
        "seed": options["seed"],
        "data_fingerprint": data,
        "started": time_of(time.time()),
        "continues": read_json(path) if continues else None,
    }
    if continues and about["continues"] is None:
        warn(f"{path}: lost; when the run began, and with which code, is not known any more")
    write_json(os.path.join(folder, "options.json"), options)
    write_json(path, about)


def end(folder: str) -> None:
    """Add "ended" to run.json: the time of the latest checkpoint.

    Call it last: "ended" says that everything else in the folder is complete.
    """
    path = os.path.join(folder, "run.json")
    last = os.path.getmtime(os.path.join(folder, LATEST))
    write_json(path, {**(read_json(path) or {}), "ended": time_of(last)})


def has_ended(folder: str) -> bool:
    """Return whether run.json has "ended" and history.csv exists."""
    about = read_json(os.path.join(folder, "run.json"))
    return "ended" in (about or {}) and os.path.exists(os.path.join(folder, "history.csv"))


def read_json(path: str) -> dict[str, Any] | None:
    """Return the dict that `write_json` wrote; None where the file is lost or damaged."""
    try:
        with open(path, encoding="utf-8") as file:
            values = json.load(file)
    except (FileNotFoundError, ValueError):
        return None
    return values if isinstance(values, dict) else None


def time_of(seconds: float) -> str:
    """Format seconds since 1970 as ISO 8601 local time, to the second, with its UTC offset."""
    moment = datetime.datetime.fromtimestamp(seconds)
    return moment.astimezone().isoformat(timespec="seconds")
