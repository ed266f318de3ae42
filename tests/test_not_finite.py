"""A logit that is not a finite number is an error, and neither kept nor passed over."""

from __future__ import annotations

import os
import pathlib

import numpy as np
import pytest
import torch
from torch import nn

import predict as predict_command
from data.dataset import EvalImages
from data.eval_batches import raise_error
from data.samples import find_samples
from evaluation.degrade import ORIGINAL, variants
from evaluation.predict import predict
from evaluation.protocol import ScoringProtocol
from evaluation.score_testsets import Job, Scored, score_testsets
from evaluation.scoring import Reading, Task, score_parts
from evaluation.store import Kept, read_cell, store_folder, write_cell
from networks.detector import NetworkDetector
from options.parse import parse
from options.predict_options import PredictOptions
from tests.conftest import children, write_image
from tests.test_results import save_weights
from training.epoch import validate
from util.errors import WorkError
from util.progress import no_progress

CPU = torch.device("cpu")
NUM = 8


class Wrong(nn.Module):
    """A network that answers the first `wrong` images with `value`, and others with their mean."""

    def __init__(self, wrong: int, value: float) -> None:
        super().__init__()
        self.left, self.value = wrong, value

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        logits = images.mean(dim=(1, 2, 3))[:, None]
        logits[: self.left] = self.value
        self.left = max(0, self.left - len(images))
        return logits


@pytest.fixture
def images(tmp_path: pathlib.Path) -> pathlib.Path:
    for number in range(NUM):
        write_image(tmp_path / f"set/{('0_real', '1_fake')[number % 2]}/{number}.png", number)
    return tmp_path / "set"


def detector_of(network: nn.Module) -> NetworkDetector:
    return NetworkDetector(network, name="x", device=CPU)


def score(root: pathlib.Path, network: nn.Module, **protocol: object) -> Scored:
    known = ScoringProtocol(**{"crop_size": 32, **protocol})
    detector = NetworkDetector(network, name="x", device=CPU, precision=known.precision)
    folder = f"{store_folder(str(root.parent), detector.id, known)}/set"
    job = Job("set", find_samples(str(root)), [detector], known, [folder])
    [(scored,)] = score_testsets([job], Reading(4), variants({}))
    return scored


@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf")])
def test_it_is_named_and_the_finite_ones_are_kept(images: pathlib.Path, value: float) -> None:
    first = r"set/0_real/0\.png.*0_real/2\.png.*0_real/4\.png and 2 more"
    with pytest.raises(WorkError, match=rf"5 of 8 logits are not finite.* in bf16: .*{first}"):
        score(images, Wrong(5, value), precision="bf16")
    (cell,) = images.parent.glob(".scores/*/set/plain.csv")
    assert len(cell.read_text().splitlines()) == 1 + 3
    again = score(images, Wrong(0, 0), precision="bf16")
    assert again.num_new == 5
    assert len(again.variants[ORIGINAL].paths) == NUM


def test_predict_prints_what_is_finite_and_ends_with_an_error(
    images: pathlib.Path, tmp_path: pathlib.Path, capsys: pytest.CaptureFixture[str]
) -> None:
    weights = save_weights(tmp_path / "w.pth")
    state = torch.load(weights, weights_only=True)
    state["model"]["fc.bias"].fill_(float("nan"))
    torch.save(state, weights)
    options = ["--model_path", weights, "--num_threads", 0, "--recursive", images]
    with pytest.raises(WorkError, match=r"8 of 8 logits are not finite .*damaged"):
        predict_command.main(parse(PredictOptions, list(map(str, options))))
    assert capsys.readouterr().out.count("\n") == 1  # the header


def test_validation_with_such_a_logit_ends_the_training(images: pathlib.Path) -> None:
    samples = find_samples(str(images))
    batches = [(torch.arange(NUM), torch.zeros(NUM, 3, 8, 8, dtype=torch.uint8))]
    with pytest.raises(WorkError, match="1 of 8 logits are not finite"):
        validate(detector_of(Wrong(1, float("nan"))), samples, batches)


