from __future__ import annotations

import itertools
import json
import pathlib
import random
import re

import numpy as np
import pytest
import torch
from PIL import Image
from torchvision import transforms

from benchmarks import listing, reference, timing
from benchmarks.__main__ import SCRIPTS
from benchmarks.material import crops, labelled_images, trained_network, write_images
from benchmarks.page import (
    GPU_INTRODUCTION,
    INTRODUCTION,
    Record,
    describe,
    document,
    file_of,
    read_records,
)
from benchmarks.profiles import convolutions_alone
from benchmarks.timing import RETAINED, Row, alternate, compare, explained
from data.augment import blur_scipy, jpeg_cv2, jpeg_pil
from evaluation.metrics import measure
from networks.architectures import IMAGENET_MEAN, IMAGENET_STD
from networks.normalize import normalize
from tests.commands import ROOT, run
from tests.conftest import write_image


def test_the_reference_blurs_as_scipy_in_uint8(monkeypatch: pytest.MonkeyPatch) -> None:
    pixels = crops(1, 64, 48)[0]
    monkeypatch.setattr(random, "random", iter([0.0, 0.9]).__next__)  # blur, no JPEG
    monkeypatch.setattr(random, "uniform", lambda low, high: low + 0.6 * (high - low))
    blurred = np.asarray(reference.Degrade(0.5)(Image.fromarray(pixels)))
    np.testing.assert_array_equal(blurred, blur_scipy(pixels, 1.8))
    assert (blurred != pixels).any()


