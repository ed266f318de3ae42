"""A batch holds --batch_size images, however many processes share it and whatever is replayed."""

from __future__ import annotations

import numpy as np
import pytest

from data.order import Order, epoch_order, make_pools, steps_per_epoch
from util.errors import UsageError

LABELS = np.tile([0, 1], 500).astype(np.uint8)


def pairs_of(paired: bool) -> Order | None:
    return np.arange(1000).reshape(-1, 2) if paired else None


@pytest.mark.parametrize("paired", [False, True])
@pytest.mark.parametrize("fraction", [0.2, 0.3, 0.5, 0.75])
@pytest.mark.parametrize("world_size", [1, 2, 4, 8])
def test_new_and_old_images_together_make_the_batch(
    world_size: int, fraction: float, paired: bool
) -> None:
    pools = make_pools(
        LABELS,
        200,
        pairs_of(paired),
        batch_size=64,
        replay_fraction=fraction,
        world_size=world_size,
    )
    shares = [pool.per_batch for pool in pools]
    assert sum(shares) == 64
    unit = world_size * (2 if paired else 1)
    assert all(share % unit == 0 for share in shares)
    assert abs(shares[1] - 64 * fraction) <= unit / 2
    assert len(epoch_order(pools, balanced=False, seed=0, epoch=0)) == 64 * steps_per_epoch(pools)


@pytest.mark.parametrize(
    ("num_new", "replayed", "message"),
    [
        (40, True, "64: a batch holds 45 new images, and there are only 40 .* or replay more"),
        (40, False, "64: a batch holds 64 new images, and there are only 40 .* a smaller one$"),
    ],
)
def test_fewer_images_than_a_batch_holds_are_refused(
    num_new: int, replayed: bool, message: str
) -> None:
    labels = LABELS if replayed else LABELS[:num_new]
    with pytest.raises(UsageError, match=f"--batch_size {message}"):
        make_pools(labels, num_new, None, batch_size=64, replay_fraction=0.3, world_size=1)


@pytest.mark.parametrize(("fraction", "kind"), [(0.01, "old"), (0.99, "new"), (0.4, "old")])
def test_a_batch_without_room_for_both_kinds_is_refused(fraction: float, kind: str) -> None:
    with pytest.raises(UsageError, match=f"--batch_size 8, .* 8 processes, has no room for {kind}"):
        make_pools(LABELS, 200, None, batch_size=8, replay_fraction=fraction, world_size=8)
