"""Which images the report shows: the most wrong at any threshold, the disputed, their partners."""

from __future__ import annotations

import numpy as np
import pytest

from evaluation.predictions import Scores
from report.chosen import chosen_images, most_disputed, most_wrong


def random_scores(seed: int, count: int = 200) -> Scores:
    """With many ties, with each other and with thresholds."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, 2, count).astype(np.uint8)
    return Scores([f"{i:03d}.png" for i in range(count)], labels, rng.integers(-6, 7, count) / 2)


def mistakes(scores: Scores, threshold: float, label: int) -> list[int]:
    """Of one label, the most confident first, by path where logits are equal."""
    rows = zip(scores.logits, scores.paths, scores.labels, range(len(scores.paths)), strict=True)
    sign = 1 if label else -1
    return [
        i
        for *_, i in sorted(
            (sign * logit, path, i)
            for logit, path, its, i in rows
            if its == label and (logit > threshold) != bool(label)
        )
    ]


@pytest.mark.parametrize("threshold", [0.0, -1.0, 1.0, 0.5, -9.0, 9.0])
@pytest.mark.parametrize("most", [1, 4, 1000])
def test_the_first_mistakes_at_any_threshold_are_among_the_most_wrong(
    threshold: float, most: int
) -> None:
    scores = random_scores(most)
    chosen = most_wrong(scores, most)
    assert len(chosen) == len(set(chosen)) <= 2 * most
    for label in (0, 1):
        wrong = mistakes(scores, threshold, label)
        mine = [i for i in chosen if scores.labels[i] == label and i in set(wrong)]
        assert mine == wrong[:most]


def test_ties_go_by_path_and_labels_take_turns() -> None:
    labels = np.array([0, 0, 0, 1, 1], np.uint8)
    scores = Scores(["b", "c", "a", "e", "d"], labels, np.array([1.0, 1, 1, 0, 0]))
    assert most_wrong(scores, 2) == [2, 4, 0, 3]


@pytest.mark.parametrize("thresholds", [(0.0, 0.0), (1.0, -0.5)])
def test_the_disputed_are_called_differently_and_furthest_apart(
    thresholds: tuple[float, float],
) -> None:
    first, second = random_scores(1), random_scores(2)
    second = second._replace(paths=second.paths[:150], labels=second.labels[:150])
    second = second._replace(logits=second.logits[:150])
    rows = []
    for path, a, b in zip(first.paths[:150], first.logits, second.logits, strict=False):
        if (a > thresholds[0]) != (b > thresholds[1]):
            rows.append((-abs(a - b), path))
    assert len(rows) > 20
    found = most_disputed(first, second, 20, thresholds=thresholds)
    assert found == [path for _, path in sorted(rows)[:20]]


def test_partners_of_the_most_wrong_come_too() -> None:
    names = [f"{folder}/{name}" for folder in ("0_real", "1_fake") for name in ("a.png", "b.png")]
    names[3] = "1_fake/b.jpg"  # another ending makes no other name
    labels = np.array([0, 0, 1, 1], np.uint8)
    scores = Scores(names, labels, np.array([-1.0, 5.0, -5.0, 6.0]))
    wrong = [("s", "0_real/b.png"), ("s", "1_fake/a.png")]
    partners = [("s", "1_fake/b.jpg"), ("s", "0_real/a.png")]
    assert chosen_images({"m": {"s": scores}}, 1, lambda m, t: 0.0) == [*wrong, *partners]


def test_test_sets_take_turns_and_all_are_all() -> None:
    one, two = random_scores(1, 10), random_scores(2, 7)
    models = {"m": {"x": one, "y": two}, "n": {"y": random_scores(3, 9)}}
    every = chosen_images(models, None, lambda m, t: 0.0)
    assert len(every) == len(set(every)) == 10 + 9
    assert [testset for testset, _ in every[:14]] == ["x", "y"] * 7
    assert every[0] == ("x", one.paths[most_wrong(one, 1)[0]])
    assert chosen_images(models, 0, lambda m, t: 0.0) == []


def test_disputes_are_at_the_thresholds_of_model_and_test_set() -> None:
    labels = np.zeros(3, np.uint8)
    a = Scores(["1", "2", "3"], labels, np.array([0.0, 1.0, 9.0]))
    b = Scores(["1", "2", "3"], labels, np.array([2.0, 3.0, 9.5]))
    cuts = {("a", "s"): 0.5, ("b", "s"): 4.0}
    found = chosen_images({"a": {"s": a}, "b": {"s": b}}, 1, lambda m, t: cuts[m, t])
    assert found == [("s", "3"), ("s", "2")]  # most wrong of both, then the disputed
