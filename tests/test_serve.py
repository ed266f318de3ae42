"""`python -m tools.serve`: what a person drops on the page, what it refuses, and what it leaves."""

from __future__ import annotations

import base64
import contextlib
import dataclasses
import http.client
import io
import json
import os
import pathlib
import re
import signal
import socket
import time
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pytest
import torch
import torchvision
from PIL import Image
from playwright import sync_api

from data.images import UnreadableImage
from evaluation.protocol import ScoringProtocol
from evaluation.thresholds import Calibration, write_calibration
from networks.detector import NetworkDetector, load_detector
from options.serve_options import MAX_FILE_BYTES, MAX_SERVED_PIXELS
from tests import commands
from tests.chromium import Watched, chromium
from tests.conftest import assert_wrong_usage, write_image
from tests.tolerances import near, written
from tools.one_image import examine

CROP = 32
VERSIONS = ["as it is", "JPEG of quality 90", "JPEG of quality 70", "JPEG of quality 50"]
VERSIONS += ["rescaled to 75 %", "rescaled to 50 %", "blurred, sigma 1", "blurred, sigma 2"]
DROP = """([name, content]) => {
    const bytes = Uint8Array.from(atob(content), (c) => c.charCodeAt(0));
    const dropped = new DataTransfer();
    dropped.items.add(new File([bytes], name));
    return dropped;
}"""


class Served(NamedTuple):
    """The command while it runs, in a folder and with a folder for temporary files of its own."""

    command: commands.Command
    port: int
    home: pathlib.Path
    temporary: pathlib.Path


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    file = tmp_path_factory.mktemp("image") / "1_fake/a.png"
    write_image(file, 3, (96, 80))
    return file.read_bytes()


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    torch.manual_seed(0)
    file = tmp_path_factory.mktemp("weights") / "w.pth"
    state = torchvision.models.resnet18(num_classes=1).state_dict()
    torch.save({"model": state, "arch": "resnet18", "crop_size": CROP}, file)
    return file


@pytest.fixture(scope="module")
def learned(weights: pathlib.Path, image: bytes) -> Calibration:
    """Above some versions of the image, and below others."""
    plain = Image.open(io.BytesIO(image))
    detector = load_detector(str(weights), device="cpu")
    versions = [plain, *(as_jpeg(plain, quality) for quality in (90, 70, 50)), halved(plain)]
    low, high = sorted(plain_logit(detector, version) for version in versions)[1:3]
    middle = (low + high) / 2
    learned = Calibration(middle, middle, middle, "accuracy", "held out", num_real=30, num_fake=40)
    return dataclasses.replace(learned, scale=3.0, shift=0.25)


@contextlib.contextmanager
def serving(root: pathlib.Path, weights: pathlib.Path, learned: Calibration) -> Iterator[Served]:
    home, temporary = root / "home", root / "tmp"
    home.mkdir()
    temporary.mkdir()
    write_calibration(str(root / "threshold.json"), learned)
    command = commands.start(
        *("-m", "tools.serve", "--model_path", weights, "--device", "cpu", "--port", 0),
        *("--threshold", root / "threshold.json"),
        cwd=home,
        environment={"TMPDIR": str(temporary)},
    )
    out, err = (pathlib.Path(command.folder.name) / name for name in ("1", "2"))
    try:
        found = None
        while not found:
            assert command.process.is_alive(), err.read_text()
            time.sleep(0.05)
            found = out.exists() and re.match(r"http://\S+:(\d+)/ ", out.read_text())
        yield Served(command, int(found[1]), home, temporary)
    finally:
        if command.process.is_alive():
            command.process.kill()


@pytest.fixture(scope="module")
def served(
    tmp_path_factory: pytest.TempPathFactory, weights: pathlib.Path, learned: Calibration
) -> Iterator[Served]:
    with serving(tmp_path_factory.mktemp("serve"), weights, learned) as running:
        yield running


@pytest.fixture(scope="module")
def browser() -> Iterator[sync_api.Browser]:
    with chromium() as launched:
        yield launched


