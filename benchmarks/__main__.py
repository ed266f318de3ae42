"""Run every benchmark and write docs/benchmarks.md: `python -m benchmarks`."""

from __future__ import annotations

import dataclasses
import datetime
import json
import os
import subprocess
import sys
import tempfile

from benchmarks.page import Record, describe, document, file_of
from benchmarks.timing import Row
from options.benchmark_options import BenchOptions
from options.parse import parse
from util.errors import WorkError, run
from util.files import atomic_write
from util.machine import git_commit

SCRIPTS = ("loading", "training_step", "sweep", "whole_images", "listing")


def run_script(name: str, rounds: int, quick: bool) -> list[Row]:
    """Run one benchmark in a process of its own, so that its settings (threads, say) end with it.

    Raises WorkError where it fails.
    """
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "rows.json")
        command = [sys.executable, "-m", f"benchmarks.{name}", "--rounds", str(rounds)]
        command += ["--json", path, *(["--quick"] if quick else [])]
        if code := subprocess.run(command, check=False).returncode:
            raise WorkError(f"benchmarks.{name} ended with {code}; it says above why")
        with open(path, encoding="utf-8") as file:
            return [Row(**row) for row in json.load(file)]


def read_records(folder: str) -> list[Record]:
    """Return the runs that a folder keeps, by the names of their files."""
    records = []
    for name in sorted(os.listdir(folder)) if os.path.isdir(folder) else []:
        if name.endswith(".json"):
            with open(os.path.join(folder, name), encoding="utf-8") as file:
                records.append(Record(**json.load(file)))
    return records


def main() -> None:
    """Run all benchmarks, keep what they measured and write the page, as the command line says."""
    options = parse(BenchOptions)
    today = str(datetime.datetime.now(datetime.timezone.utc).date())
    name, facts = describe(today, git_commit(), options.rounds)
    rows = [row for name in SCRIPTS for row in run_script(name, options.rounds, options.quick)]
    records = [Record(name, facts, [dataclasses.asdict(row) for row in rows])]
    if not options.quick:
        os.makedirs(options.results, exist_ok=True)
        with atomic_write(os.path.join(options.results, file_of(name))) as file:
            json.dump(records[0]._asdict(), file, indent=1)
        records = read_records(options.results)
    with atomic_write(options.out) as file:
        file.write(document(records))
    print(f"\n{options.out}")


if __name__ == "__main__":
    run(main)
