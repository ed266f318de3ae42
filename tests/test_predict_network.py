from __future__ import annotations

import pathlib
import time
from collections.abc import Iterator

import numpy as np
import pytest
import torch
import torch.multiprocessing
import torchvision
from torch import nn

from data.dataset import EvalImages
from data.eval_batches import Batch, EvalSet, eval_reader
from data.images import UnreadableImage
from data.samples import find_samples
from data.transforms import eval_transform
from evaluation.predict import predict, progress_bar
from evaluation.scoring import Pace
from networks.detector import NetworkDetector
from networks.normalize import normalize
from tests.commands import start_server
from tests.conftest import write_image
from tests.tolerances import assert_as_exact, exact_logits
from util import distributed

CPU = torch.device("cpu")


def small_network() -> nn.Module:
    torch.manual_seed(0)
    network: nn.Module = torchvision.models.resnet18(num_classes=1)
    return network.eval()


def predict_folder(root: pathlib.Path, batch_size: int, crop: int | None) -> np.ndarray:
    samples = find_samples(str(root), both_labels=False)
    read = eval_reader(
        [EvalSet(EvalImages(samples, [eval_transform(crop)]), by_size=crop is None)],
        batch_size=batch_size,
        rank=distributed.rank(),
        world_size=distributed.world_size(),
    )
    count = len(samples.labels)
    [batches] = read([(0, np.arange(count))])
    detector = NetworkDetector(small_network(), name="resnet18", device=CPU)
    with progress_bar(count, "test") as bar:
        (predicted,) = predict([detector], batches, num_images=count, bar=bar)
    assert predicted.came.all()
    return predicted.logits


def make_images(root: pathlib.Path, count: int) -> None:
    for number in range(count):
        write_image(root / f"0_real/{number:02}.png", number, (32 + 8 * (number % 3), 40))


@pytest.mark.parametrize("crop", [32, None], ids=["cropped", "whole"])
def test_logits_are_those_of_one_image_at_a_time(tmp_path: pathlib.Path, crop: int | None) -> None:
    make_images(tmp_path, 13)
    expected, exact = one_at_a_time(tmp_path, 13, crop)
    for batch_size in (1, 3, 16):
        logits = predict_folder(tmp_path, batch_size, crop)
        assert logits.dtype == np.float32
        assert_as_exact(logits, expected, exact)


def one_at_a_time(
    root: pathlib.Path, count: int, crop: int | None
) -> tuple[torch.Tensor, torch.Tensor]:
    """Each image's logit by the network alone, and in float64."""
    samples = find_samples(str(root), both_labels=False)
    dataset, network = EvalImages(samples, [eval_transform(crop)]), small_network()
    batches = [normalize(dataset[i, 0, 1].images[0][1][None]) for i in range(count)]
    with torch.no_grad():
        plain = torch.cat([network(batch) for batch in batches])
    return plain, torch.cat([exact_logits(network, batch) for batch in batches])


def in_a_process(rank: int, world_size: int, root: pathlib.Path, store: str) -> None:
    torch.set_num_threads(1)
    torch.distributed.init_process_group(
        "gloo", init_method=f"file://{store}", rank=rank, world_size=world_size
    )
    try:
        logits = predict_folder(root, 4, 32)
        np.save(root / f"logits{rank}.npy", logits)
    except UnreadableImage as error:
        (root / f"error{rank}.txt").write_text(str(error))
    finally:
        distributed.stop()


def in_two_processes(root: pathlib.Path) -> None:
    """Forked from the server that has torch at hand (tests/commands.py)."""
    start_server()
    arguments = (2, root, str(root / "store"))
    torch.multiprocessing.start_processes(
        in_a_process, arguments, nprocs=2, start_method="forkserver"
    )


@pytest.mark.parametrize("count", [1, 13, 16])
def test_two_processes_score_what_one_does(tmp_path: pathlib.Path, count: int) -> None:
    make_images(tmp_path, 16)  # so many, that rounding can be told from error
    plain, exact = one_at_a_time(tmp_path, 16, 32)
    for number in range(count, 16):
        (tmp_path / f"0_real/{number:02}.png").unlink()
    in_two_processes(tmp_path)
    for rank in range(2):
        both = np.load(tmp_path / f"logits{rank}.npy")
        assert len(both) == count
        assert_as_exact(np.concatenate((both, plain[count:, 0])), plain, exact)


def test_an_unreadable_image_in_one_process_is_told_in_all(tmp_path: pathlib.Path) -> None:
    make_images(tmp_path, 5)
    (tmp_path / "0_real/01.png").write_bytes(b"junk")
    in_two_processes(tmp_path)
    for rank in range(2):
        assert "01.png" in (tmp_path / f"error{rank}.txt").read_text()


def test_the_time_that_images_are_waited_for_is_told() -> None:
    def slowly() -> Iterator[Batch]:
        for number in range(3):
            time.sleep(0.05)
            yield torch.tensor([number]), torch.zeros(1, 3, 32, 32, dtype=torch.uint8)

    detector = NetworkDetector(small_network(), name="resnet18", device=CPU)
    with progress_bar(3, "test") as bar:
        (predicted,) = predict([detector], slowly(), num_images=3, bar=bar)
    assert predicted.waited >= 0.15
    assert predicted.seconds > 0
    pace = Pace(scores=1200, seconds=4.0, waited=1.0)
    assert str(pace) == "1,200 scores in 4 s, 300/s; 25% of the time was waited for images"