@pytest.mark.parametrize("number", [0, 1])
def test_the_reference_compresses_with_both_encoders(
    monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    pixels = crops(1, 64, 48)[0]
    monkeypatch.setattr(random, "random", iter([0.9, 0.0]).__next__)
    monkeypatch.setattr(random, "choice", lambda methods: methods[number])
    monkeypatch.setattr(random, "randint", lambda low, high: {(30, 100): 40}[low, high])
    compressed = np.asarray(reference.Degrade(0.5)(Image.fromarray(pixels)))
    np.testing.assert_array_equal(compressed, (jpeg_cv2, jpeg_pil)[number](pixels, 40))


def test_without_chance_the_reference_is_torchvisions(tmp_path: pathlib.Path) -> None:
    write_image(tmp_path / "a.png", 1, (80, 64))
    steps = [transforms.Resize(40), transforms.RandomCrop(32), transforms.RandomHorizontalFlip()]
    plain = transforms.Compose(
        [*steps, transforms.ToTensor(), transforms.Normalize(IMAGENET_MEAN, IMAGENET_STD)]
    )
    torch.manual_seed(5)
    expected = plain(Image.open(tmp_path / "a.png").convert("RGB"))
    torch.manual_seed(5)
    found = reference.train_loader(0.0, 40, 32)(str(tmp_path / "a.png"))
    assert torch.equal(found, expected)
    whole = reference.whole_loader()(str(tmp_path / "a.png"))
    pixels = torch.from_numpy(np.array(Image.open(tmp_path / "a.png"))).permute(2, 0, 1)
    assert torch.equal(whole, normalize(pixels[None])[0])


def test_the_reference_lists_all_files(tmp_path: pathlib.Path) -> None:
    assert listing.make_skeleton(str(tmp_path), 130) == 120
    assert len(reference.listing(str(tmp_path))) == 120


def test_material_is_written_as_real_and_fake(tmp_path: pathlib.Path) -> None:
    images = crops(4, 64, 64)
    paths = write_images(str(tmp_path), images, ".png")
    assert [pathlib.Path(path).parent.name for path in paths] == ["0_real", "1_fake"] * 2
    for path, image in zip(paths, images, strict=True):
        np.testing.assert_array_equal(np.asarray(Image.open(path)), image)


def test_the_network_of_the_sweep_has_learned_something() -> None:
    network = trained_network("resnet18", steps=60, size=32)
    assert not network.training
    images, labels = labelled_images(256, 32)
    with torch.no_grad():
        logits = network(normalize(images)).squeeze(1).numpy()
    assert measure(labels.numpy(), logits)["ap"] > 0.7


def test_sides_take_turns_each_after_a_run_untimed(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = itertools.count()
    monkeypatch.setattr(timing.time, "perf_counter", lambda: float(next(clock)))
    ran: list[object] = []
    monkeypatch.setattr(timing, "keep_freed_memory", ran.append)
    seconds = alternate({"reference": lambda: ran.append("a"), "b": lambda: ran.append("b")}, 2)
    # the reference as glibc does by default, and once more with our setting
    assert ran == [False, "a", "a", True, "b", "b", True, "a", "a"] * 2
    assert seconds == {"reference": [1.0, 1.0], "b": [1.0, 1.0], RETAINED: [1.0, 1.0]}
    assert list(alternate({"b": list}, 1)) == ["b"]


def test_the_ratio_is_the_median_of_the_rounds() -> None:
    seconds = {"reference": [6.0, 8.0, 10.0], "ours": [2.0, 4.0, 2.0], RETAINED: [4.0, 4.0, 4.0]}
    row = compare(
        "x", "images/s", seconds, target=3, rate_of=16, alone=("sorting", [1.0, 2.0, 0.5])
    )
    assert (row.ratio, row.low, row.high, row.rounds) == (3.0, 2.0, 5.0, 3)
    assert (row.reference, row.ours) == (2.0, 8.0)
    assert (row.retained, row.limit, row.alone) == (2.0, 6.0, "sorting")
    assert row.met is True
    seconds = {"reference": [6.0, 8.0], "mine": [2.0, 4.0], RETAINED: [6.0, 8.0]}
    slow = compare("x", "s", seconds, ours="mine", target=2.6)
    assert (slow.reference, slow.ours, slow.ratio, slow.met) == (7.0, 3.0, 2.5, False)
    assert slow.limit is None
    assert explained(slow, lambda: "why", quick=False).details == "why"
    assert explained(row, lambda: "why", quick=False).details == ""
    assert explained(slow, lambda: "why", quick=True).met is None


def test_the_limit_is_what_convolutions_take() -> None:
    images, layer = torch.rand(4, 16, 64, 64), torch.nn.Conv2d(16, 32, 3)
    name, seconds = convolutions_alone(lambda: layer(images).sum().backward(), [1.0, 2.0])
    assert name == "convolutions alone"
    assert 0.3 < seconds[0] < 1
    assert seconds[1] == 2 * seconds[0]
    assert convolutions_alone(images.sin, [1.0])[1] == [0.0]


def row(what: str, ratio: float, **more: object) -> Row:
    same = {"unit": "s", "reference": 1.0, "ours": 1 / ratio, "ratio": ratio, "low": 0.9}
    return Row(what=what, **same, high=3.0, rounds=5, target="2 x", met=ratio >= 2, **more)


def test_the_document_tells_what_was_not_met() -> None:
    met = row("fast", 2, note="so close", retained=1.5, limit=2.5, alone="sorting alone")
    slow = row("slow", 1, details="| profile |")
    records = [
        Record("One 5000", ["- a machine"], [met.__dict__]),
        Record("Two", ["- another"], [slow.__dict__]),
    ]
    text = document(INTRODUCTION, records)
    lines = [" | ".join(cell.strip() for cell in line.split("|")) for line in text.split("\n")]
    assert " | fast | s | 1 | 0.5 | 2.00 | 0.90 to 3.00 | 1.50 | 2.50 (80%) | 2 x | met | " in lines
    assert " | slow | s | 1 | 1 | 1.00 | 0.90 to 3.00 |  |  | 2 x | not met | " in lines
    assert "- fast: so close.\n- limit, sorting alone: fast.\n\n## Two\n\n- another\n" in text
    assert "### Not met: slow\n\n| profile |" in text
    assert "Not met: fast" not in text
    processor, facts = describe(7, "make bench")
    assert processor
    assert "torch 2" in "\n".join(facts)
    assert re.fullmatch(r"- 20..-..-.., `make bench`, 7 rounds, commit \w{7}", facts[-1])


@pytest.mark.parametrize(
    ("kept", "page", "introduction"),
    [
        ("results", "benchmarks.md", INTRODUCTION),
        ("results/gpu", "benchmarks-gpu.md", GPU_INTRODUCTION),
    ],
)
def test_a_page_shows_every_run_that_is_kept(kept: str, page: str, introduction: str) -> None:
    records = read_records(str(ROOT / "benchmarks" / kept))
    assert document(introduction, records) == (ROOT / "docs" / page).read_text()
    names = [path.name for path in (ROOT / "benchmarks" / kept).glob("*.json")]
    assert sorted(names) == sorted(file_of(record.processor) for record in records)


def test_both_makers_of_processors_were_measured() -> None:
    records = read_records(str(ROOT / "benchmarks" / "results"))
    assert {"AMD", "Intel(R)"} <= {record.processor.split()[0] for record in records}


@pytest.mark.parametrize("name", SCRIPTS)
def test_every_script_runs_and_prints_its_rows(name: str, tmp_path: pathlib.Path) -> None:
    path = tmp_path / "rows.json"
    result = run("-m", f"benchmarks.{name}", "--quick", "--rounds", 1, "--json", path)
    assert result.returncode == 0, result.stderr
    rows = json.loads(path.read_text())
    assert rows
    for row in rows:
        assert f"{row['what']}: reference" in result.stdout
        assert row["met"] is None
        assert row["reference"] >= 0
        assert row["ours"] >= 0


@pytest.mark.slow
def test_the_check_of_a_gpu_runs_on_a_processor(tmp_path: pathlib.Path) -> None:
    out = tmp_path / "page.md"
    command = ["--quick", "--rounds", 1, "--device", "cpu", "--out", out]
    result = run("-m", "benchmarks.gpu", *command)
    assert result.returncode == 0, result.stderr
    page = out.read_text()
    for what in (
        "training step, resnet18, 4 images of 64x64, bf16, --compile",
        "scoring, resnet18, 4 images of 64x64, fp32",
        "blur and JPEG at 0.5, workers: 2",
        "train.py, resnet18, bf16, processes: 1, against the step alone",
        "train.py, resnet18, bf16, processes: 2, against one process",
    ):
        assert f"{what} " in page
    assert "fp16 |" not in page
    assert "failed" not in page
    assert not (tmp_path / "results").exists()
