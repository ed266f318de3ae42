"""Reliability diagrams show what a slow loop counts, and ECE is theirs."""

from __future__ import annotations

import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.collections import PathCollection

from evaluation.metrics import expected_calibration_error, reliability
from evaluation.predictions import Scores
from report.figures.panels import figure_of
from report.figures.reliability import ALL, reliability_diagrams
from tests.drawn import panels, scores, words
from tests.tolerances import near


def slow_bins(scored: Scores) -> list[tuple[int, float, float]]:
    """For each of 15 bins with images: their number, mean probability, and share of fakes."""
    bins = []
    probabilities = 1 / (1 + np.exp(-scored.logits))
    for number in range(15):
        inside = [
            (p, int(label))
            for p, label in zip(probabilities, scored.labels, strict=True)
            if number / 15 <= p < (number + 1) / 15 or (number == 14 and p == 1)
        ]
        if inside:
            bins.append((len(inside), *(sum(v) / len(inside) for v in zip(*inside, strict=True))))
    return bins


def slow_error(scored: Scores) -> float:
    every = len(scored.labels)
    return sum(count / every * abs(p - share) for count, p, share in slow_bins(scored))


def dots_of(axes: Axes) -> list[PathCollection]:
    return [its for its in axes.collections if isinstance(its, PathCollection)]


@pytest.mark.parametrize("seed", range(5))
def test_the_bins_are_those_of_a_slow_loop(seed: int) -> None:
    scored = scores(300, seed, distance=3)
    images, probability, fake = reliability(scored.labels, scored.logits)
    there = images > 0
    expected = slow_bins(scored)
    assert images[there].tolist() == [count for count, _, _ in expected]
    assert probability[there] == near([p for _, p, _ in expected], 1e-12, "another order")
    assert fake[there] == near([share for _, _, share in expected], 1e-12, "another order")
    assert np.isnan(probability[~there]).all() and np.isnan(fake[~there]).all()
    error = expected_calibration_error(scored.labels, scored.logits)
    assert error == near(slow_error(scored), 1e-12, "another order")


def test_dots_lie_in_their_bins_with_the_area_of_their_images() -> None:
    scored = scores(3000, 1, distance=3)
    its = reliability_diagrams({"model": {"crn": scored}})
    (axes,) = figure_of(its).axes
    (dots,) = dots_of(axes)
    expected = slow_bins(scored)
    places = np.array([its[1:] for its in expected])
    assert np.asarray(dots.get_offsets()) == near(places, 1e-12, "another order")
    areas = dots.get_sizes()
    large = np.argsort(areas)[-2:]  # the smallest ones have a least size
    shares = [expected[i][0] / 3000 for i in large]
    assert areas[large[0]] / areas[large[1]] == pytest.approx(shares[0] / shares[1])
    assert f"ECE {100 * slow_error(scored):.1f}" in words(axes).split("\n")
    assert its.panels[0].words == f"ECE {100 * slow_error(scored):.1f}"


def test_all_images_have_a_panel_of_their_own() -> None:
    sets = {"crn": scores(200, 1), "san": scores(400, 2, distance=3)}
    both = Scores([], *(np.concatenate([its[i] for its in sets.values()]) for i in (1, 2)))
    models = {"one": sets, "two": {"san": sets["san"]}}
    by_title = panels(figure_of(reliability_diagrams(models)))
    assert list(by_title) == ["crn", "san", ALL]
    numbers = {
        model: f"{100 * slow_error(its):.1f}"
        for model, its in (("one", both), ("two", sets["san"]))
    }
    legend = by_title[ALL].get_legend()
    assert [t.get_text() for t in legend.get_texts()] == [f"{m} {n}" for m, n in numbers.items()]
    assert len(dots_of(by_title["crn"])) == 1
    single = figure_of(reliability_diagrams({"one": {"crn": sets["crn"]}}))
    assert list(panels(single)) == ["crn"]
    assert list(panels(figure_of(reliability_diagrams({})))) == []


def test_a_set_may_be_called_as_the_panel_of_all_images() -> None:
    its = reliability_diagrams({"one": {ALL: scores(50, 1), "crn": scores(70, 2)}})
    assert [panel.title for panel in its.panels] == [(ALL,), ("crn",), (ALL,)]
    assert len({panel.words for panel in its.panels}) == 3


@pytest.mark.parametrize("distance", [-9.0, 9.0])
def test_the_number_keeps_away_from_the_dots(distance: float) -> None:
    """All images of one label score far on one side: above, or below, the diagonal."""
    label = int(distance < 0)
    logits = distance / 4 + np.linspace(-2, 2, 40)
    scored = Scores([], np.full(40, label, np.uint8), logits)
    (axes,) = figure_of(reliability_diagrams({"m": {"crn": scored}})).axes
    (text,) = (its for its in axes.texts if "ECE" in its.get_text())
    assert (text.get_position()[1] < 0.5) == (label == 1)
