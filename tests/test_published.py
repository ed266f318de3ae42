from __future__ import annotations

import numpy as np
import pytest

from data.testsets import ORDER, PAPER_ELEVEN
from evaluation.published import check_published, published, published_names
from tests.tolerances import written
from util.errors import UsageError


def test_published_means_are_those_the_paper_prints() -> None:
    """Table 2's means, from the figures as they are shipped; independent of how they are read."""
    printed = {"No aug": 90.1, "Blur+JPEG (0.5)": 90.8, "Blur+JPEG (0.1)": 92.6, "2-class": 81.3}
    for name, mean in printed.items():
        figures = published(name)
        assert set(figures) == set(PAPER_ELEVEN)
        assert np.mean([row["ap"] for row in figures.values()]) == written(mean / 100, 3)


def test_the_released_models_have_both_protocols() -> None:
    assert set(published("blur_jpg_prob0.1")) <= set(ORDER)
    assert published("blur_jpg_prob0.1")["crn"]["ap"] == 0.982
    assert published("blur_jpg_prob0.1", no_crop=True)["crn"]["ap"] == 0.998


def test_an_unknown_published_name_is_refused_with_the_known_ones() -> None:
    check_published("")
    for name in published_names():
        check_published(name)
    with pytest.raises(UsageError, match=r"--published x is not one of .*No aug"):
        check_published("x")
