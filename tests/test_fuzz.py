"""500 damaged, odd and hostile files: each is scored as PIL decodes it, or named with a reason."""

from __future__ import annotations

import csv
import io
import json
import os
import pathlib
import struct
import subprocess
import sys
import zlib
from collections.abc import Callable
from typing import NamedTuple

import cv2
import numpy as np
import pytest
import torch
import torchvision
from PIL import Image, ImageFile

import eval as evaluation
from data.manifest_file import read_manifest, write_manifest
from data.unreadable import MAX_LISTED
from evaluation.predictions import Scores, read_predictions, write_predictions
from options.eval_options import EvalOptions
from options.parse import parse
from tests.conftest import ROOT
from tests.plain_protocol import plain_input
from tests.tolerances import assert_as_exact, exact_logits

NUM = 500
CROP = 32
LIMIT = 1 << 22  # pixels: a flipped bit in a header may claim far more, which takes its time
ENDINGS = ("png", "jpg", "jpeg", "bmp", "webp", "tif", "tiff", "ppm")
ODD_NAMES = ("", " a b", " 07:00:01", "\n", "\r", "\t", '"', ",", "'", "\\", "=1+1", "%s{0}", "..")
ODDER_NAMES = ("ü", "\u202e", "\x1b[31m", "\udcff", "\u3000", "#?&", "$(x)`", "~", "x" * 200)
LABELS = ("0_real", "1_fake")


# --- the files ---


def encoded(image: Image.Image, kind: str, **options: object) -> bytes:
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def chunk(kind: bytes, data: bytes, crc_off_by: int = 0) -> bytes:
    crc = zlib.crc32(kind + data) ^ crc_off_by
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", crc)


def png(width: int, height: int, pixels: bytes, crc_off_by: int = 0) -> bytes:
    """A grey PNG made by hand, which may claim what it likes."""
    head = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0))
    body = chunk(b"IDAT", zlib.compress(pixels), crc_off_by) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + head + body


def by_ending(image: Image.Image) -> dict[str, bytes]:
    kinds = {"jpg": "JPEG", "jpeg": "JPEG", "tif": "TIFF", "tiff": "TIFF"}
    return {f"rgb.{e}": encoded(image, kinds.get(e, e)) for e in ENDINGS}


def by_mode(image: Image.Image) -> dict[str, bytes]:
    deep = np.asarray(image.convert("L")).astype(np.uint16) * 257
    kinds = {"png": "PNG", "jpg": "JPEG", "tif": "TIFF", "bmp": "BMP", "webp": "WEBP"}
    modes = "L.jpg LA.png RGBA.png RGBA.webp P.png P.bmp 1.png 1.tif CMYK.jpg CMYK.tif YCbCr.jpg"
    found = {
        name: encoded(image.convert(name.split(".")[0]), kinds[name.split(".")[1]])
        for name in modes.split()
    }
    found["grey16.png"] = encoded(Image.fromarray(deep), "PNG")
    found["grey16.tif"] = encoded(Image.fromarray(deep), "TIFF")
    found["grey16.ppm"] = b"P5 40 37 65535\n" + deep.astype(">u2").tobytes()
    found["colour16.png"] = cv2.imencode(".png", np.dstack([deep] * 3))[1].tobytes()
    found["float.tif"] = encoded(Image.fromarray(deep.astype(np.float32)), "TIFF")
    return found


def by_feature(image: Image.Image) -> dict[str, bytes]:
    exif = Image.Exif()
    exif[0x0112] = 6  # "rotate by 90 degrees to view"
    moving = {"save_all": True, "append_images": [image.rotate(90), image.rotate(180)]}
    return {
        "rotated.jpg": encoded(image, "JPEG", exif=exif),
        "rotated.png": encoded(image, "PNG", exif=exif),
        "progressive.jpg": encoded(image, "JPEG", progressive=True),
        "lossless.webp": encoded(image, "WEBP", lossless=True),
        "moving.webp": encoded(image, "WEBP", **moving),
        "moving.png": encoded(image, "PNG", **moving),
        "moving gif.png": encoded(image, "GIF", **moving),
        "pages.tiff": encoded(image, "TIFF", **moving),
        "lzw.tif": encoded(image, "TIFF", compression="tiff_lzw"),
        "jpeg.tif": encoded(image, "TIFF", compression="jpeg"),
        "plain.ppm": b"P3 2 1 255\n255 0 0 0 0 255\n",
    }


