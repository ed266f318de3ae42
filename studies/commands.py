"""The jobs that studies are made of: build, choose, train, score. Equal ones have one name."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from minibench.build import fingerprint
from studies.jobs import WEIGHTS, Job

ARCH = "mobilenet_v2"  # the one network whose ImageNet weights come from a package
SMOKE_STEPS, SMOKE_IMAGES = 3, 8
SMOKE_ARCH, SMOKE_TESTSETS = "mobilenet_v3_small", "progan,cyclegan,deepfake"


class Setting(NamedTuple):
    """What all studies of one call have in common."""

    out: Path
    data: Path
    seeds: Sequence[int] = range(3)
    smoke: bool = False

    def train_root(self) -> Path:
        """Return the folder, or manifest, that holds train and val."""
        return self.out / "mini.csv" if self.smoke else self.data / "mini"

    def test_root(self) -> Path:
        """Return the folder, or manifest, that holds the test sets."""
        return self.train_root() if self.smoke else self.data / "mini" / "test"


def build(setting: Setting, family: str = "") -> Job:
    """Make the miniature, or the images of one family to fine-tune on."""
    name = f"mini_{family}" if family else "mini"
    argv = ["-m", "minibench.build", "--out", str(setting.data / name)]
    argv += ["--only", family] if family else []
    return Job(name, tuple(argv), machine=False, made_by=_fingerprint(family))


@functools.cache
def _fingerprint(family: str) -> str:
    return fingerprint(0, family)


def images(setting: Setting) -> Job:
    """Make the images that networks are trained and scored on; for a smoke test, few of them."""
    mini = build(setting)
    if not setting.smoke:
        return mini
    return subset(setting, "mini", "--fraction", "0.02", "--most", str(SMOKE_IMAGES))


def subset(setting: Setting, name: str, *choice: str, family: str = "") -> Job:
    """Write a manifest of a part of the miniature, or of a family's images: <out>/<name>.csv."""
    images, out = build(setting, family), setting.out / f"{name}.csv"
    root = str(setting.data / images.name)
    argv = ("-m", "studies.subset", "--dataroot", root, "--out", str(out), *choice)
    return Job(f"subset_{name}", argv, needs=(images,), machine=False)


def train(
    setting: Setting,
    name: str,
    seed: int,
    *flags: str,
    dataroot: Path | None = None,
    needs: tuple[Job, ...] = (),
    steps: int | None = None,
    probe_only: bool = False,
    preset: str = "minibench",
) -> Job:
    """Train with the settings of a preset but for `flags`; `steps` instead of its own."""
    run = f"{name}_s{seed}"
    folder = setting.out / "checkpoints"
    argv = ["train.py", "--name", run, "--checkpoints_dir", str(folder), "--seed", str(seed)]
    argv += ["--preset", preset, "--dataroot", str(dataroot or setting.train_root())]
    if setting.smoke and "--arch" not in flags:
        argv += ["--arch", SMOKE_ARCH]
    steps = SMOKE_STEPS if setting.smoke else steps
    if steps and not probe_only:
        argv += ["--max_steps", str(steps)]
    return Job(
        f"train_{run}",
        (*argv, *flags, "--continue_train"),
        needs=(images(setting), *needs),
        keep=f"model_epoch_{'best' if probe_only else 'latest'}.pth",
        run=str(folder / run),
    )


def weights(job: Job) -> str:
    """Return the file that holds the weights of a training job."""
    return str(Path(job.run, WEIGHTS))


def score(setting: Setting, model: Job, kind: str = "", *flags: str) -> Job:
    """Score all test sets with a trained model; `kind` names another way than the plain one."""
    name = "_".join(filter(None, (model.name.replace("train", "score", 1), kind)))
    argv = ["eval.py", "--model_path", weights(model), "--dataroot", str(setting.test_root())]
    argv += ["--results_dir", str(setting.out / "results"), "--name", name, "--overwrite"]
    argv += ["--bootstrap", "0", "--thumbnails", "none", "--no_figures"]
    argv += ["--testsets", SMOKE_TESTSETS] if setting.smoke else []
    if not kind:  # the spread over seeds is what studies look at; thresholds come along
        argv += ["--few_shot", "1", "--calibrate_on", str(setting.data / "mini" / "val")]
    return Job(name, (*argv, *flags), needs=(model, images(setting)))


def results(setting: Setting, job: Job) -> Path:
    """Return the folder that a scoring job writes."""
    return setting.out / "results" / job.name
