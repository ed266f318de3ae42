"""Jobs: commands that need one another, each run once, its record kept when it has ended well."""

from __future__ import annotations

import hashlib
import json
import os
import re
import shlex
import subprocess
import sys
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from util.console import say
from util.errors import UsageError
from util.files import write_json

ROOT = Path(__file__).parent.parent
WEIGHTS = "weights.pth"  # what is kept of a run: its last weights, without the optimizer's state


@dataclass(frozen=True)
class Job:
    """A command of this project that ends well or does not."""

    name: str  # of its record and its log; two jobs of one name are the same
    argv: tuple[str, ...]  # a script and its arguments, or -m and a module
    needs: tuple[Job, ...] = ()  # what must have ended well before
    machine: bool = True  # whether it takes --device and --num_threads
    optional: bool = False  # whether others can do without, as what a server may not give
    made_by: str = ""  # what besides the command determines the result
    keep: str = ""  # the checkpoint in the run's folder of which the weights are kept
    run: str = ""  # that folder

    def key(self) -> str:
        """Return a hash of all that determines the result, but for the machine and versions."""
        parts = [*self.argv, self.made_by, *(job.key() for job in self.needs)]
        return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:16]


class Machine(NamedTuple):
    """What the jobs share of this machine."""

    out: Path
    device: str = "auto"
    at_a_time: int = 1

    def threads(self) -> int:
        """Return the share of the cores that a job gets."""
        return max(1, (os.cpu_count() or 1) // self.at_a_time)


def in_order(jobs: Iterable[Job]) -> list[Job]:
    """Return the jobs and all that they need, each once, after what it needs.

    Raises ValueError where two different jobs have one name.
    """
    found: dict[str, Job] = {}
    for job in jobs:
        for each in (*in_order(job.needs), job):
            if found.setdefault(each.name, each) != each:
                raise ValueError(f"two different jobs are called {each.name}")
    return list(found.values())


def record_of(job: Job, out: Path) -> dict[str, Any] | None:
    """Return the record of a job that has ended well; None where there is none."""
    try:
        record: dict[str, Any] = json.loads((out / "jobs" / f"{job.name}.json").read_bytes())
    except (OSError, ValueError):
        return None
    return record


def finished(jobs: Iterable[Job], out: Path) -> dict[str, dict[str, Any]]:
    """Return the records of those that have ended well, by name.

    Raises UsageError where a record is of another command, or of other images.
    """
    found = {}
    for job in jobs:
        record = record_of(job, out)
        if record and record.get("key") != job.key():
            raise UsageError(
                f"--out {out}: {job.name} was made there from other images or by another command"
                " than now; name another folder, or remove this one"
            )
        if record:
            found[job.name] = record
    return found


def command_of(job: Job, machine: Machine) -> list[str]:
    """Return the command line of a job, without the interpreter, for the current folder."""
    argv = list(job.argv)
    if argv[0] != "-m":
        argv[0] = os.path.relpath(ROOT / argv[0])
    if job.machine:
        argv += ["--device", machine.device, "--num_threads", str(machine.threads())]
    return argv


def run_jobs(jobs: Sequence[Job], machine: Machine) -> list[str]:
    """Run what is not finished, several at a time; return the names of those that failed or lack
    what failed. A failed job ends no other. Ctrl-C and SIGTERM end those that run, which save.
    """
    done = set(finished(jobs, machine.out))
    pending = [job for job in jobs if job.name not in done]
    running: dict[str, tuple[Job, subprocess.Popen[bytes], float]] = {}
    lost: dict[str, bool] = {}  # name -> whether all can do without
    count, total = 0, len(pending)
    if done:
        say(f"{len(done)} of {len(jobs)} jobs are finished already")
    try:
        while pending or running:
            for job in list(pending):
                if missing := [its for its in job.needs if its.name in lost]:
                    pending.remove(job)
                    lost[job.name] = all(lost[its.name] for its in missing)
                    say(f"{job.name}: left out, for want of {missing[0].name}")
                elif len(running) < machine.at_a_time and all(n.name in done for n in job.needs):
                    pending.remove(job)
                    count += 1
                    say(f"[{count}/{total}] {job.name}: started")
                    running[job.name] = job, _start(job, machine), time.monotonic()
            time.sleep(0.05)
            for name, (job, process, since) in list(running.items()):
                if process.poll() is not None:
                    del running[name]
                    seconds = time.monotonic() - since
                    if process.returncode == 0:
                        _record(job, machine, seconds)
                        done.add(name)
                        say(f"{name}: done in {seconds:.0f} s")
                    else:
                        lost[name] = job.optional
                        say(_failure(job, machine.out, process.returncode))
    except BaseException:
        for _, process, _ in running.values():
            process.terminate()
        for _, process, _ in running.values():
            process.wait()
        raise
    return [name for name, without in lost.items() if not without]


def _start(job: Job, machine: Machine) -> subprocess.Popen[bytes]:
    log = machine.out / "logs" / f"{job.name}.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    python_path = os.pathsep.join(filter(None, (str(ROOT), os.environ.get("PYTHONPATH"))))
    threads = {"OMP_NUM_THREADS": str(machine.threads()), "PYTHONPATH": python_path}
    with log.open("ab") as file:
        return subprocess.Popen(
            [sys.executable, *command_of(job, machine)],
            stdin=subprocess.DEVNULL,
            stdout=file,
            stderr=subprocess.STDOUT,
            env={**os.environ, **threads},
            start_new_session=True,  # Ctrl-C comes from here alone, and once
        )


def _record(job: Job, machine: Machine, seconds: float) -> None:
    """Keep the weights, then the record, and only then remove the checkpoints."""
    if job.keep:
        keep_weights(Path(job.run, job.keep), Path(job.run, WEIGHTS))
    command = shlex.join(["python", *command_of(job, machine)])
    record = {"key": job.key(), "command": command, "seconds": round(seconds, 1)}
    write_json(str(machine.out / "jobs" / f"{job.name}.json"), record)
    for path in Path(job.run).glob("model_epoch_*.pth") if job.keep else ():
        path.unlink()


def keep_weights(checkpoint: Path, path: Path) -> None:
    """Write the weights of a checkpoint, a third of it, with what says how to use them."""
    from util.checkpoint import read_checkpoint, save_checkpoint  # noqa: PLC0415 (imports torch)

    state: Mapping[str, Any] = read_checkpoint(str(checkpoint))
    kept = ("arch", "crop_size", "mean", "std", "interpolation", "model", "total_steps")
    save_checkpoint(str(path), {key: state[key] for key in (*kept, "trained_on") if key in state})


def _failure(job: Job, out: Path, code: int) -> str:
    log = out / "logs" / f"{job.name}.log"
    lines = re.split(r"[\r\n]+", log.read_text(encoding="utf-8", errors="replace").strip())
    what = "not to be had, and what needs it is left out" if job.optional else "failed"
    return f"{job.name}: {what} (exit {code}): {lines[-1].strip()} (log: {log})"
