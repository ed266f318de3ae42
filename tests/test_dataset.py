from __future__ import annotations

import pathlib

import numpy as np
import torch
import torchvision
from PIL import Image

from data.augment import Blur, Jpeg
from data.dataset import EvalImages, TrainImages
from data.images import UnreadableImage
from data.loaders import eval_batches, train_batches
from data.order import EpochBatches
from data.samples import Samples, find_samples
from data.transforms import eval_transform, train_transform, val_transform
from networks.normalise import normalise
from tests.conftest import write_image

BLUR, JPEG = Blur(0.5, (0.0, 3.0)), Jpeg(0.5, (30, 100), ("cv2", "pil"))
TRAIN = train_transform(40, 32, ("bilinear", "bicubic"), BLUR, JPEG, flip=True)


def train_images(root: pathlib.Path, seed: int = 0) -> TrainImages:
    return TrainImages(find_samples(str(root / "train")), TRAIN, seed)


def all_batches(dataset: TrainImages, workers: int, epoch: int = 3) -> list[torch.Tensor]:
    order = np.arange(len(dataset.samples.labels))
    batches = EpochBatches(order, epoch, 6, 0, 4, 0, 1)
    return [images for images, _ in train_batches(dataset, batches, workers, pin_memory=False)]


def test_pixels_do_not_depend_on_the_number_of_workers(toy: pathlib.Path) -> None:
    alone, one, two = (all_batches(train_images(toy), workers) for workers in (0, 1, 2))
    for batches in (one, two):
        assert all(torch.equal(a, b) for a, b in zip(alone, batches, strict=True))


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
    dataset = TrainImages(copies, TRAIN, 0)
    assert len({dataset[0, i][0].numpy().tobytes() for i in range(12)}) > 6


def test_the_images_of_a_pair_get_the_same_draws(toy: pathlib.Path) -> None:
    found = find_samples(str(toy / "train"))
    copies = Samples(found.root, found.paths[[0] * 12], found.labels[[0] * 12])
    pairs = np.arange(12).reshape(6, 2)
    dataset = TrainImages(copies, TRAIN, 0, pairs)
    for first, second in pairs:
        assert torch.equal(dataset[2, first][0], dataset[2, second][0])
    assert len({dataset[2, first][0].numpy().tobytes() for first, _ in pairs}) > 3


def test_validation_draws_are_fixed_by_the_path(toy: pathlib.Path, tmp_path: pathlib.Path) -> None:
    steps = val_transform(40, 32, ("bilinear",), BLUR, JPEG)
    samples = find_samples(str(toy / "val"))
    dataset = EvalImages(samples, steps, seed=5)
    first = [dataset[i][1] for i in range(8)]
    half = Samples(samples.root, samples.paths[4:], samples.labels[4:])
    second = [EvalImages(half, steps, seed=5)[i][1] for i in range(4)]
    assert all(torch.equal(a, b) for a, b in zip(first[4:], second, strict=True))
    other = [EvalImages(samples, steps, seed=6)[i][1] for i in range(8)]
    assert any(not torch.equal(a, b) for a, b in zip(first, other, strict=True))


def test_validation_degrades_at_middle_strength() -> None:
    _, blur, jpeg, _ = val_transform(40, 32, ("bilinear",), BLUR, JPEG)
    assert blur == Blur(0.5, (1.5,), "cv2")
    assert jpeg == Jpeg(0.5, (65,), ("pil",))


def test_blur_comes_before_jpeg_and_both_before_the_crop() -> None:
    names = [type(step).__name__ for step in TRAIN]
    assert names == ["Resize", "Blur", "Jpeg", "RandomCrop", "Flip"]


def test_evaluation_input_is_torchvisions(tmp_path: pathlib.Path) -> None:
    """Centre crop with zero padding, ToTensor, Normalize: the reference's own preprocessing."""
    write_image(tmp_path / "0_real/a.png", 1, size=(50, 20))
    samples = Samples(str(tmp_path), np.array([b"0_real/a.png"]), np.array([0], np.uint8))
    _, image = EvalImages(samples, eval_transform(32))[0]
    reference = torchvision.transforms.Compose(
        [
            torchvision.transforms.CenterCrop(32),
            torchvision.transforms.ToTensor(),
            torchvision.transforms.Normalize((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)),
        ]
    )(Image.open(tmp_path / "0_real/a.png").convert("RGB"))
    assert torch.equal(normalise(image[None])[0], reference)


def test_whole_images_are_batched_by_size_and_none_is_lost(tmp_path: pathlib.Path) -> None:
    sizes = [(20, 30), (30, 20), (20, 30), (25, 25), (20, 30), (30, 20), (25, 25)]
    for number, size in enumerate(sizes):
        write_image(tmp_path / f"0_real/{number}.png", number, size)
    dataset = EvalImages(find_samples(str(tmp_path), both_labels=False), eval_transform(None))
    seen: dict[int, tuple[int, ...]] = {}
    for rank in range(2):
        for indices, images in eval_batches(dataset, 6, 0, False, rank, world_size=2):
            assert len(indices) == len(images) <= 3
            assert not set(indices.tolist()) & set(seen)
            seen |= {int(i): tuple(images.shape[2:]) for i in indices}
    assert seen == {i: (height, width) for i, (width, height) in enumerate(sizes)}


def test_an_unreadable_image_is_raised_by_name_through_workers(tmp_path: pathlib.Path) -> None:
    for number in range(5):
        write_image(tmp_path / f"0_real/{number}.png", number)
    (tmp_path / "0_real/3.png").write_bytes(b"junk")
    dataset = EvalImages(find_samples(str(tmp_path), both_labels=False), eval_transform(32))
    for workers in (0, 2):
        try:
            list(eval_batches(dataset, 2, workers, False))
        except UnreadableImage as error:
            assert str(error).startswith(str(tmp_path / "0_real/3.png"))
            assert "\n" not in str(error)
        else:
            raise AssertionError("a damaged image went unnoticed")
        errors: list[UnreadableImage] = []
        kept = eval_batches(dataset, 2, workers, False, on_error=errors.append)
        assert sorted(int(i) for indices, _ in kept for i in indices) == [0, 1, 2, 4]
        assert len(errors) == 1
