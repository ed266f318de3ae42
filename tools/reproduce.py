"""Reproduce the paper from the download to the verdicts: `python -m tools.reproduce`."""

from __future__ import annotations

import os
import shlex
import signal
import subprocess
import sys
from collections.abc import Sequence

from options.parse import parse
from options.reproduce_options import ReproduceOptions
from tools.full_scale.costs import cost, disk_line, plan_table
from tools.full_scale.steps import Step, all_steps, results_folder, training
from util.console import note, say
from util.errors import Interrupted, WorkError, run, signal_of
from util.progress import begin, end

GO_ON = "the same command goes on from there"


def run_command(command: Sequence[str]) -> int:
    """Run python with `command` to its end, and return its exit code.

    Ctrl-C reaches it by itself, SIGTERM is passed on; it is then waited for, as it may be saving.
    Raises Interrupted after that.
    """
    process = subprocess.Popen([sys.executable, *command])
    stopped = 0
    while True:
        try:
            code = process.wait()
        except KeyboardInterrupt as error:
            stopped = signal_of(error)
            if stopped == signal.SIGTERM:
                process.terminate()
            continue
        if stopped:
            raise Interrupted(GO_ON, stopped)
        return code


def carry_out(steps: Sequence[Step], options: ReproduceOptions) -> None:
    """Run all steps in turn, and write the table after each sweep.

    Raises WorkError that names the first step that failed, Interrupted after a signal.
    """
    from tools.full_scale.verdicts import write_verdicts  # noqa: PLC0415 - scikit-learn is slow

    for number, step in enumerate(steps, 1):
        title = f"step {number} of {len(steps)}, {step.what}"
        note(f"{title}: {as_typed(step)}")
        code = run_command(step.command)
        if code in (128 + signal.SIGINT, 128 + signal.SIGTERM):
            raise Interrupted(f"{title}; {GO_ON}", code - 128)
        if code:
            how = f"was killed by signal {-code}" if code < 0 else f"ended with exit code {code}"
            raise WorkError(f"{title}: {how}; see above, and when that is mended, {GO_ON}")
        if step.kind in ("crop", "no_crop"):
            told = write_verdicts(options)
    say(told)


def show_plan(steps: Sequence[Step], options: ReproduceOptions) -> None:
    """Print every command and what it takes by the rates of this machine, which are measured."""
    from tools.full_scale.rates import cores, measure  # noqa: PLC0415 - torch takes seconds

    its = training(options)
    note("measuring what this machine computes in a second (half a minute) ...")
    rates = measure(options, its)
    for number, step in enumerate(steps, 1):
        say(f"{number}. {as_typed(step)}")
    costs = [cost(step, options, training=its, rates=rates) for step in steps]
    say(f"\n{plan_table(steps, costs)}\n")
    say(disk_line(options))
    say(
        f"measured on {rates.device} in {options.precision}, batches of {rates.batch}, {its.arch}:"
        f" {rates.train:.1f} images a second trained, {rates.score:.1f} scored (by one process),"
        f" {rates.read:.0f} read by a core (PNG of {rates.png / 1e3:.0f} kB, blur and JPEG at"
        f" {its.blur_prob:g}); {cores()} cores, {options.processes} process(es)"
    )
    say(
        "assumed: images as released (720,000 to train on, 256x256); the fewest epochs that the"
        " schedule allows; whole images have as many bytes a pixel as the training images; N"
        " processes train N times as fast on N GPUs, while others read; fetching, unpacking and"
        " verifying were not measured; what an earlier run has done already is not subtracted but"
        " from the bytes"
    )


def as_typed(step: Step) -> str:
    """Return the command as a shell takes it."""
    return shlex.join(["python", *step.command])


def main() -> None:
    """Do as the command line says."""
    options = parse(ReproduceOptions)
    begun = begin(options.quiet)
    steps = all_steps(options)
    if not options.released:
        training(options)  # what is wrong with its options is said before anything is fetched
    if options.dry_run:
        show_plan(steps, options)
    else:
        os.makedirs(results_folder(options), exist_ok=True)
        carry_out(steps, options)
        end(begun, f"read {os.path.join(results_folder(options), 'table.md')}")


if __name__ == "__main__":
    run(main)
