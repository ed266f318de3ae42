"""The steps of a reproduction: commands of this project, each of which goes on where it stopped."""

from __future__ import annotations

import dataclasses
import os
import shlex
from typing import NamedTuple

from data.testsets import ORDER
from options.machine import MachineOptions
from options.parse import parse
from options.reproduce_options import ReproduceOptions
from options.train_options import TrainOptions

MODELS = ("blur_jpg_prob0.5", "blur_jpg_prob0.1")  # presets, and names of published figures
PROTOCOLS = {"crop": (), "no_crop": ("--no_crop",)}


class Step(NamedTuple):
    """A command, and what it is for."""

    kind: str  # "download", "verify", "train", "crop" or "no_crop"
    what: str
    command: tuple[str, ...]  # after "python", as a shell takes it in this folder


def all_steps(options: ReproduceOptions) -> list[Step]:
    """Return the steps in their order: each model is swept as soon as it is there."""
    wanted = ("weights", "testset") if options.released else ("testset", "val", "train")
    to = ["--root", options.root]
    if options.released:
        to += ["--checkpoints_dir", options.checkpoints_dir]
    sets = ORDER if options.released else ("train", "val", *ORDER)
    out = os.path.join(results_folder(options), "verify")
    verify = ("-m", "tools.verify", options.root, "--quick", "--sets", ",".join(sets))
    steps = [
        Step("download", "download", ("-m", "tools.download", *wanted, *to)),
        Step("verify", "verify names and counts", (*verify, "--out", out)),
    ]
    for model in MODELS:
        if not options.released:
            command = (*_launcher(options), "train.py", *train_arguments(options, model))
            steps.append(Step("train", f"train {model}", command))
        steps += [_sweep(options, model, protocol) for protocol in PROTOCOLS]
    quiet = ("--quiet",) if options.quiet else ()
    steps = [step._replace(command=(*step.command, *quiet)) for step in steps]
    return steps[1:] if options.no_download else steps


def train_arguments(options: ReproduceOptions, model: str) -> tuple[str, ...]:
    """Return the arguments of train.py."""
    return (
        *("--name", model, "--preset", model, "--dataroot", options.root),
        *("--checkpoints_dir", options.checkpoints_dir, "--continue_train"),
        *_machine(options),
        *shlex.split(options.train_options),
    )


def training(options: ReproduceOptions) -> TrainOptions:
    """Return the first model's training; what is wrong with --train_options ends it, exit 2."""
    return parse(TrainOptions, train_arguments(options, MODELS[0]))


def results_folder(options: ReproduceOptions) -> str:
    """Return the folder of all results; those of the published weights have one of their own."""
    return options.results_dir or f"results/reproduce{'-eval' if options.released else ''}"


def sweep_folder(options: ReproduceOptions, model: str, protocol: str) -> str:
    """Return where the report of a sweep is."""
    return os.path.join(results_folder(options), f"{model}_{protocol}")


def _sweep(options: ReproduceOptions, model: str, protocol: str) -> Step:
    weights = f"{model}.pth" if options.released else os.path.join(model, "model_epoch_best.pth")
    folder, name = os.path.split(sweep_folder(options, model, protocol))
    command = (
        *_launcher(options),
        *("eval.py", "--model_path", os.path.join(options.checkpoints_dir, weights)),
        *("--dataroot", os.path.join(options.root, "test"), "--published", model),
        *("--results_dir", folder, "--name", name),
        *PROTOCOLS[protocol],
        *(("--testsets", ",".join(options.testsets)) if options.testsets else ()),
        *_machine(options),
    )
    how = "whole images" if protocol == "no_crop" else "the centre crop"
    return Step(protocol, f"sweep {model}, {how}", command)


def _launcher(options: ReproduceOptions) -> tuple[str, ...]:
    if options.processes == 1:
        return ()
    number = str(options.processes)
    return ("-m", "torch.distributed.run", "--standalone", "--nproc_per_node", number)


def _machine(options: ReproduceOptions) -> list[str]:
    """Return the options of the machine that are not as by default."""
    words = []
    for field in dataclasses.fields(MachineOptions):
        value = getattr(options, field.name)
        if value != field.default:
            words += [f"--{field.name}"] + ([] if value is True else [str(value)])
    return words