@pytest.fixture
def tab(browser: sync_api.Browser, served: Served) -> Iterator[sync_api.Page]:
    context = browser.new_context(viewport={"width": 390, "height": 844}, color_scheme="dark")
    opened = context.new_page()
    address = f"http://127.0.0.1:{served.port}/"
    watched = Watched(opened, address)
    opened.goto(address)
    yield opened
    context.close()
    refused = [text for text in watched.offences if "status of 4" in text]  # Chromium's own note
    assert watched.offences == refused


def drop(tab: sync_api.Page, name: str, content: bytes) -> None:
    dropped = tab.evaluate_handle(DROP, [name, base64.b64encode(content).decode()])
    tab.dispatch_event("#drop", "drop", {"dataTransfer": dropped})


def error_of(tab: sync_api.Page) -> str:
    tab.locator("#status.error").wait_for()
    assert not tab.locator("#result").is_visible()
    return tab.locator("#status").inner_text()


def plain_logit(detector: NetworkDetector, image: Image.Image) -> float:
    """Of the centre crop, cut by torchvision."""
    crop = torchvision.transforms.functional.center_crop(image, [CROP, CROP])
    pixels = torch.from_numpy(np.asarray(crop).copy()).permute(2, 0, 1)
    return float(detector.logits(pixels[None]))


def as_jpeg(image: Image.Image, quality: int) -> Image.Image:
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=quality)
    return Image.open(buffer).convert("RGB")


