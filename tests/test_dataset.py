from __future__ import annotations

import os
import pathlib
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import torch
import torchvision
from PIL import Image

from data.augment import Blur, Jpeg, blur_cv2, jpeg_pil
from data.dataset import EvalImages, TrainImages
from data.eval_batches import Batch, EvalSet, eval_reader, image_sizes
from data.geometry import CentreCrop
from data.images import UnreadableImage, decode, open_image
from data.order import EpochBatches, batches_by_size
from data.samples import Samples, find_samples
from data.train_batches import train_reader
from data.transforms import eval_transform, train_transform, val_transform
from evaluation.degrade import variants
from networks.normalize import normalize
from tests.conftest import children, write_image

BLUR, JPEG = Blur(0.5, (0.0, 3.0)), Jpeg(0.5, (30, 100), ("cv2", "pil"))
TRAIN = train_transform(40, 32, ("bilinear", "bicubic"), blur=BLUR, jpeg=JPEG, flip=True)


def train_images(root: pathlib.Path, seed: int = 0) -> TrainImages:
    return TrainImages(find_samples(str(root / "train")), TRAIN, seed=seed)


def all_batches(dataset: TrainImages, workers: int, epoch: int = 3) -> list[torch.Tensor]:
    order = np.arange(len(dataset.samples.labels))
    batches = EpochBatches(order, epoch, 6, 0, 4, 0, 1)
    return [batch.images for batch in train_reader(dataset, workers, False)(batches)]


def test_pixels_do_not_depend_on_the_number_of_workers(toy: pathlib.Path) -> None:
    alone, one, two = (all_batches(train_images(toy), workers) for workers in (0, 1, 2))
    for batches in (one, two):
        assert all(torch.equal(a, b) for a, b in zip(alone, batches, strict=True))


def test_workers_live_from_one_epoch_to_the_next(toy: pathlib.Path) -> None:
    dataset = train_images(toy)
    read = train_reader(dataset, 2, False)
    others = set(children(os.getpid()))
    workers, batches = [], []
    for epoch in (3, 4):
        plan = EpochBatches(np.arange(len(dataset.samples.labels)), epoch, 6, 0, 4, 0, 1)
        batches += [batch.images for batch in read(plan)]
        workers.append(set(children(os.getpid())) - others)
    assert len(workers[0]) == 2
    assert workers[0] == workers[1]
    alone = all_batches(dataset, 0, 3) + all_batches(dataset, 0, 4)
    assert all(torch.equal(a, b) for a, b in zip(alone, batches, strict=True))
    del read
    assert not set(children(os.getpid())) & workers[0]


def test_pixels_depend_on_seed_epoch_and_index(toy: pathlib.Path) -> None:
    dataset = train_images(toy)
    again = train_images(toy)
    other_seed = train_images(toy, seed=1)
    for index in range(8):
        assert torch.equal(dataset[0, index][0], again[0, index][0])
    assert any(not torch.equal(dataset[0, i][0], dataset[1, i][0]) for i in range(8))
    assert any(not torch.equal(dataset[0, i][0], other_seed[0, i][0]) for i in range(8))


def test_two_copies_of_an_image_get_their_own_draws(toy: pathlib.Path) -> None:
    found = find_samples(str(toy / "train"))
    copies = Samples(found.root, found.paths[[0] * 12], found.labels[[0] * 12])
    dataset = TrainImages(copies, TRAIN, seed=0)
    assert len({dataset[0, i][0].numpy().tobytes() for i in range(12)}) > 6


def test_the_images_of_a_pair_get_the_same_draws(toy: pathlib.Path) -> None:
    found = find_samples(str(toy / "train"))
    copies = Samples(found.root, found.paths[[0] * 12], found.labels[[0] * 12])
    pairs = np.arange(12).reshape(6, 2)
    dataset = TrainImages(copies, TRAIN, seed=0, pairs=pairs)
    for first, second in pairs:
        assert torch.equal(dataset[2, first][0], dataset[2, second][0])
    assert len({dataset[2, first][0].numpy().tobytes() for first, _ in pairs}) > 3


def test_validation_draws_are_fixed_by_the_path(toy: pathlib.Path, tmp_path: pathlib.Path) -> None:
    transforms = val_transform(40, 32, ("bilinear",), blur=BLUR, jpeg=JPEG)
    samples = find_samples(str(toy / "val"))
    dataset = EvalImages(samples, [transforms], seed=5)
    first = [dataset[i, 0, 1].images[0][1] for i in range(8)]
    half = EvalImages(samples.take(np.arange(4, 8)), [transforms], seed=5)
    second = [half[i, 0, 1].images[0][1] for i in range(4)]
    assert all(torch.equal(a, b) for a, b in zip(first[4:], second, strict=True))
    reseeded = EvalImages(samples, [transforms], seed=6)
    other = [reseeded[i, 0, 1].images[0][1] for i in range(8)]
    assert any(not torch.equal(a, b) for a, b in zip(first, other, strict=True))