def test_an_image_that_never_came_is_no_such_logit() -> None:
    batches = [(torch.tensor([2]), torch.zeros(1, 3, 8, 8, dtype=torch.uint8))]
    (predicted,) = predict([detector_of(Wrong(0, 0))], batches, num_images=3, bar=no_progress())
    assert predicted.came.tolist() == predicted.finite().tolist() == [False, False, True]
    predicted.require_finite(str, "fp32")


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_the_store_takes_no_such_logit(tmp_path: pathlib.Path, value: float) -> None:
    with pytest.raises(ValueError, match="no logit"):
        write_cell(str(tmp_path), "plain", {"a": Kept(1.0, 2, 2), "b": Kept(value, 2, 2)})
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    "text",
    [
        "content,logit,height,width\nab,inf,4,4\n",
        "content,logit,height,width\nab,1.0\n",
        "content,logit\nab,1.0\n",
        "testset,path,label,logit,probability\n",
        "\x00",
    ],
)
def test_a_cell_that_does_not_read_is_made_anew_with_a_word(
    images: pathlib.Path, capsys: pytest.CaptureFixture[str], text: str
) -> None:
    whole = score(images, Wrong(0, 0)).variants[ORIGINAL]
    (cell,) = images.parent.glob(".scores/*/set/plain.csv")
    cell.write_text(text)
    again = score(images, Wrong(0, 0))
    told = capsys.readouterr().err
    assert f"{cell}: cannot be read" in told
    assert "made anew" in told
    assert again.num_new == NUM
    np.testing.assert_array_equal(again.variants[ORIGINAL].logits, whole.logits)
    assert len(read_cell(str(cell.parent), "plain")) == NUM


def test_scores_are_kept_by_all_that_they_depend_on() -> None:
    base = ScoringProtocol()
    known = {"name": "resnet50", "device": CPU, "sha256": "0" * 64}
    ids = [
        NetworkDetector(Wrong(0, 0), **{**known, **change}).id
        for change in (
            {},
            {"sha256": "1" * 64},
            {"name": "resnet18"},
            {"device": torch.device("meta")},
            {"compiled": True},
        )
    ]
    folders = {store_folder("r", its_id, base) for its_id in ids}
    for change in (
        {"crop_size": None},
        {"crop_size": 32},
        {"precision": "bf16"},
        {"reencode": "png"},
        {"reencode": "jpeg:90"},
        {"max_pixels": 7},
        {"crops": 5},
        {"resize": 256},
    ):
        changed = ScoringProtocol(**change)
        folders.add(store_folder("r", ids[0], changed))
    assert len(folders) == 13
    assert all("torch2." in folder and "pillow" in folder for folder in folders)


def test_workers_live_from_slice_to_slice_and_from_set_to_set(images: pathlib.Path) -> None:
    others = set(children(os.getpid()))
    task = Task(
        [detector_of(Wrong(0, 0))], ScoringProtocol(crop_size=32), find_samples(str(images))
    )
    every = score_parts(
        [task, task],
        [(number, part) for number in (0, 1) for part in np.split(np.arange(NUM), 4)],
        Reading(4, num_workers=1),
        bar=no_progress(),
        on_error=raise_error,
    )
    workers = []
    for (predicted,) in every:
        assert predicted.came.sum() == 2
        workers.append(set(children(os.getpid())) - others)
    assert len(workers[0]) == 1
    assert workers == [workers[0]] * 8


def test_a_large_image_is_decoded_for_a_few_variants_at_a_time(
    tmp_path: pathlib.Path,
) -> None:
    """16 variants of 18 megapixels at once are 0.9 GB, in each worker and its queue."""
    write_image(tmp_path / "set/0_real/large.png", 1, (80, 60))
    write_image(tmp_path / "set/0_real/small.png", 2, (20, 20))
    samples = find_samples(str(tmp_path / "set"), both_labels=False)
    protocol = ScoringProtocol(crop_size=None)
    most: list[int] = []

    class Watching(nn.Module):
        def forward(self, images: torch.Tensor) -> torch.Tensor:
            most.append(images.shape[0] * images.shape[2] * images.shape[3])
            return images.mean(dim=(1, 2, 3))[:, None]

    levels = variants({"jpeg": (90, 80, 70, 60, 50)})
    keys: list[tuple[int, int, int]] = []
    read = EvalImages.__getitem__

    def spied(self: EvalImages, key: tuple[int, int, int]) -> object:
        keys.append(key)
        return read(self, key)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(EvalImages, "__getitem__", spied)
        task = Task([detector_of(Watching())], protocol, samples, list(levels.values()))
        reading = Reading(64, max_batch_pixels=10_000)
        [(predicted,)] = score_parts(
            [task], [(0, np.arange(2))], reading, bar=no_progress(), on_error=raise_error
        )
        assert predicted.came.all()
    assert keys == [(0, 0, 2), (0, 2, 4), (0, 4, 6), (1, 0, 6)]
    assert max(most) <= 10_000
