"""Reports to be explored in the browser tests, and what their tables must show, by numpy."""

from __future__ import annotations

import re

import numpy as np

from evaluation.predictions import Scores
from report.page import Mark, Page, Picture
from tests.test_html import image, make_page, marks
from tests.tolerances import near

Sets = dict[str, Scores]
Row = tuple[str, str, int, float]  # test set, path, label, logit


def scores(count: int, seed: int, labels: tuple[int, ...] = (0, 1)) -> Scores:
    rng = np.random.default_rng(seed)
    chosen = rng.choice(labels, count).astype(np.uint8)
    paths = sorted(f"{'xyz'[i % 3]}/Image_{rng.integers(10**6)}.png" for i in range(count))
    return Scores(paths, chosen, np.round(rng.normal(size=count) * 3 + chosen, 4))


SETS = {"zoo": scores(180, 1), "crn": scores(120, 2), "fakes only": scores(30, 3, (1,))}
OTHER = {"zoo": scores(180, 1)._replace(logits=scores(180, 9).logits), "late": scores(10, 4)}
OWN = {"zoo": 1.25, "crn": -0.75}  # a mark that the set of fakes has not


def page_of(models: dict[str, Sets], pictured: int = 12) -> Page:
    """A page with pictures of the first images of each test set."""
    own = {model: {s: OWN[s] for s in its if s in OWN} for model, its in models.items()}
    testsets = {s: its for scored in models.values() for s, its in scored.items()}
    return make_page(
        models=models,
        marks={**marks(models, learned=0.33333), "own": Mark("chosen on the set itself", own)},
        pictures={
            s: {path: Picture(image(), 8, 8) for path in its.paths[:pictured]}
            for s, its in testsets.items()
        },
    )


PAGE = page_of({"model": SETS})
TWO = page_of({"model": SETS, "other model": OTHER})


def cut(threshold: float | dict[str, float], testset: str) -> float:
    return threshold.get(testset, 0.0) if isinstance(threshold, dict) else threshold


def expected(sets: Sets, threshold: float | dict[str, float]) -> list[list[str]]:
    """The table of the threshold."""
    rows = []
    for name, (_, labels, logits, _) in sets.items():
        fake, called = labels == 1, logits > cut(threshold, name)
        figures = [
            np.mean(which) if len(which) else None
            for which in (called == fake, called[fake], called[~fake])
        ]
        mistakes = [int((called & ~fake).sum()), int((fake & ~called).sum())]
        counts = [int((~fake).sum()), int(fake.sum()), f"{cut(threshold, name):.2f}"]
        rows.append([name, *counts, *figures, *mistakes])
    means = [np.mean([row[i] for row in rows if row[i] is not None]) for i in (4, 5, 6)]
    rows.append(["mean", "", "", "", *means, "", ""])
    return [
        [f"{100 * f:.2f}" if isinstance(f, float) else "" if f is None else str(f) for f in row]
        for row in rows
    ]


def close(shown: list[list[str]], wanted: list[list[str]]) -> bool:
    """Equal but for the last digit, where two languages may round a half apart."""

    def same(a: str, b: str) -> bool:
        if re.fullmatch(r"-?\d+\.\d\d", a) and re.fullmatch(r"-?\d+\.\d\d", b):
            return bool(float(a) == near(float(b), 0.011, "two languages round a half apart"))
        return a == b

    return [len(r) for r in shown] == [len(r) for r in wanted] and all(
        same(a, b) for r, s in zip(shown, wanted, strict=True) for a, b in zip(r, s, strict=True)
    )


def all_rows(sets: Sets) -> list[Row]:
    return [
        (name, path, int(label), float(logit))
        for name, scored in sets.items()
        for path, label, logit in zip(*scored[:3], strict=True)
    ]


def is_wrong(row: Row, threshold: float | dict[str, float] = 0.0) -> bool:
    return (row[3] > cut(threshold, row[0])) != bool(row[2])


def wrong_by(row: Row, threshold: float | dict[str, float] = 0.0) -> float:
    over = row[3] - cut(threshold, row[0])
    return -over if row[2] else over


def as_shown(rows: list[Row], threshold: float | dict[str, float] = 0.0) -> list[list[str]]:
    """The cells of the table of all predictions, without the picture's."""
    return [
        [row[0], row[1], ("real", "fake")[row[2]], f"{row[3]:.4f}"]
        + [f"{1 / (1 + np.exp(-row[3])):.4f}", ("right", "wrong")[is_wrong(row, threshold)]]
        for row in rows
    ]
