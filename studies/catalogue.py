"""The nine studies: for each, the jobs to run and what is read of their results."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import NamedTuple

from studies.commands import (
    ARCH,
    Setting,
    images,
    results,
    score,
    subset,
    train,
    weights,
)
from studies.jobs import Job
from studies.reading import ACCURACIES, AP, Row, of_degraded, of_table, read_csv

AUGMENTATIONS = {  # Wang et al. 2020, Table 2; each by what it changes of the demo's settings
    "none": ("--blur_prob", "0", "--jpg_prob", "0"),
    "blur": ("--jpg_prob", "0"),
    "jpeg": ("--blur_prob", "0"),
    "blur_jpeg_0.5": (),
    "blur_jpeg_0.1": ("--blur_prob", "0.1", "--jpg_prob", "0.1"),
}
BASE = "blur_jpeg_0.5"
PHOTOGRAPHS = (2, 4, 8, 16)
FRACTIONS = ("0.125", "0.25", "0.5", "1")
LEVELS = (
    *("--blur_sigmas", "1,2,3", "--jpeg_qualities", "90,70,50,30"),
    *("--rescale_factors", "0.5,0.75,1.5"),
)
FEW_LEVELS = ("--blur_sigmas", "1", "--jpeg_qualities", "70,50", "--rescale_factors", "")
WEAK = ("cyclegan", "seeingdark", "deepfake")  # families that the demo's detector finds badly
FEW = (16, 64, 256)
FEW_STEPS, FEW_RATE = 150, "2e-4"
ENCODINGS = ("jpeg:96", "jpeg:75")


class Cell(NamedTuple):
    """A condition of a study with one seed: the job that measures it, and how to read that."""

    seed: str  # "" without randomness
    job: Job
    read: Callable[[], Iterator[Row]]  # rows without study and seed, with testset, metric, value


class Study(NamedTuple):
    """One study: a table of it has a row for each condition, seed, test set and metric."""

    asks: str
    columns: tuple[str, ...]  # the condition
    plan: Callable[[Setting], list[Cell]]


def augmentations(setting: Setting) -> list[str]:
    """Return the names of all augmentations; in a smoke test, of the first and the base's."""
    return ["none", BASE] if setting.smoke else list(AUGMENTATIONS)


def model(setting: Setting, augmentation: str, seed: int) -> Job:
    """Train with an augmentation of the paper's: what several studies share."""
    return train(setting, augmentation, seed, *AUGMENTATIONS[augmentation])


def cell(
    setting: Setting, seed: int, job: Job, *, metrics: Mapping[str, str] = AP, **condition: str
) -> Cell:
    """Return a cell that is read from a scoring job's table.csv."""
    return Cell(str(seed), job, of_table(results(setting, job), metrics, condition))


def augmentation(setting: Setting) -> list[Cell]:
    """Five augmentations."""
    return [
        cell(setting, seed, score(setting, model(setting, name, seed)), augmentation=name)
        for seed in setting.seeds
        for name in augmentations(setting)
    ]


def diversity(setting: Setting) -> list[Cell]:
    """Photographs at a fixed number of images, and images of all photographs; all of as many steps.

    The number is that of the images that the fewest photographs have. Few validation images: they
    choose nothing here, and epochs are short.
    """
    fewest = str(PHOTOGRAPHS[0])
    choices: dict[tuple[str, str], tuple[str, ...]] = {
        ("photographs", str(n)): ("--photographs", str(n), "--as_many_as", fewest)
        for n in (PHOTOGRAPHS[:1] if setting.smoke else PHOTOGRAPHS)
    }
    fractions = FRACTIONS[:1] if setting.smoke else FRACTIONS
    few = ("--most", "8" if setting.smoke else "50")
    choices |= {("images", part): ("--fraction", part) for part in fractions}
    cells = []
    for seed in setting.seeds:
        for (varied, amount), choice in choices.items():
            name = f"{varied}_{amount}"
            its = subset(setting, f"{name}_s{seed}", *choice, *few, "--seed", str(seed))
            at = setting.out / f"{name}_s{seed}.csv"
            job = score(setting, train(setting, name, seed, dataroot=at, needs=(its,)))
            cells.append(cell(setting, seed, job, varied=varied, amount=amount))
    return cells


def robustness(setting: Setting) -> list[Cell]:
    """Each augmentation's model on images degraded as they are tested."""
    cells = []
    for seed in setting.seeds:
        for name in augmentations(setting):
            job = score(setting, model(setting, name, seed), "robust", "--robustness", *LEVELS)
            read = of_degraded(results(setting, job), {"augmentation": name})
            cells.append(Cell(str(seed), job, read))
    return cells


def spectra(setting: Setting) -> list[Cell]:
    """Mean spectra of real and fake images; nothing is trained, nothing random."""
    at = setting.out / "profile.csv"
    argv = ("-m", "studies.profile", "--dataroot", str(setting.test_root()), "--out", str(at))
    job = Job("profile", argv, needs=(images(setting),), machine=False)
    return [Cell("", job, lambda: iter(read_csv(at)))]


