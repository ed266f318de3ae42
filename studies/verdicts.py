"""Whether a finding holds on the miniature: paired contrasts over generators, corrected.

For each test set that no network of the study was trained on (a generator, the unit) the difference
is averaged over the seeds. Primary test: the sign-flip permutation test of the mean of these, two-
sided and exact (Fisher 1935); its p-values are corrected for the number of contrasts of all studies
by Holm 1979. Beside it stand, uncorrected, Wilcoxon's signed-rank test over the same units and the
t test over the seeds' means. The interval is Student's, over the units.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from scipy import stats

from data.testsets import ORDER
from studies.catalogue import BASE
from studies.reading import Row
from studies.tables import HELD_OUT, by_seed

LEVEL = 0.05
MAX_EXACT = 16  # units; 2**16 flips
Where = Mapping[str, str]  # column -> value


class Contrast(NamedTuple):
    """A finding as a sum of means that is above 0 where it holds."""

    study: str
    finding: str
    terms: tuple[tuple[float, Where], ...]  # a factor, and the rows whose mean it multiplies
    testsets: tuple[str, ...] = HELD_OUT
    scale: float = 100
    unit: str = "points"


class Tested(NamedTuple):
    """A contrast as measured, in its unit; p-values are two-sided."""

    contrast: Contrast
    mean: float
    low: float  # the 95 % interval
    high: float
    units: int  # generators
    seeds: int  # 0 without randomness
    p: float  # sign-flip
    least_p: float  # that so few units can give
    wilcoxon: float
    over_seeds: float  # NaN with fewer than two seeds
    holm: float = float("nan")

    def verdict(self) -> str:
        """Say whether the finding holds."""
        if self.holm < LEVEL:
            return "holds" if self.mean > 0 else "does not hold"
        runs = f"{counted(self.seeds, 'seed')} and " if self.seeds else ""
        return f"cannot be told from {runs}{counted(self.units, 'generator')}"


def counted(number: int, what: str) -> str:
    """Return as in "1 seed" or "3 seeds"."""
    return f"{number} {what}{'s' * (number != 1)}"


Terms = tuple[tuple[float, Where], ...]


def _above(better: Where, worse: Where, *, metric: str = "ap") -> Terms:
    return (1, {"metric": metric, **better}), (-1, {"metric": metric, **worse})


def _at(threshold: str) -> Where:
    return {"augmentation": BASE, "metric": f"accuracy{threshold}"}


CONTRASTS = (
    Contrast(
        "augmentation",
        "Training on blurred and compressed images (0.5) generalises better on average than"
        " training without (Wang et al. 2020).",
        _above({"augmentation": BASE}, {"augmentation": "none"}),
    ),
    Contrast(
        "diversity",
        "More diverse training images, 16 photographs instead of 2 and as many images, generalise"
        " better (Wang et al. 2020, of classes).",
        _above(*({"varied": "photographs", "amount": number} for number in ("16", "2"))),
    ),
    Contrast(
        "diversity",
        "More images of as diverse contents, all instead of an eighth, generalise better (Wang et"
        " al. 2020 vary both together).",
        _above(*({"varied": "images", "amount": share} for share in ("1", "0.125"))),
    ),
    Contrast(
        "robustness",
        "Training on JPEG-compressed images makes robust to JPEG compression (Wang et al. 2020).",
        _above(*({"augmentation": its, "degradation": "jpeg"} for its in ("jpeg", "none"))),
    ),
    Contrast(
        "robustness",
        "Training on blurred images makes robust to blur (Wang et al. 2020).",
        _above(*({"augmentation": its, "degradation": "blur"} for its in ("blur", "none"))),
    ),
    Contrast(
        "spectra",
        "Generated images have periodic traces in their spectra that real ones lack (Zhang et al."
        " 2019, Wang et al. 2020).",
        _above({"label": "fake"}, {"label": "real"}, metric="peak"),
        scale=1,
        unit="(log10 of magnitude)",
    ),
    Contrast(
        "few_shot",
        "Fine-tuning on 64 images of a generator, with replay, finds it better (what fine-tuning is"
        " for).",
        _above(
            {"images": "64", "replay": "yes", "role": "tuned"}, {"images": "0", "role": "tuned"}
        ),
    ),
    Contrast(
        "few_shot",
        "Fine-tuning on 256 images of a new generator alone forgets the others (McCloskey and Cohen"
        " 1989: catastrophic forgetting).",
        _above(
            {"images": "0", "role": "other"}, {"images": "256", "replay": "no", "role": "other"}
        ),
        testsets=ORDER,
    ),
    Contrast(
        "few_shot",
        "Replay of old images lessens that (Robins 1995).",
        _above(*({"images": "256", "replay": its, "role": "other"} for its in ("yes", "no"))),
        testsets=ORDER,
    ),
    Contrast(
        "calibration",
        "A threshold from two images of a generator is more accurate than 0.5 (Wang et al. 2020).",
        ((1, _at(", two-shot")), (-1, _at(" at 0.5"))),
    ),
    Contrast(
        "calibration",
        "It recovers most, over half, of what 0.5 loses to the best threshold (Wang et al. 2020).",
        ((1, _at(", two-shot")), (-0.5, _at(" at 0.5")), (-0.5, _at(", oracle"))),
    ),
    Contrast(
        "start",
        "A start from ImageNet generalises better than one from scratch (Wang et al. 2020 start"
        " so).",
        _above({"start": "tuned"}, {"start": "scratch"}),
    ),
    Contrast(
        "start",
        "Frozen features generalise better than tuned ones (Ojha et al. 2023, of CLIP).",
        _above({"start": "frozen"}, {"start": "tuned"}),
    ),
    Contrast(
        "start",
        "A probe before tuning generalises better than tuning alone (Kumar et al. 2022).",
        _above({"start": "probed, then tuned"}, {"start": "tuned"}),
    ),
    Contrast(
        "recipe",
        "Our recipe generalises better than the paper's (docs/recipe.md).",
        _above(*({"recipe": its, "degradation": "none"} for its in ("ours", "paper"))),
    ),
    Contrast(
        "recipe",
        "It does so on compressed images, too.",
        _above(*({"recipe": its, "degradation": "jpeg"} for its in ("ours", "paper"))),
    ),
    Contrast(
        "recipe",
        "It does so on blurred images, too.",
        _above(*({"recipe": its, "degradation": "blur"} for its in ("ours", "paper"))),
    ),
    Contrast(
        "formats",
        "A part of AP is owed to file formats, and lost once all images are JPEG of one quality"
        " (Grommelt et al. 2024); here for the model trained without augmentation.",
        _above(
            *({"augmentation": "none", "encoding": its} for its in ("as they are", "all jpeg:96"))
        ),
    ),
)


def differences(contrast: Contrast, rows: list[Row]) -> dict[str, dict[str, float]]:
    """Return the contrast's value by test set and seed, where all its terms were measured."""
    terms = []
    for factor, where in contrast.terms:
        some = [row for row in rows if all(row[key] == value for key, value in where.items())]
        its = by_seed(some, ("testset", "seed"), contrast.testsets)
        terms.append({key: factor * value for key, of in its.items() for value in of.values()})
    found: dict[str, dict[str, float]] = {}
    for testset, seed in terms[0]:
        if all((testset, seed) in its for its in terms):
            value = contrast.scale * sum(its[testset, seed] for its in terms)
            found.setdefault(testset, {})[seed] = value
    return found