def halved(image: Image.Image) -> Image.Image:
    return image.resize((image.width // 2, image.height // 2), Image.Resampling.BILINEAR)


def shown_logits(tab: sync_api.Page) -> npt.NDArray[np.float64]:
    return np.array([float(cell) for cell in tab.locator("td:nth-child(5)").all_text_contents()])


def test_a_dropped_image_has_a_verdict_and_a_table(
    tab: sync_api.Page, weights: pathlib.Path, learned: Calibration, image: bytes
) -> None:
    drop(tab, "<b>my</b> image.png", image)
    tab.locator("#result").wait_for()
    assert tab.locator("#name").inner_text() == "<b>my</b> image.png"
    plain = Image.open(io.BytesIO(image))
    detector = load_detector(str(weights), device="cpu")
    logit = plain_logit(detector, plain)
    verdict = learned.verdict(logit)
    told = tab.locator("#verdict").inner_text()
    assert told.startswith(f"{verdict} with probability {1 / (1 + np.exp(-logit)):.3f}")
    calibrated = 1 / (1 + np.exp(-(3 * logit + 0.25)))
    shown = tab.locator("#calibrated").inner_text().removesuffix(".").split()[-1]
    assert float(shown) == written(calibrated, 3)
    assert tab.locator("#versions tbody th").all_text_contents() == VERSIONS
    logits = shown_logits(tab)
    for row, version in enumerate([plain, *(as_jpeg(plain, quality) for quality in (90, 70, 50))]):
        assert logits[row] == written(plain_logit(detector, version), 2)
    assert logits[5] == written(plain_logit(detector, halved(plain)), 2)
    loaded = "all => all.every(image => image.complete && image.naturalWidth > 0)"
    assert tab.locator("#look figure img").count() == 3
    assert tab.locator("#result img").evaluate_all(loaded)
    assert tab.evaluate("document.documentElement.scrollWidth") <= 390
    assert tab.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(22, 24, 29)"


def test_what_changes_the_verdict_is_named(tab: sync_api.Page, image: bytes) -> None:
    tab.locator("#file").set_input_files({"name": "a", "mimeType": "x/y", "buffer": image})
    tab.locator("#result").wait_for()
    verdicts = tab.locator("#versions .verdict").all_text_contents()
    changed = [words for words, v in zip(VERSIONS, verdicts, strict=True) if v != verdicts[0]]
    assert changed  # the threshold lies between the logits
    told = f"It changes in {len(changed)} of 7 versions: {'; '.join(changed)}."
    assert tab.locator("#holds").inner_text() == told
    assert tab.get_by_text("(changed)").count() == len(changed)


def test_what_is_no_image_or_too_large_is_refused_in_words(
    tab: sync_api.Page, tmp_path: pathlib.Path
) -> None:
    drop(tab, "notes.png", b"no image")
    assert "notes.png: cannot be read as an image" in error_of(tab)
    side = int(MAX_SERVED_PIXELS**0.5) + 1
    buffer = io.BytesIO()
    Image.new("1", (side, side)).save(buffer, "PNG")
    drop(tab, "bomb.png", buffer.getvalue())
    tab.get_by_text("bomb.png: holds 4097x4097 pixels").wait_for()
    large = tmp_path / "large.png"
    with large.open("wb") as file:
        file.truncate(MAX_FILE_BYTES + 1)
    tab.locator("#file").set_input_files(large)
    tab.get_by_text("large.png: holds more than 32 MiB").wait_for()


def ask(
    served: Served, method: str, path: str, body: bytes = b"", **headers: str
) -> tuple[int, str]:
    """The status and what is said, as a program asks."""
    connection = http.client.HTTPConnection("127.0.0.1", served.port, timeout=60)
    origin = {"Origin": f"http://127.0.0.1:{served.port}", **headers}
    connection.request(method, path, body, origin)
    response = connection.getresponse()
    return response.status, response.read().decode()


def test_only_the_servers_own_page_may_ask(served: Served, image: bytes) -> None:
    assert ask(served, "POST", "/image", image)[0] == 200
    foreign = {"Origin": "http://example.com"}
    for status, request in (
        (403, ask(served, "POST", "/image", image, **foreign)),
        (403, ask(served, "POST", "/image", image, Origin="null")),
        (403, ask(served, "GET", "/", Host=f"example.com:{served.port}")),  # DNS rebinding
        (404, ask(served, "GET", "/etc/passwd")),
        (404, ask(served, "POST", "/", image)),
        (411, ask(served, "POST", "/image", **{"Content-Length": "x"})),
        (413, ask(served, "POST", "/image", **{"Content-Length": str(MAX_FILE_BYTES + 1)})),
        (422, ask(served, "POST", "/image?name=a.heic", b"junk")),
    ):
        assert request[0] == status, request
        assert json.loads(request[1])["error"]
    assert ask(served, "GET", "/", Host=f"localhost:{served.port}")[0] == 200
    with (
        pytest.raises(ConnectionRefusedError),
        socket.create_connection(("127.0.0.2", served.port), 5),
    ):  # this machine by another address, which all addresses would include
        pass


def test_a_port_in_use_is_wrong_usage(served: Served, weights: pathlib.Path) -> None:
    result = commands.run("-m", "tools.serve", "--model_path", weights, "--port", served.port)
    assert_wrong_usage(result, f"--port {served.port}", "another")


def files_in(folder: pathlib.Path) -> list[pathlib.Path]:
    return [path for path in folder.rglob("*") if path.is_file()]


def test_nothing_is_stored_and_ctrl_c_ends_it(
    tmp_path: pathlib.Path, weights: pathlib.Path, learned: Calibration, image: bytes
) -> None:
    with serving(tmp_path, weights, learned) as served:
        assert ask(served, "POST", "/image?name=secret.png", image)[0] == 200
        assert files_in(served.home) + files_in(served.temporary) == []
        with socket.create_connection(("127.0.0.1", served.port), 5):  # one that says nothing
            os.kill(served.command.process.pid, signal.SIGINT)
            result = served.command.result(60)
    assert result.returncode == 130
    assert result.stderr == "serve.py: stopped by Ctrl-C\n"
    assert result.stdout.count("\n") == 1 and "secret" not in result.stdout
    assert files_in(served.home) + files_in(served.temporary) == []


def test_whole_images_are_examined_where_the_protocol_says_so(
    weights: pathlib.Path, learned: Calibration, image: bytes
) -> None:
    detector = load_detector(str(weights), device="cpu")
    own = {"detector": detector, "calibration": learned}
    whole = examine(image, "a", protocol=ScoringProtocol(crop_size=None), **own)
    pixels = torch.from_numpy(np.asarray(Image.open(io.BytesIO(image))).copy()).permute(2, 0, 1)
    wanted = float(detector.logits(pixels[None]))
    assert whole["versions"][0]["logit"] == near(wanted, 1e-6, "the same arithmetic")
    assert whole["look"]["frame"] is None
    with pytest.raises(UnreadableImage, match="7,679"):
        examine(image, "a", protocol=ScoringProtocol(max_pixels=7679), **own)
