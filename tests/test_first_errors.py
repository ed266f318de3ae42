"""What somebody meets who has no data yet, or data in another place or layout: each error says what
to give instead.
"""

from __future__ import annotations

import pathlib

import pytest

from data.sources import find_all_sets, find_testsets, training_images
from data.testsets import ORDER
from tests.conftest import write_image
from tools.checks.inventory import take_inventory
from util.errors import UsageError

SPLITS = ("train", "val")


def told(error: pytest.ExceptionInfo[UsageError]) -> str:
    assert "\n" not in str(error.value)
    return str(error.value)


def test_training_without_data_says_how_to_get_or_name_some(tmp_path: pathlib.Path) -> None:
    for root in (tmp_path, tmp_path / "none"):
        with pytest.raises(UsageError) as error:
            training_images(str(root), SPLITS)
        assert told(error).startswith(f"{root}/train: no such folder; ")
        for words in ("--real", "--fake", "tools.download train val", "minibench.build"):
            assert words in told(error)


@pytest.fixture
def outer(tmp_path: pathlib.Path) -> pathlib.Path:
    """A folder that holds nothing but a data set of its own, as dataset/ after the demo."""
    for folder in ("train/cat", "val/cat", "test/progan"):
        for label in ("0_real", "1_fake"):
            write_image(tmp_path / "dataset/mini" / folder / label / "0.png", 0)
    return tmp_path / "dataset"


def test_a_data_set_one_folder_further_down_is_named(outer: pathlib.Path) -> None:
    inner = outer / "mini"
    for find in (
        lambda root: training_images(root, SPLITS),
        find_all_sets,  # tools.manifest, tools.audit
        lambda root: take_inventory(root, ORDER),  # tools.verify
        find_testsets,  # eval.py
    ):
        with pytest.raises(UsageError) as error:
            find(str(outer))
        assert told(error).startswith(f"{outer}: ")
        assert told(error).endswith(f": give {inner}")
    assert set(find_all_sets(str(inner))) == {"train", "val", "test/progan"}
    assert set(take_inventory(str(inner), ORDER).sets) == {"train", "val", "test/progan"}


@pytest.mark.parametrize("names", [("real", "fake"), ("Real", "Fake")])
def test_folders_called_real_and_fake_lead_to_the_options_that_take_them(
    tmp_path: pathlib.Path, names: tuple[str, str]
) -> None:
    for name in names:
        write_image(tmp_path / name / "0.png", 0)
    for find in (
        lambda root: training_images(root, SPLITS),
        find_all_sets,
        lambda root: take_inventory(root, ORDER),
        find_testsets,
    ):
        with pytest.raises(UsageError) as error:
            find(str(tmp_path))
        assert f"--real {tmp_path}/{names[0]} --fake {tmp_path}/{names[1]} " in told(error)


def test_a_test_set_may_be_called_real_or_have_a_class_called_train(
    tmp_path: pathlib.Path,
) -> None:
    for folder in ("real", "fake", "progan/train", "progan/test"):
        for label in ("0_real", "1_fake"):
            write_image(tmp_path / folder / label / "0.png", 0)
    assert set(find_testsets(str(tmp_path))) == {"real", "fake", "progan"}
    assert set(find_all_sets(str(tmp_path))) == {"real", "fake", "progan"}