def sign_flip(values: Sequence[float]) -> float:
    """Return the two-sided p of the mean of `values` if each could as well have the other sign."""
    count = len(values)
    if count > MAX_EXACT:
        raise ValueError(f"{count} units are too many for all their signs")
    tested = stats.permutation_test(
        (np.array(values),), np.mean, permutation_type="samples", n_resamples=2**count
    )
    return float(tested.pvalue)


def holm(p_values: Sequence[float]) -> list[float]:
    """Return the p-values corrected for their number (Holm 1979): the smallest times n, the next
    times n - 1, ...; none below one before it, none above 1.
    """
    corrected, least = [0.0] * len(p_values), 0.0
    for rank, index in enumerate(np.argsort(p_values, kind="stable")):
        least = max(least, min(1.0, (len(p_values) - rank) * p_values[index]))
        corrected[index] = least
    return corrected


def measure(contrast: Contrast, rows: list[Row]) -> Tested | None:
    """Test a contrast on its study's rows; None with fewer than two units."""
    found = differences(contrast, rows)
    units = [float(np.mean(list(its.values()))) for its in found.values()]
    if len(units) < 2:
        return None
    seeds = sorted({seed for its in found.values() for seed in its} - {""})
    by_seeds = [np.mean([its[seed] for its in found.values() if seed in its]) for seed in seeds]
    low, high = stats.t.interval(0.95, len(units) - 1, np.mean(units), stats.sem(units))
    return Tested(
        contrast,
        float(np.mean(units)),
        float(low),
        float(high),
        len(units),
        len(seeds),
        sign_flip(units),
        2.0 ** (1 - len(units)),
        float(stats.wilcoxon(units).pvalue) if any(units) else 1.0,
        float(stats.ttest_1samp(by_seeds, 0).pvalue) if len(seeds) > 1 else float("nan"),
    )


def judge(results: Mapping[str, list[Row]]) -> list[Tested]:
    """Test every contrast whose study has results (by name), corrected for all of them."""
    tested = [
        its
        for contrast in CONTRASTS
        if contrast.study in results and (its := measure(contrast, results[contrast.study]))
    ]
    return [
        its._replace(holm=p) for its, p in zip(tested, holm([its.p for its in tested]), strict=True)
    ]