def by_hand(image: Image.Image) -> dict[str, bytes]:
    rows = b"".join(b"\0" + bytes(range(number, number + 40)) for number in range(40))
    text = chunk(b"zTXt", b"a\0\0" + zlib.compress(bytes(1 << 24)))  # 16 MB in a few bytes
    return {
        "made.png": png(40, 40, rows),
        "crc.png": png(40, 40, rows, crc_off_by=1),
        "bomb.png": png(50000, 50000, rows),
        "bomb.jpg": png(50000, 50000, rows),
        "large.png": png(2049, 2048, bytes(2050 * 2048)),  # whole, but above the limit
        "largest.png": png(2048, 2048, bytes(2049 * 2048)),  # whole, and just within it
        "too few rows.png": png(40, 80, rows),
        "no pixels.png": png(0, 40, b""),
        "text.webp": b"no image\n",
        "long text.png": png(40, 40, rows).replace(b"\0\0\0\0IEND", text + b"\0\0\0\0IEND"),
    }


def make_bases(rng: np.random.Generator) -> list[tuple[str, bytes]]:
    """One random picture in every form: names, which end as their content asks, and content."""
    coarse = Image.fromarray(rng.integers(0, 256, (5, 5, 3), dtype=np.uint8))
    image = coarse.resize((40, 37), Image.Resampling.BICUBIC)
    makers = (by_ending, by_mode, by_feature, by_hand)
    return [base for maker in makers for base in maker(image).items()]


Harm = Callable[[np.random.Generator, bytes], bytes]


def as_it_is(rng: np.random.Generator, content: bytes) -> bytes:
    return content


def cut(rng: np.random.Generator, content: bytes) -> bytes:
    return content[: rng.integers(len(content))]


def cut_at_the_end(rng: np.random.Generator, content: bytes) -> bytes:
    return content[: -rng.integers(1, 30)]


def lengthened(rng: np.random.Generator, content: bytes) -> bytes:
    return content + rng.bytes(50)


def flipped(rng: np.random.Generator, content: bytes, within: int = 1 << 30) -> bytes:
    bits = np.unpackbits(np.frombuffer(content, np.uint8))
    bits[rng.integers(min(len(bits), within), size=rng.integers(1, 9))] ^= 1
    return np.packbits(bits).tobytes()


def flipped_head(rng: np.random.Generator, content: bytes) -> bytes:
    return flipped(rng, content, within=8 * 64)


def partly_zero(rng: np.random.Generator, content: bytes) -> bytes:
    first, last = np.sort(rng.integers(len(content), size=2))
    return content[:first] + bytes(last - first) + content[last:]


def all_zero(rng: np.random.Generator, content: bytes) -> bytes:
    return bytes(len(content))


def empty(rng: np.random.Generator, content: bytes) -> bytes:
    return b""


