"""Run every benchmark and write docs/benchmarks.md: `python -m benchmarks`."""

from __future__ import annotations

import dataclasses
import json
import os
import subprocess
import sys
import tempfile

from benchmarks.page import INTRODUCTION, Record, describe, write_page
from benchmarks.timing import Row
from options.benchmark_options import BenchOptions
from options.parse import parse
from util.errors import WorkError, run

SCRIPTS = ("loading", "training_step", "sweep", "robustness", "whole_images", "listing")


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


def main() -> None:
    """Run all benchmarks, keep what they measured and write the page, as the command line says."""
    options = parse(BenchOptions)
    name, facts = describe(options.rounds, "make bench")
    rows = [row for name in SCRIPTS for row in run_script(name, options.rounds, options.quick)]
    record = Record(name, facts, [dataclasses.asdict(row) for row in rows])
    write_page(INTRODUCTION, record, options.out, results="" if options.quick else options.results)


if __name__ == "__main__":
    run(main)
