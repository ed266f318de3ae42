"""Run studies on the miniature benchmark: `python -m studies NAME`."""

from __future__ import annotations

import shlex
import sys
import time
from pathlib import Path
from typing import Any

from options.parse import parse
from options.studies_options import REPORT, StudiesOptions
from studies.catalogue import STUDIES, Cell
from studies.commands import Setting, build
from studies.jobs import Machine, command_of, finished, in_order, run_jobs
from studies.results import made_with, read_results, refuse_other_images, write_results
from util.console import as_typed, say
from util.errors import run
from util.progress import begin, end


def main() -> int:
    """Run, list or report, as the command line says; return 1 where a job failed."""
    options = parse(StudiesOptions)
    begun = begin(options.quiet)
    if options.list:
        width = max(map(len, STUDIES))
        say("\n".join(f"{name:<{width}}  {study.asks}" for name, study in STUDIES.items()))
        return 0
    if options.name == (REPORT,):
        from studies.report import write_report  # noqa: PLC0415 (matplotlib takes a second)

        write_report(Path(options.results))
        return 0
    code = run_studies(options)
    if not options.dry_run:
        end(begun, "" if code else as_typed("-m", "studies", REPORT))
    return code


def run_studies(options: StudiesOptions) -> int:
    """Run the jobs of the studies, each once, then write and print what was found."""
    names = [name for name in STUDIES if name in options.name or "all" in options.name]
    out = Path(options.out, "smoke") if options.smoke else Path(options.out)
    folder = out / "tables" if options.smoke else Path(options.results)
    seeds = range(options.first_seed, options.first_seed + options.seeds)
    setting = Setting(out, Path(options.data), seeds, options.smoke)
    plans = {name: STUDIES[name].plan(setting) for name in names}
    machine = Machine(out, options.device, options.jobs)
    jobs = in_order(cell.job for cells in plans.values() for cell in cells)
    if options.dry_run:
        done = finished(jobs, out)
        for job in jobs:
            if job.name not in done:
                say(shlex.join(["python", *command_of(job, machine)]))
        say(f"{len(jobs) - len(done)} of {len(jobs)} commands are still to run")
        return 0
    about = made_with(sys.argv[1:], options.device, images=build(setting).made_by)
    for name, cells in plans.items():
        refuse_other_images(folder, name, cells, images=about["images"])
    since = time.monotonic()
    failed = run_jobs(jobs, machine)
    say(f"{len(jobs)} jobs took {(time.monotonic() - since) / 60:.1f} minutes")
    for name, cells in plans.items():
        show(name, cells, folder=folder, out=out, about=about)
    if failed:
        say(f"failed, or without what failed: {', '.join(failed)}; the same command tries again")
    return 1 if failed else 0


def show(name: str, cells: list[Cell], *, folder: Path, out: Path, about: dict[str, Any]) -> None:
    """Write a study's results, and print its table."""
    from studies.tables import table_of  # noqa: PLC0415

    count = write_results(folder, name, cells, out=out, about=about)
    say(f"\n{name}: {STUDIES[name].asks}\n")
    if count:
        say(f"{table_of(name, read_results(folder, name))}\n")
    say(f"{folder / name}.csv: {count} rows" if count else "no results")


if __name__ == "__main__":
    run(main)