def make_files(root: pathlib.Path) -> None:
    """Every base with every harm, a third of them under another ending; the same every time."""
    rng = np.random.default_rng(0)
    bases = make_bases(rng)
    rare: tuple[Harm, ...] = (all_zero, empty)
    harms: tuple[Harm, ...] = (as_it_is, cut, flipped, flipped_head, flipped, cut_at_the_end)
    harms += (partly_zero, flipped, lengthened, cut, flipped_head)
    odd = (*ODD_NAMES, *ODDER_NAMES)
    for number in range(NUM):
        turn, at = divmod(number, len(bases))
        bases = bases if at else make_bases(rng)
        name, content = bases[at]
        harm = rare[number // 50 % 2] if number % 50 == 49 else harms[turn % len(harms)]
        stem, ending = name.rsplit(".", 1)
        if turn and number % 3 == 0:
            ending = ENDINGS[rng.integers(len(ENDINGS))]
        file = f"{number:03} {stem} {harm.__name__}{odd[number % len(odd)]}.{ending}"
        path = root / LABELS[number % 2] / file
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(harm(rng, content))


# --- what PIL makes of them ---


def by_pil(path: str) -> Image.Image | str:
    """The image as PIL decodes it, or why it is refused; 16-bit grey is scaled, as documented."""
    try:
        with Image.open(path) as image:
            if image.width * image.height > LIMIT:
                return "too many pixels"
            if image.mode == "F":
                return "floating point"
            image.load()
            if image.mode.startswith("I"):
                grey = np.clip(np.asarray(image, np.int64), 0, 65535) // 256
                return Image.fromarray(grey.astype(np.uint8)).convert("RGB")
            return image.convert("RGB")
    except Exception as error:
        return f"PIL: {error!r}"


@pytest.fixture(autouse=True)
def strict_pil(monkeypatch: pytest.MonkeyPatch) -> None:
    """PIL here does not take what eval.py may have set."""
    monkeypatch.setattr(ImageFile, "LOAD_TRUNCATED_IMAGES", False)


class Fuzz(NamedTuple):
    """The files, and what eval.py says of them."""

    root: pathlib.Path  # holds the set "fuzz"
    weights: pathlib.Path
    network: torch.nn.Module
    names: list[str]  # "0_real/...", sorted
    code: int
    logits: dict[str, float]  # by name
    reasons: dict[str, str]  # by name


def evaluate(root: pathlib.Path, weights: pathlib.Path, *extra: str) -> int:
    options = [
        *("--model_path", str(weights), "--dataroot", str(root / "data")),
        *("--results_dir", str(root / "results"), "--name", "fuzz", "--cropSize", str(CROP)),
        *("--bootstrap", "0", "--num_threads", "2", "--thumbnails", "none", "--device", "cpu"),
        *("--max_pixels", str(LIMIT)),
    ]
    return evaluation.main(parse(EvalOptions, [*options, *extra]))


@pytest.fixture(scope="module")
def fuzz(tmp_path_factory: pytest.TempPathFactory) -> Fuzz:
    root = tmp_path_factory.mktemp("fuzz")
    make_files(root / "data/fuzz")
    torch.manual_seed(0)
    network = torchvision.models.resnet18(num_classes=1)
    for module in network.modules():
        if isinstance(module, torch.nn.BatchNorm2d):  # else all logits are much the same
            module.running_mean.normal_(0, 0.1)
            module.running_var.uniform_(0.5, 1.5)
    torch.nn.init.normal_(network.fc.weight)
    weights = root / "weights.pth"
    torch.save({"model": network.state_dict(), "arch": "resnet18"}, weights)
    names = [
        f"{label}/{name}" for label in LABELS for name in os.listdir(root / "data/fuzz" / label)
    ]
    code = evaluate(root, weights)
    results = root / "results/fuzz"
    with open(
        results / "predictions.csv", encoding="utf-8", errors="surrogateescape", newline=""
    ) as file:
        rows = list(csv.DictReader(file))
    metrics = json.loads((results / "metrics.json").read_text())
    unreadable = metrics["unreadable"]["fuzz"]
    return Fuzz(
        root,
        weights,
        network.eval(),
        sorted(names),
        code,
        {row["path"]: float(row["logit"]) for row in rows},
        unreadable,
    )


# --- the contract ---


def test_every_file_is_scored_or_named(fuzz: Fuzz) -> None:
    assert len(fuzz.names) == NUM
    assert fuzz.code == 1
    assert not set(fuzz.logits) & set(fuzz.reasons)
    assert sorted([*fuzz.logits, *fuzz.reasons]) == fuzz.names
    assert min(len(fuzz.logits), len(fuzz.reasons)) > 100  # both ends are met


@pytest.mark.filterwarnings("ignore")
def test_what_is_scored_is_as_pil_decodes_it(fuzz: Fuzz) -> None:
    names = list(fuzz.logits)
    images = [by_pil(str(fuzz.root / "data/fuzz" / name)) for name in names]
    refused = {n: i for n, i in zip(names, images, strict=True) if isinstance(i, str)}
    assert refused == {}
    inputs = torch.cat([plain_input(image, CROP) for image in images])
    with torch.no_grad():
        plain = fuzz.network(inputs)
    exact = exact_logits(fuzz.network, inputs)
    assert_as_exact([fuzz.logits[name] for name in names], plain, exact)
    assert len({round(logit, 3) for logit in plain[:, 0].tolist()}) > 100  # other pixels


@pytest.mark.filterwarnings("ignore")
def test_what_is_named_pil_refuses_too(fuzz: Fuzz) -> None:
    told = {name: by_pil(str(fuzz.root / "data/fuzz" / name)) for name in fuzz.reasons}
    assert [name for name, answer in told.items() if not isinstance(answer, str)] == []
    for name, answer in told.items():
        word = {"too many pixels": "--max_pixels", "floating point": "floating-point"}.get(
            answer, "cannot be read as an image ("
        )
        assert word in fuzz.reasons[name], name
    assert {"too many pixels", "floating point"} < set(told.values())


def test_skipped_they_are_no_failure(fuzz: Fuzz) -> None:
    assert evaluate(fuzz.root, fuzz.weights, "--skip_unreadable") == 0


def run(*arguments: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, *map(str, arguments), "--max_pixels", str(LIMIT)]
    done = subprocess.run(command, capture_output=True, cwd=ROOT, timeout=300, check=False)
    told = (text.decode("utf-8", "surrogateescape") for text in (done.stdout, done.stderr))
    return subprocess.CompletedProcess(command, done.returncode, *told)


@pytest.mark.parametrize("form", ["csv", "jsonl"])
def test_predict_prints_the_same(fuzz: Fuzz, form: str) -> None:
    data = fuzz.root / "data/fuzz"
    result = run(
        *("predict.py", data, "--recursive", "--model_path", fuzz.weights, "--cropSize", CROP),
        *("--device", "cpu", "--num_threads", "2", "--format", form),
    )
    assert result.returncode == 1, result.stderr
    lines = io.StringIO(result.stdout, newline="")
    rows = list(csv.DictReader(lines)) if form == "csv" else [json.loads(line) for line in lines]
    logits = {
        os.path.relpath(row["path"], data): float(row["logit"]) for row in rows if row["logit"]
    }
    assert {os.path.relpath(row["path"], data) for row in rows if row["error"]} == set(fuzz.reasons)
    assert logits.keys() == fuzz.logits.keys()
    inputs = [plain_input(by_pil(str(data / name)), CROP) for name in logits]
    exact = exact_logits(fuzz.network, torch.cat(inputs))
    assert_as_exact(list(logits.values()), [fuzz.logits[name] for name in logits], exact)
    assert "UserWarning" not in result.stderr  # PIL's, which name no file
    start = "predict.py: warning: "
    warned = [line for line in result.stderr.splitlines() if line.startswith(start)]
    assert len(warned) == MAX_LISTED + 1
    assert f"{len(fuzz.reasons)} images could not be read" in warned[-1]
    assert f"({len(fuzz.reasons) - MAX_LISTED} more)" in warned[-1]
    numbers = [name.split("/")[1][:3] for name in sorted(fuzz.reasons)]
    for number, line in zip(numbers, warned[:-1], strict=False):
        assert f"/{number} " in line


def test_a_name_may_hold_a_carriage_return(tmp_path: pathlib.Path) -> None:
    scores = Scores(["0_real/a\rb.png"], np.zeros(1, np.uint8), np.zeros(1))
    write_predictions(str(tmp_path / "predictions.csv"), {"fuzz": scores})
    assert read_predictions(str(tmp_path / "predictions.csv"))["fuzz"].paths == scores.paths
    write_manifest(str(tmp_path / "manifest.csv"), [{"path": scores.paths[0], "label": 0}])
    assert read_manifest(str(tmp_path / "manifest.csv")).samples.relative(0) == scores.paths[0]


def test_verify_lists_the_same(fuzz: Fuzz) -> None:
    out = fuzz.root / "verify"
    result = run("-m", "tools.verify", fuzz.root / "data", "--processes", "2", "--out", out)
    assert result.returncode == 1, result.stderr
    found = json.loads((fuzz.root / "verify.json").read_text())["faults"]
    kinds = {kind: {f["paths"][0] for f in found[kind]} for kind in ("unreadable", "empty")}
    named = {f"fuzz/{name}" for name in fuzz.reasons}
    sizes = {name: os.path.getsize(fuzz.root / "data" / name) for name in named}
    assert kinds["empty"] == {name for name, size in sizes.items() if not size}
    assert kinds["unreadable"] == named - kinds["empty"]
