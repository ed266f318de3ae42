"""Which images the report shows pictures of."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TypeVar

import numpy as np

from data.samples import pair_name
from evaluation.predictions import Scores

Models = Mapping[str, Mapping[str, Scores]]  # model -> test set
T = TypeVar("T")


def most_wrong(scores: Scores, most: int) -> list[int]:
    """Return the indices of the `most` real images with the highest logits and, alternating with
    them, of as many fakes with the lowest; by path where logits are equal.

    Wherever the threshold is, the most confident mistakes of either kind are among these first.
    """
    paths, labels, logits, _ = scores
    reals = np.flatnonzero(labels == 0).tolist()
    fakes = np.flatnonzero(labels == 1).tolist()
    reals.sort(key=lambda index: (-logits[index], paths[index]))
    fakes.sort(key=lambda index: (logits[index], paths[index]))
    return list(_in_turn([reals[:most], fakes[:most]]))


def most_disputed(
    first: Scores, second: Scores, most: int, *, thresholds: tuple[float, float]
) -> list[str]:
    """Return the paths of the `most` images that one model calls fake and the other real, each at
    its own of `thresholds`; those whose logits differ most come first.
    """
    other = dict(zip(second.paths, second.logits.tolist(), strict=True))
    disputed = [
        (-abs(logit - other[path]), path)
        for path, logit in zip(first.paths, first.logits.tolist(), strict=True)
        if path in other and (logit > thresholds[0]) != (other[path] > thresholds[1])
    ]
    return [path for _, path in sorted(disputed)[:most]]


def chosen_images(
    models: Models, number: int | None, threshold_of: Callable[[str, str], float]
) -> list[tuple[str, str]]:
    """Return test set and path of the images to show, the most telling ones of each set first.

    Of each test set and model these are the `number` most wrong of each label and their partners,
    where names pair, and of each two models as many on which they disagree at `threshold_of`
    (model, test set). None: every image.
    """
    testsets = dict.fromkeys(name for its in models.values() for name in its)
    if number == 0:
        return []
    ways = [
        _of_testset(models, testset, number=number, threshold_of=threshold_of)
        for testset in testsets
    ]
    named = ([(testset, path) for path in its] for testset, its in zip(testsets, ways, strict=True))
    return list(_in_turn(list(named)))


def _of_testset(
    models: Models, testset: str, *, number: int | None, threshold_of: Callable[[str, str], float]
) -> list[str]:
    scored = {name: its[testset] for name, its in models.items() if testset in its}
    every = dict.fromkeys(path for scores in scored.values() for path in scores.paths)
    most = len(every) if number is None else number
    lists = [[its.paths[i] for i in most_wrong(its, most)] for its in scored.values()]
    for first, second in itertools.combinations(scored, 2):
        thresholds = threshold_of(first, testset), threshold_of(second, testset)
        both = scored[first], scored[second]
        lists.append(most_disputed(*both, most, thresholds=thresholds))
    telling = dict.fromkeys(_in_turn(lists))
    pairs: dict[str, list[str]] = {}
    for path in every:
        pairs.setdefault(pair_name(path), []).append(path)
    wrong = _in_turn(lists[: len(scored)])
    partners = (other for path in wrong for other in pairs[pair_name(path)])
    return [*dict.fromkeys([*telling, *partners])]


def _in_turn(lists: Sequence[Sequence[T]]) -> Iterable[T]:
    """Yield the first of each list, then the second of each, and so on."""
    for rank in range(max(map(len, lists), default=0)):
        yield from (its[rank] for its in lists if rank < len(its))
