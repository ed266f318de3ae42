"""Run every benchmark and write docs/benchmarks.md: `python -m benchmarks`."""

from __future__ import annotations

import datetime
import json
import os
import platform
import subprocess
import sys
import tempfile
from collections.abc import Sequence

from benchmarks.timing import Row, verdict
from options.benchmark_options import BenchOptions
from options.parse import parse
from util.errors import WorkError, run
from util.files import atomic_write
from util.machine import processor, versions

SCRIPTS = ("loading", "training_step", "sweep", "whole_images", "listing")
PACKAGES = ("torch", "torchvision", "opencv-python-headless", "pillow", "numpy", "scipy")
INSTRUCTIONS = ("avx2", "avx512f", "avx512_bf16", "avx512_fp16", "amx_bf16")

INTRODUCTION = """\
# Benchmarks

Each row is the reference recipe (`benchmarks/reference.py`, written afresh from the paper's
description) against this code, in turns in one process. Figures are medians over the rounds; the
ratio is the median of the rounds' ratios, and beside it the smallest and the largest. Each turn
begins with a run that is not timed. As in our scripts, and not in the reference, freed memory is
kept on a CPU (`networks/device.py`): a good part of the gain in training and scoring.
"""


def machine() -> list[str]:
    """Describe the machine and the versions: two Markdown list items."""
    model, flags = processor()
    found = [name for name in INSTRUCTIONS if name in flags]
    packages = ", ".join(f"{name} {version}" for name, version in versions(PACKAGES).items())
    return [
        f"- {model}, {os.cpu_count()} cores ({', '.join(found) or 'instruction sets unknown'})",
        f"- {platform.system()}, Python {platform.python_version()}, {packages}",
    ]


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


def document(rows: Sequence[Row], facts: Sequence[str]) -> str:
    """Return the Markdown page: a table with a line per row, notes, a section per missed target."""
    lines = [
        INTRODUCTION,
        *facts,
        "",
        "| what | unit | reference | ours | ratio | smallest to largest | target | |",
        "|---|---|---:|---:|---:|---:|---:|---|",
    ]
    for row in rows:
        lines.append(
            f"| {row.what} | {row.unit} | {row.reference:.3g} | {row.ours:.3g} | {row.ratio:.2f}"
            f" | {row.low:.2f} to {row.high:.2f} | {row.target} | {verdict(row)} |"
        )
    if notes := [f"- {row.what}: {row.note}." for row in rows if row.note]:
        lines += ["", *notes]
    for row in rows:
        if row.met is False:
            lines += ["", f"## Not met: {row.what}", "", row.details]
    return "\n".join(lines) + "\n"


def main() -> None:
    """Run all benchmarks and write the page, as the command line says."""
    options = parse(BenchOptions)
    rows = [row for name in SCRIPTS for row in run_script(name, options.rounds, options.quick)]
    today = datetime.datetime.now(datetime.timezone.utc).date()
    facts = [
        *machine(),
        f"- {today}, `make bench` (`python -m benchmarks`), {options.rounds} rounds",
    ]
    with atomic_write(options.out) as file:
        file.write(document(rows, facts))
    print(f"\n{options.out}")


if __name__ == "__main__":
    run(main)