def test_validation_degrades_at_middle_strength() -> None:
    _, blur, jpeg, _ = val_transform(40, 32, ("bilinear",), blur=BLUR, jpeg=JPEG)
    assert blur == Blur(0.5, (1.5,), "cv2")
    assert jpeg == Jpeg(0.5, (65,), ("pil",))


def test_blur_comes_before_jpeg_and_both_before_the_crop() -> None:
    names = [type(transform).__name__ for transform in TRAIN]
    assert names == ["Resize", "Blur", "Jpeg", "RandomCrop", "Flip"]


def test_evaluation_input_is_torchvisions(tmp_path: pathlib.Path) -> None:
    """Centre crop with zero padding, ToTensor, Normalize: the reference's own preprocessing."""
    write_image(tmp_path / "0_real/a.png", 1, size=(50, 20))
    samples = Samples(str(tmp_path), np.array([b"0_real/a.png"]), np.array([0], np.uint8))
    ((_, image),) = EvalImages(samples, [eval_transform(32)])[0, 0, 1].images
    reference = torchvision.transforms.Compose(
        [
            torchvision.transforms.CenterCrop(32),
            torchvision.transforms.ToTensor(),
            torchvision.transforms.Normalize((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)),
        ]
    )(Image.open(tmp_path / "0_real/a.png").convert("RGB"))
    assert torch.equal(normalize(image[None])[0], reference)


def read_all(its: EvalSet, count: int, **reading: Any) -> Iterator[Batch]:  # noqa: ANN401
    """Read all `count` images of a set."""
    [batches] = eval_reader([its], **reading)([(0, np.arange(count))])
    return batches


@pytest.mark.parametrize("workers", [0, 2])
def test_parts_of_several_sets_are_one_stream(tmp_path: pathlib.Path, workers: int) -> None:
    """Each part has its own images alone, in order, whether or not any are left of it."""
    for number in range(6):
        write_image(tmp_path / f"a/0_real/{number}.png", number)
        write_image(tmp_path / f"b/0_real/{number}.png", 10 + number)
    (tmp_path / "a/0_real/2.png").write_bytes(b"junk")
    sets = [
        EvalSet(EvalImages(find_samples(str(tmp_path / name), both_labels=False), crops))
        for name, crops in (("a", [eval_transform(32)]), ("b", [eval_transform(16)] * 2))
    ]
    lost: list[UnreadableImage] = []
    read = eval_reader(sets, batch_size=4, num_workers=workers, on_error=lost.append)
    parts = [(0, [0, 1]), (0, [2]), (1, [5, 3, 0]), (1, []), (0, [4])]
    for _ in range(2):
        found = []
        for batches in read([(number, np.array(its, np.int64)) for number, its in parts]):
            found.append([(images.shape[-1], numbers.tolist()) for numbers, images in batches])
        assert found == [
            [(32, [0, 1])], [], [(16, [10, 11, 6, 7]), (16, [0, 1])], [], [(32, [4])],
        ]  # fmt: skip
    assert [error.path for error in lost] == [str(tmp_path / "a/0_real/2.png")] * 2


MIXED = [(20, 30), (30, 20), (20, 30), (25, 25), (20, 30), (30, 20), (25, 25)]


def mixed_sizes(root: pathlib.Path) -> Samples:
    """Whole images of three sizes, none beside its like."""
    for number, size in enumerate(MIXED):
        write_image(root / f"0_real/{number}.png", number, size)
    return find_samples(str(root), both_labels=False)


@pytest.mark.parametrize("by_size", [True, False])
def test_whole_images_are_batched_by_size_and_none_is_lost(
    tmp_path: pathlib.Path, by_size: bool
) -> None:
    samples = mixed_sizes(tmp_path)
    dataset = EvalImages(samples, [eval_transform(None)])
    seen: dict[int, tuple[int, ...]] = {}
    for rank in range(2):
        its = EvalSet(dataset, by_size)
        for indices, images in read_all(its, 7, batch_size=6, rank=rank, world_size=2):
            assert len(indices) == len(images) <= 3
            assert not set(indices.tolist()) & set(seen)
            seen |= {int(i): tuple(images.shape[2:]) for i in indices}
    assert seen == {i: (height, width) for i, (width, height) in enumerate(MIXED)}


