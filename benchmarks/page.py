"""Make docs/benchmarks.md of what was measured on one or more processors."""

from __future__ import annotations

import datetime
import json
import os
import platform
import re
from collections.abc import Sequence
from typing import Any, NamedTuple

from benchmarks.timing import Row, verdict
from util.files import atomic_write
from util.machine import git_commit, processor, versions
from util.markdown import table

PACKAGES = ("torch", "torchvision", "opencv-python-headless", "simplejpeg", "pillow", "numpy")
INSTRUCTIONS = ("avx2", "avx512f", "avx512_bf16", "avx512_fp16", "amx_bf16")

INTRODUCTION = """\
# Benchmarks

Each row is the reference recipe (`benchmarks/reference.py`, written afresh from the paper's
description) against this code, in turns in one process. Figures are medians over the rounds; the
ratio is the median of the rounds' ratios, and beside it the smallest and the largest. Each turn
begins with a run that is not timed. As in our scripts, and not in the reference, freed memory is
kept on a CPU (`networks/device.py`): *kept* is the ratio to the reference with that setting, too.
*Limit* is the ratio that were left if nothing but what stands under the table took time, and
beside it how much of that is reached.

`make bench`, alone on the machine, writes one section, of the processor it runs on, and keeps it in
`benchmarks/results`; those of other processors stay. Compare ratios, not rates, between them. GPUs
are on [a page of their own](benchmarks-gpu.md).
"""

GPU_INTRODUCTION = """\
# Benchmarks on a GPU

`make gpu-check`, alone on a machine with a GPU, runs the tests of tests/test_gpu.py there and then
`python -m benchmarks.gpu`, which writes a section here and keeps it in `benchmarks/results/gpu`.
Without one the processor runs the same lines. Training steps and scoring are measured against the
reference recipe on the same device, in fp32 without TF32, uncompiled; workers against one worker;
train.py in one process against its step alone, and in several against one. Figures are medians over
the rounds.

What has no section here was not run: **so far, that is every GPU**; fp16, several processes over
`nccl`, and compiled kernels on one.
"""

HEADINGS = ("what", "unit", "reference", "ours", "ratio", "from, to", "kept", "limit", "target", "")


class Record(NamedTuple):
    """A run of all benchmarks on one processor, as it is kept in a JSON file."""

    processor: str
    facts: list[str]  # Markdown list items: machine, versions, how and when
    rows: list[dict[str, Any]]  # of timing.Row


def describe(rounds: int, command: str) -> tuple[str, list[str]]:
    """Return this machine's processor, and the facts of today's run on it by a command."""
    model, flags = processor()
    found = [name for name in INSTRUCTIONS if name in flags]
    packages = ", ".join(f"{name} {version}" for name, version in versions(PACKAGES).items())
    return model, [
        f"- {os.cpu_count()} cores ({', '.join(found) or 'instruction sets unknown'})",
        f"- {platform.system()}, Python {platform.python_version()}, {packages}",
        f"- {datetime.datetime.now(datetime.timezone.utc).date()}, `{command}`, {rounds} rounds,"
        f" commit {(git_commit() or 'unknown')[:7]}",
    ]


def file_of(processor: str) -> str:
    """Return the name of the file that keeps a processor's run."""
    return re.sub(r"[^a-z0-9]+", "_", processor.lower()).strip("_") + ".json"


def document(introduction: str, records: Sequence[Record]) -> str:
    """Return the Markdown page: a section per processor or GPU, with a table, notes, and a profile
    of each row whose target was not met.
    """
    return "\n\n".join([introduction.rstrip(), *map(_section, records)]) + "\n"


def write_page(introduction: str, record: Record, out: str, *, results: str) -> None:
    """Keep a run in the folder `results`, and write the page of all that it keeps into the file
    `out`; of this run alone, which is kept nowhere, where `results` is "".
    """
    records = [record]
    if results:
        os.makedirs(results, exist_ok=True)
        with atomic_write(os.path.join(results, file_of(record.processor))) as file:
            json.dump(record._asdict(), file, indent=1)
        records = read_records(results)
    with atomic_write(out) as file:
        file.write(document(introduction, records))
    print(f"\n{out}")


def read_records(folder: str) -> list[Record]:
    """Return the runs that a folder keeps, by the names of their files."""
    records = []
    for name in sorted(os.listdir(folder)) if os.path.isdir(folder) else []:
        if name.endswith(".json"):
            with open(os.path.join(folder, name), encoding="utf-8") as file:
                records.append(Record(**json.load(file)))
    return records


def _section(record: Record) -> str:
    rows = [Row(**row) for row in record.rows]
    lines = [f"## {record.processor}", "", *record.facts, ""]
    lines.append(table(HEADINGS, [_cells(row) for row in rows], num_left=2))
    notes = [f"- {row.what}: {row.note}." for row in rows if row.note]
    limits: dict[str, list[str]] = {}
    for row in rows:
        if row.alone:
            limits.setdefault(row.alone, []).append(row.what)
    notes += [f"- limit, {alone}: {'; '.join(of)}." for alone, of in limits.items()]
    lines += ["", *notes] if notes else []
    for row in rows:
        if row.met is False and row.details:
            lines += ["", f"### Not met: {row.what}", "", row.details]
    return "\n".join(lines)


def _cells(row: Row) -> list[str]:
    return [
        row.what,
        row.unit,
        f"{row.reference:.3g}",
        f"{row.ours:.3g}",
        f"{row.ratio:.2f}",
        f"{row.low:.2f} to {row.high:.2f}",
        f"{row.retained:.2f}" if row.retained else "",
        f"{row.limit:.2f} ({row.ratio / row.limit:.0%})" if row.limit else "",
        row.target,
        verdict(row),
    ]
