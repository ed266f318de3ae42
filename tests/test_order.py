from __future__ import annotations

import pathlib

import numpy as np
import pytest

from data.order import EpochBatches, batches_per_epoch, epoch_order, find_pairs
from data.samples import find_samples
from tests.conftest import write_image
from util.errors import InputError

LABELS = np.array([0] * 90 + [1] * 10, np.uint8)


def test_an_epoch_holds_every_image_once_in_a_new_order() -> None:
    first = epoch_order(LABELS, None, balanced=False, seed=0, epoch=0)
    assert sorted(first) == list(range(100))
    assert (first != epoch_order(LABELS, None, False, 0, 1)).any()
    assert (first != epoch_order(LABELS, None, False, 1, 0)).any()
    np.testing.assert_array_equal(first, epoch_order(LABELS, None, False, 0, 0))


def test_balancing_draws_both_labels_equally_often() -> None:
    drawn = np.concatenate([epoch_order(LABELS, None, True, 0, epoch) for epoch in range(50)])
    assert len(drawn) == 5000
    assert abs(LABELS[drawn].mean() - 0.5) < 4 * 0.5 / np.sqrt(5000)
    assert set(drawn) == set(range(100))


def test_pairs_stay_together(tmp_path: pathlib.Path) -> None:
    for name in ("b", "a", "c"):
        for label in ("0_real", "1_fake"):
            write_image(tmp_path / f"cat/{label}/{name}.png", 0)
    samples = find_samples(str(tmp_path))
    pairs = find_pairs(samples)
    order = epoch_order(samples.labels, pairs, False, seed=0, epoch=0)
    assert sorted(order) == list(range(6))
    for real, fake in order.reshape(-1, 2):
        assert samples.relative(real).replace("0_real", "1_fake") == samples.relative(fake)
    write_image(tmp_path / "cat/0_real/d.png", 0)
    with pytest.raises(InputError, match=r"cat/0_real/d\.png has no partner cat/1_fake/d\.png"):
        find_pairs(find_samples(str(tmp_path)))


@pytest.mark.parametrize("world_size", [1, 2, 3])
def test_processes_share_each_batch_without_overlap(world_size: int) -> None:
    order = epoch_order(LABELS, None, False, 0, 7)
    parts = [list(EpochBatches(order, 7, 12, 0, 8, rank, world_size)) for rank in range(world_size)]
    for number in range(8):
        keys = [key for part in parts for key in part[number]]
        expected = order[12 * number : 12 * (number + 1)]
        assert sorted(keys) == sorted((7, int(i)) for i in expected)


def test_an_epoch_can_be_taken_up_in_its_middle() -> None:
    order = epoch_order(LABELS, None, False, 0, 0)
    whole = list(EpochBatches(order, 0, 12, 0, 8, 0, 1))
    rest = EpochBatches(order, 0, 12, 5, 8, 0, 1)
    assert list(rest) == whole[5:]
    assert len(rest) == 3


@pytest.mark.parametrize(("images", "batches"), [(100, 8), (96, 8), (12, 1), (11, 1), (23, 1)])
def test_the_incomplete_batch_is_left_out_unless_it_is_the_only_one(
    images: int, batches: int
) -> None:
    assert batches_per_epoch(images, 12) == batches