def test_known_sizes_fill_the_batches_across_the_whole_set(tmp_path: pathlib.Path) -> None:
    samples = mixed_sizes(tmp_path)
    (tmp_path / "0_real/9.png").write_bytes(b"junk")
    samples = find_samples(samples.root, both_labels=False)
    sizes = image_sizes(samples, "sizes")
    assert sizes.tolist() == [[height, width] for width, height in MIXED] + [[0, 0]]
    errors: list[UnreadableImage] = []
    dataset = EvalImages(samples, [[]])
    reading = {"batch_size": 3, "on_error": errors.append}
    for workers in (0, 2):
        batches = list(read_all(EvalSet(dataset, True), 8, num_workers=workers, **reading))
        assert [indices.tolist() for indices, _ in batches] == [[3, 6], [1, 5], [0, 2, 4]]
    bounded = read_all(EvalSet(dataset, True, 1200), 8, **reading)
    assert [indices.tolist() for indices, _ in bounded] == [[3], [6], [1, 5], [0, 2], [4]]
    assert [error.path for error in errors] == [str(tmp_path / "0_real/9.png")] * 3


def test_images_are_read_within_the_bound_and_batches_keep_it_where_headers_lie(
    tmp_path: pathlib.Path,
) -> None:
    sizes = np.array([(height, width) for width, height in MIXED])
    batches = batches_by_size(np.arange(10, 17), sizes, most_images=2, most_pixels=10**9)
    assert batches == [[13, 16], [11, 15], [10, 12], [14]]
    batches = batches_by_size(np.arange(7), sizes, most_images=3, most_pixels=1)
    assert batches == [[i] for i in (3, 6, 1, 5, 0, 2, 4)]
    batches = batches_by_size(np.arange(7), sizes, most_images=3, most_pixels=1200)
    assert batches == [[3], [6], [1, 5], [0, 2], [4]]
    dataset = EvalImages(mixed_sizes(tmp_path), [[], []])
    unknown = read_all(EvalSet(dataset, max_pixels=1300), 7, batch_size=8)
    assert [len(numbers) for numbers, _ in unknown] == [2, 2, 2, 2, 2, 2, 2]


def test_an_image_is_decoded_once_for_all_its_variants(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    samples = mixed_sizes(tmp_path)
    opened: list[str] = []

    def spied(content: bytes, path: str, max_pixels: int) -> np.ndarray:
        opened.append(path)
        return decode(content, path)

    monkeypatch.setattr("data.samples.decode", spied)
    transforms = variants({"blur": (0, 2), "jpeg": (100, 30), "rescale": (1, 0.5)})
    assert list(transforms) == ["plain", "blur_2", "jpeg_100", "jpeg_30", "rescale_0.5"]
    dataset = EvalImages(samples, [s + eval_transform(16) for s in transforms.values()])
    seen: dict[int, torch.Tensor] = {}
    its = EvalSet(dataset, max_pixels=16 * 16 * 5)
    for numbers, images in read_all(its, 7, batch_size=8):
        assert len(numbers) <= 5
        seen |= dict(zip(numbers.tolist(), images, strict=True))
    assert sorted(seen) == list(range(7 * 5))
    assert opened == [samples.path(i) for i in range(7)]
    image, crop = open_image(samples.path(2)), CentreCrop(16)
    small = Image.fromarray(image).resize((10, 15), Image.Resampling.BILINEAR)
    wanted = [image, blur_cv2(image, 2), jpeg_pil(image, 100), jpeg_pil(image, 30), small]
    for number, pixels in enumerate(wanted):
        expected = crop(np.asarray(pixels), np.random.default_rng(0))
        np.testing.assert_array_equal(seen[2 * 5 + number].permute(1, 2, 0), expected)


def test_an_unreadable_image_is_raised_by_name_through_workers(tmp_path: pathlib.Path) -> None:
    for number in range(5):
        write_image(tmp_path / f"0_real/{number}.png", number)
    (tmp_path / "0_real/3.png").write_bytes(b"junk")
    dataset = EvalImages(find_samples(str(tmp_path), both_labels=False), [eval_transform(32)])
    for workers in (0, 2):
        try:
            list(read_all(EvalSet(dataset), 5, batch_size=2, num_workers=workers))
        except UnreadableImage as error:
            assert str(error).startswith(str(tmp_path / "0_real/3.png"))
            assert "\n" not in str(error)
        else:
            raise AssertionError("a damaged image went unnoticed")
        errors: list[UnreadableImage] = []
        reading = {"batch_size": 2, "num_workers": workers, "on_error": errors.append}
        kept = read_all(EvalSet(dataset), 5, **reading)
        assert sorted(int(i) for indices, _ in kept for i in indices) == [0, 1, 2, 4]
        assert len(errors) == 1
