from __future__ import annotations

import numpy as np
import pytest

from data.testsets import ORDER, PAPER_ELEVEN
from evaluation.published import check_published, published, published_names
from options.names import PUBLISHED
from options.presets import TABLE_2
from tests.tolerances import written
from util.errors import UsageError


def test_published_means_are_those_the_paper_prints() -> None:
    """Table 2's means, from the figures as they are shipped; independent of how they are read."""
    printed = {"no_aug": 90.1, "blur": 84.4, "jpeg": 93.0, "2class": 81.3}
    printed |= {"table2_blur_jpg_prob0.5": 90.8, "table2_blur_jpg_prob0.1": 92.6}
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
    for unknown in ("x", "No aug"):
        with pytest.raises(UsageError, match=rf"--published {unknown} is not one of .*no_aug"):
            check_published(unknown)


def test_published_rows_are_called_as_the_presets_that_repeat_them() -> None:
    assert set(TABLE_2) <= set(published_names())


def test_help_lists_the_published_names() -> None:
    assert list(PUBLISHED) == published_names()


def test_the_released_models_agree_with_their_rows_of_table_2() -> None:
    for model in ("blur_jpg_prob0.5", "blur_jpg_prob0.1"):
        released, row = published(model), published(f"table2_{model}")
        assert {name: released[name]["ap"] for name in row} == {n: r["ap"] for n, r in row.items()}