def few_shot(setting: Setting) -> list[Cell]:
    """Fine-tuning on few images of a family, with and without replay of ProGAN's."""

    def roles(job: Job, family: str, *, numbers: str, replay: str) -> Callable[[], Iterator[Row]]:
        plain = of_table(results(setting, job), AP, {})

        def read() -> Iterator[Row]:
            for row in plain():
                role = "tuned" if row["testset"] == family else "other"
                yield {"family": family, "images": numbers, "replay": replay, "role": role, **row}

        return read

    cells = []
    for seed in setting.seeds:
        base = model(setting, BASE, seed)
        for family in WEAK[:1] if setting.smoke else WEAK:
            choice = ("--most", "8")  # validation chooses nothing here, and epochs are short
            data = subset(setting, f"few_{family}", *choice, family=family)
            before = score(setting, base)
            cells.append(Cell(str(seed), before, roles(before, family, numbers="0", replay="")))
            for number in FEW[:1] if setting.smoke else FEW:
                for replay in ("no", "yes"):
                    flags = ["--init", weights(base), "--max_images", str(number)]
                    flags += ["--lr", FEW_RATE]
                    if replay == "yes":
                        flags += ["--replay_root", str(setting.train_root())]
                    name = f"few_{family}_{number}{'_replay' if replay == 'yes' else ''}"
                    tuned = train(
                        setting,
                        name,
                        seed,
                        *flags,
                        dataroot=setting.out / f"few_{family}.csv",
                        needs=(base, data),
                        steps=FEW_STEPS,
                    )
                    job = score(setting, tuned)
                    cells.append(
                        Cell(str(seed), job, roles(job, family, numbers=str(number), replay=replay))
                    )
    return cells


def calibration(setting: Setting) -> list[Cell]:
    """Accuracy at four thresholds, of the augmentation study's models."""
    metrics = {"ap": "ap", **ACCURACIES}
    return [
        cell(
            setting,
            seed,
            score(setting, model(setting, name, seed)),
            metrics=metrics,
            augmentation=name,
        )
        for seed in setting.seeds
        for name in augmentations(setting)
    ]


def start(setting: Setting) -> list[Cell]:
    """MobileNetV2 from scratch, and from ImageNet: frozen, tuned, and probed and then tuned."""
    folder = setting.out / "checkpoints"
    argv = ("-m", "tools.download", ARCH, "--checkpoints_dir", str(folder))
    imagenet = Job(f"download_{ARCH}", argv, machine=False, optional=True)
    init = ("--init", str(folder / f"{ARCH}_imagenet.pth"))
    probe = ("--probe", "logistic", "--views", "1" if setting.smoke else "4")
    starts: dict[str, tuple[tuple[str, ...], bool]] = {  # flags, and whether only a probe
        "scratch": ((), False),
        "frozen": ((*init, *probe, "--freeze", "backbone"), True),
        "tuned": (init, False),
        "probed, then tuned": ((*init, *probe), False),
    }
    cells = []
    for seed in setting.seeds:
        for name, (flags, probe_only) in starts.items():
            its = train(
                setting,
                f"start_{name.replace(', ', '_').replace(' ', '_')}",
                seed,
                *("--arch", ARCH, *flags),
                needs=() if name == "scratch" else (imagenet,),
                probe_only=probe_only,
            )
            cells.append(cell(setting, seed, score(setting, its), start=name))
    return cells


def formats(setting: Setting) -> list[Cell]:
    """Images as they are, all re-encoded alike, and the fakes alone re-encoded."""
    cells = []
    for seed in setting.seeds:
        for name in (BASE,) if setting.smoke else ("none", BASE):
            its = model(setting, name, seed)
            plain = score(setting, its)
            cells.append(cell(setting, seed, plain, augmentation=name, encoding="as they are"))
            for encoder in ENCODINGS[:1] if setting.smoke else ENCODINGS:
                kind = encoder.replace(":", "")
                same = score(setting, its, f"all_{kind}", "--aligned", encoder)
                fake = score(setting, its, f"fake_{kind}", "--reencode", f"{encoder}@fake")
                both = {f"aligned_{metric}": metric for metric in AP}
                for job, metrics, whose in ((same, both, "all"), (fake, AP, "fakes")):
                    encoding = f"{whose} {encoder}"
                    found = {"augmentation": name, "encoding": encoding}
                    cells.append(cell(setting, seed, job, metrics=metrics, **found))
    return cells


def recipe(setting: Setting) -> list[Cell]:
    """Ours against the paper's as in the demo, which takes longer; plain and degraded."""
    cells = []
    for seed in setting.seeds:
        for name in ("paper", "ours"):
            its = (
                model(setting, BASE, seed)
                if name == "paper"
                else train(setting, name, seed, preset=name)
            )
            plain = score(setting, its)
            cells.append(cell(setting, seed, plain, recipe=name, degradation="none", level=""))
            job = score(setting, its, "degraded", "--robustness", *FEW_LEVELS)
            read = of_degraded(results(setting, job), {"recipe": name})
            cells.append(Cell(str(seed), job, read))
    return cells


STUDIES = {
    "augmentation": Study(
        "Does blurring and compressing training images help on generators never seen?",
        ("augmentation",),
        augmentation,
    ),
    "diversity": Study(
        "Do more photographs help, and more images of them?", ("varied", "amount"), diversity
    ),
    "robustness": Study(
        "Whom does blur, compression or rescaling at test time hurt?",
        ("augmentation", "degradation", "level"),
        robustness,
    ),
    "spectra": Study(
        "Do fakes have periodic traces that reals lack?", ("label", "frequency"), spectra
    ),
    "few_shot": Study(
        "What is gained and what forgotten in fine-tuning on few images of a generator?",
        ("family", "images", "replay", "role"),
        few_shot,
    ),
    "calibration": Study(
        "How much of the lost accuracy is the threshold's fault?", ("augmentation",), calibration
    ),
    "start": Study("Does an ImageNet start help, and how much of it to tune?", ("start",), start),
    "formats": Study(
        "How much of AP is owed to file formats?", ("augmentation", "encoding"), formats
    ),
    "recipe": Study(
        "Does our recipe generalise better than the paper's, at no more cost?",
        ("recipe", "degradation", "level"),
        recipe,
    ),
}
