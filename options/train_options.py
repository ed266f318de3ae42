"""The options of train.py."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from typing import ClassVar

from options.declare import (
    Condition,
    at_least,
    between,
    each,
    file_name,
    not_with,
    one_of,
    only_with,
    option,
)
from options.machine import SEED, ConsoleOptions, ImageOptions, MachineOptions
from options.names import ARCHITECTURES
from options.optimisation import OptimisationOptions
from options.places import writable_folder
from options.preprocessing import PreprocessingOptions
from options.presets import MINIATURE, PRESETS, RECIPES, TABLE_2
from options.probe import STEPS, ProbeOptions
from options.saved import SavedIn
from options.source import PlainFolders
from options.tracking import CHECK, HELP, missing_tracker


def _freeze(value: str) -> str | None:
    fits = re.fullmatch(r"none|backbone|all_but_norm|stages:[1-9][0-9]{0,2}", value)
    return None if fits else "must be none, backbone, all_but_norm, or stages:N with N from 1"


def _stride(value: int) -> str | None:
    return None if value in (1, 2) else "must be 1 or 2"


_SPLITS = Condition(lambda o: not o.fake or o.replay_root, "with --fake and no --replay_root")


@dataclass(frozen=True, kw_only=True)
class RunOptions:
    """Run."""

    preset: tuple[str, ...] = option(
        (),
        f"settings of the paper, which other flags override: {', '.join(TABLE_2)} (one of the first"
        f" five and one of the others may be combined); of later papers: {', '.join(RECIPES)}; or"
        f" of the miniature, the demo's and the best found: {', '.join(MINIATURE)}",
        presets=PRESETS,
    )
    dry_run: bool = option(False, "print all options and the numbers of images and steps, and end")
    name: str = option("experiment_name", "name of the run, and of its folder", file_name)
    checkpoints_dir: str = option(
        "./checkpoints", "folder that holds the runs' folders", writable_folder, metavar="FOLDER"
    )
    continue_train: bool = option(
        False, "continue the run of this name where it stopped, or start it"
    )
    allow_changes: tuple[str, ...] = option(
        (),
        "continue although the images (data) or the number of processes (processes) have changed",
        each(one_of("data", "processes")),
        needs=[only_with("continue_train")],
    )
    overwrite: bool = option(False, "replace the run of this name")
    seed: int = option(0, "seed of all randomness", SEED)


@dataclass(frozen=True, kw_only=True)
class DataOptions:
    """Data."""

    dataroot: str = option(
        "./dataset/",
        "folder that holds train and val, or a manifest",
        needs=[not_with("fake")],
        metavar="FOLDER",
    )
    train_split: str = option(
        "train", "folder of training images inside --dataroot", needs=[_SPLITS]
    )
    val_split: str = option("val", "folder of validation images inside --dataroot", needs=[_SPLITS])
    classes: tuple[str, ...] = option((), "class folders to use [all]")
    max_images: int | None = option(
        None,
        "use at most N training images of each class and label, chosen by seed and name"
        " (few-shot studies)",
        at_least(1),
    )
    class_bal: bool = option(
        False, "draw real and fake images equally often", needs=[not_with("pairs"), STEPS]
    )
    max_bad_fraction: float = option(
        0.001,
        "largest share of training images that may be unreadable; each is named and replaced by"
        " another of its label",
        between(0, 1),
    )
    replay_root: str = option(
        "",
        "folder like --dataroot with the data that the weights of --init were trained on; every"
        " batch holds some of its training images, so that they are not forgotten [none]",
        needs=[not_with("probe")],
        metavar="FOLDER",
    )
    replay_fraction: float = option(
        0.5,
        "share of every batch that is replayed from --replay_root",
        between(0.01, 0.99),
        needs=[only_with("replay_root")],
    )
    pairs: bool = option(
        False,
        "put each real image into one batch with the fake of the same path (but for 0_real and"
        " 1_fake), with the same crop, blur and compression",
        needs=[STEPS],
    )


@dataclass(frozen=True, kw_only=True)
class NetworkOptions:
    """Network."""

    arch: str = option(
        "resnet50", f"backbone: {', '.join(ARCHITECTURES)}, or timm:NAME[@SIZE] for one of timm's"
    )
    stem_stride: int = option(
        2,
        "1: let a ResNet's first convolution and pooling keep every pixel, which costs 16 times the"
        " work and memory",
        _stride,
    )
    stem_input: str = option(
        "rgb",
        "what the first convolution sees: rgb, npr (what pixels differ from the first of their 2x2"
        " block) or hh (a wavelet's diagonal details)",
        one_of("rgb", "npr", "hh"),
    )
    init: str = option(
        "imagenet",
        "weights to start from: imagenet, scratch, pretrained (those that timm publishes), or a"
        " weights file (fine-tuning)",
        metavar="NAME|FILE",
    )
    freeze: str = option(
        "none",
        "layers that do not train: none, backbone (all but the last layer), all_but_norm (all but"
        " it and the normalisation layers) or stages:N (the stem and the first N stages)",
        _freeze,
    )
    testroots: tuple[str, ...] = option(
        (),
        "folders of test sets, old and new, to score after training with the weights of --init and"
        " with the best ones; a table shows what was gained and what forgotten",
        needs=[not_with("init", "imagenet", "pretrained", "scratch")],
    )
    testsets: tuple[str, ...] = option(
        (), "test sets of --testroots to score [all]", needs=[only_with("testroots")]
    )
    gradcam: bool = option(
        False,
        "show in their report where in the mistaken images both networks saw their evidence",
        needs=[only_with("testroots")],
    )
    compile: bool = option(
        False,
        "compile the network first (torch.compile); resuming is then exact to rounding only",
        needs=[STEPS],
    )


@dataclass(frozen=True, kw_only=True)
class LoggingOptions:
    """Logging and saving."""

    tracker: tuple[str, ...] = option(("tensorboard",), HELP, CHECK)
    loss_freq: int = option(400, "log the loss every N steps", at_least(1), needs=[STEPS])
    save_latest_freq: int = option(
        2000,
        "save model_epoch_latest.pth every N steps, as well as after each epoch",
        at_least(1),
        needs=[STEPS],
    )
    save_epoch_freq: int = option(
        20, "keep a model_epoch_<N>.pth every N epochs", at_least(1), needs=[STEPS]
    )
    profile: int = option(
        0,
        "profile N steps soon after the beginning: the largest costs, and a trace, profile.json",
        at_least(0),
        needs=[STEPS],
    )


@dataclass(frozen=True, kw_only=True)
class TrainOptions(
    ConsoleOptions,
    MachineOptions,
    ImageOptions,
    LoggingOptions,
    OptimisationOptions,
    ProbeOptions,
    NetworkOptions,
    PreprocessingOptions,
    PlainFolders,
    DataOptions,
    RunOptions,
):
    """Train a network to tell real images (label 0) from generated ones (label 1)."""

    examples: ClassVar = (
        "python train.py --name blur_jpg_prob0.5 --preset blur_jpg_prob0.5 --dataroot dataset",
        "python train.py --name mine --init checkpoints/blur_jpg_prob0.5.pth --real photos "
        "--fake made",
    )
    page: ClassVar = "docs/train.md"
    saved: ClassVar = SavedIn(
        "checkpoints/NAME/options.json",
        key="",
        anew=("name", "continue_train", "allow_changes", "overwrite", "dry_run", "quiet"),
        needed=("name",),
    )

    def conflict(self) -> str | None:
        """Return what is wrong with the options taken together, or None."""
        folder = os.path.join(self.checkpoints_dir, self.name)
        if wrong := writable_folder(folder):
            return f"--name {self.name}: {folder} {wrong}"
        load_size = self.loadSize or (None if self.arch.startswith("timm:") else 256)
        if self.cropSize and load_size and self.cropSize > load_size:
            return f"--cropSize {self.cropSize} is larger than --loadSize {load_size}"
        if bool(self.real) != bool(self.fake):
            return "--real and --fake go together"
        if self.fake and self.classes:  # also where a preset has set them
            return "--classes (given, or set by --preset) choose from --dataroot; not with --fake"
        if self.pairs and self.batch_size % 2:
            return f"--pairs needs an even --batch_size, not {self.batch_size}"
        if self.accumulate > self.batch_size:
            return f"--accumulate {self.accumulate} is more than --batch_size {self.batch_size}"
        if self.continue_train and self.overwrite:
            return "--continue_train and --overwrite exclude each other"
        return missing_tracker(self.tracker)


def may_change(options: TrainOptions) -> set[str]:
    """Return the options that may differ when a run is continued: they do not change what it
    computes, or (where the schedule does not depend on the length) give it more to do.
    """
    names = {"name", "checkpoints_dir", "continue_train", "overwrite", "dataroot", "device", "init"}
    names |= {
        "preset",
        "dry_run",
        "allow_changes",
        "max_bad_fraction",
        "testroots",
        "testsets",
        "gradcam",
        "quiet",
        "tracker",
    }  # what a preset sets is compared itself
    names |= {"num_threads", "max_pixels", "loss_freq", "save_latest_freq", "save_epoch_freq"}
    names.add("profile")
    return names | ({"niter", "max_steps"} if options.schedule != "onecycle" else set())
