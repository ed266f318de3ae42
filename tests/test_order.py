from __future__ import annotations

import pathlib
from typing import Any

import numpy as np
import pytest

from data.order import (
    EpochBatches,
    Order,
    Pool,
    epoch_order,
    find_pairs,
    make_pools,
    steps_per_epoch,
)
from data.samples import find_samples
from tests.conftest import write_image
from util.errors import UsageError

LABELS = np.array([0] * 90 + [1] * 10, np.uint8)


NEW = make_pools(LABELS, 100, None, batch_size=10, replay_fraction=0.5, world_size=1)


def test_an_epoch_holds_every_image_once_in_a_new_order() -> None:
    first = epoch_order(NEW, balanced=False, seed=0, epoch=0)
    assert sorted(first) == list(range(100))
    assert (first != epoch_order(NEW, balanced=False, seed=0, epoch=1)).any()
    assert (first != epoch_order(NEW, balanced=False, seed=1, epoch=0)).any()
    np.testing.assert_array_equal(first, epoch_order(NEW, balanced=False, seed=0, epoch=0))


def test_balancing_draws_both_labels_equally_often() -> None:
    drawn = np.concatenate(
        [epoch_order(NEW, balanced=True, seed=0, epoch=epoch) for epoch in range(50)]
    )
    assert len(drawn) == 5000
    assert abs(LABELS[drawn].mean() - 0.5) < 4 * 0.5 / np.sqrt(5000)
    assert set(drawn) == set(range(100))


def test_pairs_stay_together(tmp_path: pathlib.Path) -> None:
    for name in ("b", "a", "c"):
        for label in ("0_real", "1_fake"):
            write_image(tmp_path / f"cat/{label}/{name}.png", 0)
    samples = find_samples(str(tmp_path))
    pools = make_pools(
        samples.labels, 6, find_pairs(samples), batch_size=6, replay_fraction=0.5, world_size=1
    )
    order = epoch_order(pools, balanced=False, seed=0, epoch=0)
    assert sorted(order) == list(range(6))
    for real, fake in order.reshape(-1, 2):
        assert samples.relative(real).replace("0_real", "1_fake") == samples.relative(fake)
    write_image(tmp_path / "cat/0_real/d.png", 0)
    with pytest.raises(UsageError, match=r"cat/0_real/d\.png has no partner cat/1_fake/d\.png"):
        find_pairs(find_samples(str(tmp_path)))


@pytest.mark.parametrize("world_size", [1, 2, 3])
def test_processes_share_each_batch_evenly_and_without_overlap(world_size: int) -> None:
    order = epoch_order(NEW, balanced=False, seed=0, epoch=7)
    parts = [list(EpochBatches(order, 7, 12, 0, 8, rank, world_size)) for rank in range(world_size)]
    for number in range(8):
        assert {len(part[number]) for part in parts} == {12 // world_size}
        keys = [key for part in parts for key in part[number]]
        expected = order[12 * number : 12 * (number + 1)]
        assert sorted(keys) == sorted((7, int(i)) for i in expected)


def test_no_process_gets_one_label_only_of_pairs() -> None:
    pairs = np.arange(16).reshape(8, 2)
    pools = make_pools(
        np.tile([0, 1], 8).astype(np.uint8),
        16,
        pairs,
        batch_size=8,
        replay_fraction=0.5,
        world_size=2,
    )
    order = epoch_order(pools, balanced=False, seed=0, epoch=0)
    for rank in (0, 1):
        for keys in EpochBatches(order, 0, 8, 0, 2, rank, 2):
            assert [index % 2 for _, index in keys] == [0, 1, 0, 1]


def test_an_epoch_can_be_taken_up_in_its_middle() -> None:
    order = epoch_order(NEW, balanced=False, seed=0, epoch=0)
    whole = list(EpochBatches(order, 0, 12, 0, 8, 0, 1))
    rest = EpochBatches(order, 0, 12, 5, 8, 0, 1)
    assert list(rest) == whole[5:]
    assert len(rest) == 3


@pytest.mark.parametrize(("images", "steps"), [(100, 8), (96, 8), (12, 1), (23, 1)])
def test_the_incomplete_batch_is_left_out(images: int, steps: int) -> None:
    pools = make_pools(
        np.zeros(images, np.uint8), images, None, batch_size=12, replay_fraction=0.5, world_size=1
    )
    assert (steps_per_epoch(pools), pools[0].per_batch) == (steps, 12)
    assert len(epoch_order(pools, balanced=False, seed=0, epoch=0)) == steps * 12


def replayed(num_new: int, num_old: int, pairs: Order | None, *rest: Any) -> list[Pool]:  # noqa: ANN401
    labels = np.tile([0, 1], (num_new + num_old) // 2).astype(np.uint8)
    batch_size, fraction, world_size = rest
    known = {"batch_size": batch_size, "world_size": world_size}
    return make_pools(labels, num_new, pairs, replay_fraction=fraction, **known)


@pytest.mark.parametrize("paired", [False, True])
@pytest.mark.parametrize(("num_old", "fraction"), [(1000, 0.5), (1000, 0.25), (6, 0.75)])
def test_every_batch_holds_its_share_of_old_images(
    num_old: int, fraction: float, paired: bool
) -> None:
    """New images come once each; old ones as often as the others, give or take one."""
    pairs = np.arange(40 + num_old).reshape(-1, 2) if paired else None
    pools = replayed(40, num_old, pairs, 16, fraction, 2)
    order = epoch_order(pools, balanced=False, seed=0, epoch=3)
    steps = steps_per_epoch(pools)
    old = int(16 * fraction)
    assert steps == 40 // (16 - old)
    halves = (order >= 40).reshape(steps, 2, 8)  # of each process
    assert (halves.sum(axis=2) == old // 2).all()
    if paired:
        assert (order.reshape(-1, 2) == order[::2, None] + [0, 1]).all()
    new = order[order < 40]
    assert len(set(new)) == len(new) == steps * (16 - old)
    counts = np.bincount(order[order >= 40] - 40, minlength=num_old)
    assert counts.max() - counts.min() <= 1
    assert (order != epoch_order(pools, balanced=False, seed=0, epoch=4)).any()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((10, 0, None, 9, 0.5, 2), "--batch_size 9: must be a multiple of 2, .* 2 processes$"),
        ((12, 0, np.arange(12).reshape(6, 2), 6, 0.5, 2), "multiple of 4, .* in whole --pairs"),
        ((2, 0, None, 8, 0.5, 4), "there are only 2 to train on"),
        ((10, 10, None, 4, 0.01, 1), "--replay_fraction 0.01: .* no room for old images"),
    ],
)
def test_batches_that_cannot_be_shared_out_are_refused(arguments: Any, message: str) -> None:  # noqa: ANN401
    with pytest.raises(UsageError, match=message):
        replayed(*arguments)
