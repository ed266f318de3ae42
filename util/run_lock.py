"""Lock a run's folder: a file in it names the one process that may write there."""

from __future__ import annotations

import contextlib
import json
import os
import platform
from typing import Any

from util.console import warn
from util.errors import UsageError

NAME = "lock.json"


def acquire(folder: str) -> None:
    """Write the lock file; take over one whose process is dead, with a warning.

    Raises UsageError that names the file where another process holds the lock, or may hold it: that
    of another machine cannot be checked from here.
    """
    path, mine = os.path.join(folder, NAME), _owner()
    temporary = f"{path}.{os.getpid()}.tmp"
    with open(temporary, "w", encoding="utf-8") as file:
        json.dump(mine, file)
    try:
        while not _linked(temporary, path):
            _refuse_or_remove(path, mine)
    finally:
        with contextlib.suppress(FileNotFoundError):  # whoever got the lock has tidied up
            os.remove(temporary)


def at_work(folder: str) -> str:
    """Return, in words, which process is at work on the run, or may be; "" where none is."""
    other = _read(os.path.join(folder, NAME))
    if other is None:
        return ""
    if other.get("host") != platform.node():
        return f"perhaps a process on {other.get('host', 'an unknown machine')}"
    return f"process {other.get('process')}" if _lives(other) else ""


def release(folder: str) -> None:
    """Remove the lock file if this process holds it; else do nothing."""
    path = os.path.join(folder, NAME)
    if _read(path) == _owner():
        with contextlib.suppress(OSError):
            os.remove(path)


def _linked(temporary: str, path: str) -> bool:
    """Link the written file as `path`; return False where `path` exists already."""
    try:
        os.link(temporary, path)
    except FileExistsError:
        return False
    except OSError:  # a file system without hard links
        with contextlib.suppress(FileExistsError), open(path, "x", encoding="utf-8") as file:
            json.dump(_owner(), file)
            return True
        return False
    return True


def _refuse_or_remove(path: str, mine: dict[str, Any]) -> None:
    """Remove the lock file if its process is dead; else raise UsageError. `mine` is `_owner()`."""
    other = _read(path)
    if other is None:
        return  # released in the meantime
    if other.get("host") == mine["host"]:
        pid = other.get("process")
        if pid != os.getpid() and _lives(other):
            raise UsageError(f"{path}: process {pid} is at work on this run; wait for it to end")
        warn(f"{path}: process {pid}, which was at work on this run, is dead; taking over")
    elif mine["job"] and other.get("job") == mine["job"]:  # requeued by SLURM: runs once
        warn(f"{path}: this job was at work on this run on {other['host']}; taking over")
    else:
        raise UsageError(
            f"{path}: a process on {other.get('host', 'an unknown machine')} may be at work on this"
            " run; if it is not, remove this file"
        )
    with contextlib.suppress(FileNotFoundError):
        os.remove(path)


def _lives(owner: dict[str, Any]) -> bool:
    """Return whether the process that `_owner` identified on this machine is still there."""
    pid = owner.get("process")
    started = isinstance(pid, int) and _started(pid)
    return bool(started) and started == owner.get("started")


def _owner() -> dict[str, Any]:
    """Identify this process, so that a later one with the same number is not taken for it."""
    pid, job = os.getpid(), os.environ.get("SLURM_JOB_ID", "")
    return {"host": platform.node(), "process": pid, "started": _started(pid), "job": job}


def _started(pid: int) -> str:
    """Return when a process was started, in kernel ticks since the boot; "" if it is dead.

    Without /proc, returns "alive" for any that lives.
    """
    if os.path.isdir("/proc/self"):
        try:
            with open(f"/proc/{pid}/stat", encoding="utf-8", errors="replace") as file:
                fields = file.read().rpartition(")")[2].split()
        except OSError:
            return ""
        return "" if fields[0] in "ZX" else fields[19]  # Z: a zombie, dead but not yet reaped
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return ""
    except PermissionError:
        return "alive"
    return "alive"


def _read(path: str) -> dict[str, Any] | None:
    """Return the content of the lock file; {} if it is damaged, None if there is none."""
    try:
        with open(path, encoding="utf-8") as file:
            found = json.load(file)
    except FileNotFoundError:
        return None
    except ValueError:
        found = None
    return found if isinstance(found, dict) else {}
