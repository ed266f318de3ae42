"""What is scored, what is kept, and what an interruption costs."""

from __future__ import annotations

import os
import pathlib
import shutil

import numpy as np
import pytest
import torch
from torch import nn

from data.images import decode
from data.samples import find_samples
from evaluation.degrade import variants
from evaluation.protocol import ScoringProtocol
from evaluation.score_testsets import Job, Scored, score_testsets
from evaluation.scoring import Reading
from networks.detector import NetworkDetector
from tests.conftest import write_image
from util.errors import WorkError

NUM = 10


class Brightness(nn.Module):
    """A network whose logit is the image's mean; it can be told to fail after some images."""

    def __init__(self, fails_after: int = 10**9) -> None:
        super().__init__()
        self.left = fails_after

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        self.left -= len(images)
        if self.left < 0:
            raise KeyboardInterrupt
        return images.mean(dim=(1, 2, 3))[:, None]


class Negative(Brightness):
    """What calls dark what the other calls bright."""

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return -super().forward(images)


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The images that are opened, by name."""
    names: list[str] = []

    def spied(content: bytes, path: str, max_pixels: int) -> np.ndarray:
        names.append(os.path.basename(path))
        return decode(content, path, max_pixels)

    monkeypatch.setattr("data.samples.decode", spied)
    return names


@pytest.fixture
def images(tmp_path: pathlib.Path) -> pathlib.Path:
    for number in range(NUM):
        label = ("0_real", "1_fake")[number % 2]
        write_image(tmp_path / f"set/{label}/{number}.png", number, (40 + number % 3, 40))
    return tmp_path / "set"


def score(
    root: pathlib.Path, network: nn.Module | None = None, crop: int | None = 32, **levels: tuple
) -> Scored:
    protocol = ScoringProtocol(crop_size=crop)
    detector = NetworkDetector(network or Brightness(), name="x", device=torch.device("cpu"))
    folder = str(root.parent / "store" / protocol.key() / "set")
    job = Job("set", find_samples(str(root)), [detector], protocol, [folder])
    [(scored,)] = score_testsets([job], Reading(4), variants(levels))
    return scored


def test_detectors_of_one_protocol_see_an_image_in_one_pass(
    images: pathlib.Path, opened: list[str]
) -> None:
    """Each image is opened once for both, and then only for the one that lacks it."""
    protocol = ScoringProtocol(crop_size=32)
    detectors = [
        NetworkDetector(network, name=name, device=torch.device("cpu"))
        for name, network in (("x", Brightness()), ("y", Negative()))
    ]

    def both() -> list[Scored]:
        folders = [str(images.parent / name / "set") for name in ("x", "y")]
        job = Job("set", find_samples(str(images)), detectors, protocol, folders)
        [every] = score_testsets([job], Reading(4), variants({}))
        return every

    first, second = both()
    assert len(opened) == NUM
    assert first.num_new == second.num_new == NUM
    assert first.variants["plain"].logits.tolist() == [-x for x in second.variants["plain"].logits]
    assert [scored.num_new for scored in both()] == [0, 0]
    assert len(opened) == NUM
    shutil.rmtree(images.parent / "y/set")
    again = both()
    assert [scored.num_new for scored in again] == [0, NUM]
    assert again[1].variants["plain"].logits.tolist() == second.variants["plain"].logits.tolist()
    assert min(first.seconds, second.seconds) > 0


@pytest.mark.parametrize("crop", [32, None])
def test_an_interrupted_sweep_goes_on_where_it_stopped(
    images: pathlib.Path,
    opened: list[str],
    monkeypatch: pytest.MonkeyPatch,
    crop: int | None,
) -> None:
    monkeypatch.setattr("evaluation.score_testsets.SLICE", 3)
    with pytest.raises(KeyboardInterrupt):
        score(images, Brightness(fails_after=7), crop)
    opened.clear()
    rest = score(images, crop=crop)
    assert len(opened) == rest.num_new == NUM - 6  # two slices were kept
    opened.clear()
    again = score(images, crop=crop)
    assert (opened, again.num_new) == ([], 0)
    (images.parent / "store").rename(images.parent / "other")
    whole = score(images, crop=crop)
    for name in ("paths", "labels", "logits"):
        values = [getattr(s.variants["plain"], name) for s in (rest, again, whole)]
        np.testing.assert_array_equal(values[0], values[1])
        np.testing.assert_array_equal(values[0], values[2])
    assert whole.variants["plain"].paths == sorted(whole.variants["plain"].paths)


def test_a_level_that_is_added_costs_only_itself(images: pathlib.Path, opened: list[str]) -> None:
    (images / "0_real/bad.png").write_bytes(b"junk")
    first = score(images, blur=(0, 2))
    assert first.num_new == 2 * NUM
    opened.clear()
    network = Brightness(fails_after=NUM)  # one variant of each readable image, and no more
    second = score(images, network, blur=(0, 2), jpeg=(30,))
    assert second.num_new == NUM
    assert sorted(set(opened)) == sorted([*(f"{i}.png" for i in range(NUM)), "bad.png"])
    for variant, scores in first.variants.items():
        np.testing.assert_array_equal(second.variants[variant].logits, scores.logits)
    assert list(first.unreadable) == list(second.unreadable) == ["0_real/bad.png"]
    assert "cannot be read" in second.unreadable["0_real/bad.png"]
    assert len(second.variants["jpeg_30"].paths) == NUM


def test_a_changed_set_is_scored_again(images: pathlib.Path, opened: list[str]) -> None:
    score(images)
    opened.clear()
    os.utime(images / "0_real/0.png")
    assert (score(images).num_new, opened) == (0, [])  # its bytes are the same
    write_image(images / "0_real/0.png", 77)
    assert (score(images).num_new, opened) == (1, ["0.png"])
    write_image(images / "1_fake/new.png", 99)
    assert score(images).num_new == 1


def test_an_image_that_was_mended_is_scored(images: pathlib.Path) -> None:
    (images / "0_real/bad.png").write_bytes(b"junk")
    assert len(score(images).unreadable) == 1
    write_image(images / "0_real/bad.png", 5)
    mended = score(images)
    assert not mended.unreadable
    assert len(mended.variants["plain"].paths) == NUM + 1


def test_a_dead_link_is_one_more_unreadable_image(images: pathlib.Path) -> None:
    (images / "1_fake/link.png").symlink_to(images / "nowhere.png")
    scored = score(images, crop=None)
    assert list(scored.unreadable) == ["1_fake/link.png"]
    assert len(scored.variants["plain"].paths) == NUM


def test_scores_that_are_removed_meanwhile_are_an_error(images: pathlib.Path) -> None:
    """They were there as it began: images without them would be left out with no word."""
    score(images)
    detector = NetworkDetector(Brightness(), name="x", device=torch.device("cpu"))
    folder = images.parent / "store" / ScoringProtocol(crop_size=32).key() / "set"
    samples = find_samples(str(images))
    first = samples.take(np.arange(0, NUM, 2))._replace(labels=np.zeros(NUM // 2, np.uint8))
    jobs = [
        Job(name, its, [detector], ScoringProtocol(crop_size=32), [str(folder.parent / name)])
        for name, its in (("first", first), ("set", samples))
    ]
    every = score_testsets(jobs, Reading(4), variants({}))
    assert next(every)[0].num_new == NUM // 2
    (folder / "plain.csv").unlink()
    with pytest.raises(WorkError, match=r"store/.*/set, .*0\.png: changed meanwhile; give the"):
        next(every)
