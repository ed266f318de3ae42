"""A detector asked from Python: whatever an image comes as, its logit is that of predict.py."""

from __future__ import annotations

import csv
import math
import pathlib
from collections.abc import Callable, Iterator

import numpy as np
import pytest
import torch
import torchvision
from PIL import Image
from torch import Tensor
from torchvision.transforms import v2

import predict
from data.images import UnreadableImage
from evaluation.score_images import score
from networks.architectures import architecture
from networks.detector import NetworkDetector, OneImage, load_detector
from networks.gradcam import gradcam
from networks.input_spec import InputSpec
from networks.maps import maps_of
from networks.overlay import overlaid
from options.parse import parse
from options.predict_options import PredictOptions
from tests.conftest import write_image
from tests.test_detector import Peak
from tests.test_results import save_weights
from tests.tolerances import assert_as_exact, exact_logits, near
from util.errors import UsageError, WorkError

CPU = torch.device("cpu")
SIZES = ((40, 60), (60, 40), (33, 32), (32, 32), (70, 20), (12, 9)) * 3


@pytest.fixture(scope="module")
def images(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    root = tmp_path_factory.mktemp("images")
    for number, size in enumerate(SIZES):
        write_image(root / f"{number:02}.png", number, size)
    return [str(path) for path in sorted(root.glob("*.png"))]


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    return save_weights(tmp_path_factory.mktemp("weights") / "w.pth")


@pytest.fixture(scope="module")
def detector(weights: pathlib.Path) -> NetworkDetector:
    return load_detector(str(weights), device="cpu")


def printed(
    weights: pathlib.Path, images: list[str], capsys: pytest.CaptureFixture[str], *more: object
) -> tuple[list[float], list[float]]:
    """Logits and probabilities, as predict.py prints them."""
    argv = ["--model_path", weights, "--device", "cpu", "--num_threads", 0, *more, *images]
    capsys.readouterr()
    assert predict.main(parse(PredictOptions, list(map(str, argv)))) == 0
    rows = list(csv.DictReader(capsys.readouterr().out.splitlines()))
    assert [row["path"] for row in rows] == images
    return [float(row["logit"]) for row in rows], [float(row["probability"]) for row in rows]


def digits(numbers: object) -> list[float]:
    """What is read again of a number with 9 significant digits, which tell every float32."""
    assert isinstance(numbers, list)
    return [float(f"{number:.9g}") for number in numbers]


def test_paths_get_what_predict_prints_to_the_bit(
    detector: NetworkDetector,
    weights: pathlib.Path,
    images: list[str],
    capsys: pytest.CaptureFixture[str],
) -> None:
    logits, probabilities = printed(weights, images, capsys)
    assert len(set(logits)) == len(images)
    assert digits(detector.score(images)) == logits
    assert digits(detector.probability(images)) == probabilities
    logits, _ = printed(weights, images, capsys, "--cropSize", 40)
    assert digits(detector.score(map(pathlib.Path, images), crop_size=40)) == logits


def test_weights_that_carry_no_crop_score_whole_images_as_predict_does(
    tmp_path: pathlib.Path, images: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    weights = save_weights(tmp_path / "published.pth", crop_size=None)
    detector = load_detector(str(weights), device="cpu")
    logits, _ = printed(weights, images, capsys)
    because = "a convolution may order its sums by the images in the batch"
    assert detector.score(images) == near(logits, 1e-4, because)
    assert max(map(abs, logits)) > 0.01
    assert detector.score(images, crop_size=32) != near(logits, 1e-3, because)


KINDS: dict[str, Callable[[str], OneImage]] = {
    "path": pathlib.Path,
    "pil": Image.open,
    "array": lambda path: np.asarray(Image.open(path)),
    "tensor": lambda path: v2.functional.pil_to_tensor(Image.open(path)),
}


@pytest.mark.parametrize("kind", KINDS)
def test_one_image_however_it_is_given(
    kind: str, detector: NetworkDetector, images: list[str]
) -> None:
    one = KINDS[kind](images[1])
    logit = detector.score(one)
    assert isinstance(logit, float)
    assert logit == detector.score(images[1])
    assert detector.probability(one) == pytest.approx(1 / (1 + math.exp(-logit)))
    assert detector.score([one]) == [logit]


@pytest.mark.parametrize("kind", KINDS)
def test_several_images_however_they_are_given(
    kind: str, detector: NetworkDetector, images: list[str]
) -> None:
    expected = detector.score(images)
    assert detector.score([KINDS[kind](path) for path in images]) == expected
    assert detector.score(KINDS[kind](path) for path in images) == expected
    mixed = [list(KINDS.values())[i % 4](path) for i, path in enumerate(images)]
    assert detector.score(mixed) == expected
    assert detector.score([]) == []


def test_a_batch_is_an_array_with_one_more_dimension(detector: NetworkDetector) -> None:
    batch = np.random.default_rng(0).integers(0, 256, (5, 48, 40, 3), dtype=np.uint8)
    expected = detector.score(list(batch))
    assert detector.score(batch) == expected
    assert detector.score(torch.from_numpy(batch).permute(0, 3, 1, 2)) == expected


def test_images_in_other_modes_are_those_that_a_file_of_them_holds(
    detector: NetworkDetector, images: list[str], tmp_path: pathlib.Path
) -> None:
    colour = Image.open(images[0])
    for mode in ("RGBA", "L", "LA", "P", "1", "CMYK", "I;16"):
        deep = Image.fromarray(np.asarray(colour.convert("L")).astype(np.uint16) * 257)
        image = deep if mode == "I;16" else colour.convert(mode)
        path = tmp_path / f"x.{'tiff' if mode == 'CMYK' else 'png'}"
        image.save(path)
        assert detector.score(image) == detector.score(path), mode


class Brightness(Peak):
    """Knows what it was given."""

    def __init__(self) -> None:
        self.seen: list[tuple[int, ...]] = []

    def logits(self, images: Tensor) -> Tensor:
        self.seen.append(tuple(images.shape))
        return super().logits(images)


def test_images_of_all_sizes_come_back_in_their_order_from_bounded_batches() -> None:
    sides = [8, 9, 10] * 50
    taken: list[int] = []

    def images() -> Iterator[np.ndarray]:
        for number, side in enumerate(sides):
            taken.append(number)
            yield np.full((side, 8, 3), number, np.uint8)

    detector = Brightness()
    assert score(detector, images()) == list(range(150))
    assert sum(shape[0] for shape in detector.seen) == 150
    assert len(detector.seen) == 9  # three sizes in each of three times at most 64 images
    huge = Brightness()
    assert score(huge, (np.full((2048, 1024, 3), i, np.uint8) for i in range(5))) == list(range(5))
    assert [shape[0] for shape in huge.seen] == [2, 2, 1]  # 4 million pixels a batch


def resizing(size: int | tuple[int, int]) -> NetworkDetector:
    torch.manual_seed(1)
    network = torchvision.models.resnet18(num_classes=1)
    spec = InputSpec(32, resize=size, interpolation="bicubic")
    return NetworkDetector(network, name="resnet18", device=CPU, input=spec)


@pytest.mark.parametrize("size", [40, (36, 44)])
def test_the_resize_of_its_authors_comes_first(
    size: int | tuple[int, int], images: list[str]
) -> None:
    detector = resizing(size)
    views = [
        v2.functional.center_crop(
            v2.functional.resize(Image.open(path), size, v2.InterpolationMode.BICUBIC), [32, 32]
        )
        for path in images
    ]
    pixels = torch.stack([v2.functional.pil_to_tensor(view) for view in views])
    normalized = v2.functional.normalize(pixels / 255, [0.485, 0.456, 0.406], [0.229, 0.224, 0.225])
    with torch.no_grad():
        plain = detector.network(normalized)
    exact = exact_logits(detector.network, normalized)
    assert_as_exact(detector.score(images), plain.flatten(), exact.flatten())


def test_an_explanation_is_of_what_was_scored(images: list[str]) -> None:
    detector = resizing(40)
    detector.maps = maps_of(architecture("resnet18"))
    found = detector.explain(images[0])
    one = detector.score(images[0])
    assert found.logit == one
    seen = np.asarray(found.seen)
    assert seen.shape == (32, 32, 3)
    expected = gradcam(detector, torch.from_numpy(seen.copy()).permute(2, 0, 1))
    assert found.heat.tolist() == expected.tolist()
    assert found.heat.max() == 1
    assert found.picture == overlaid(found.seen, found.heat, (0, 0, 32, 32))
    other = detector.explain(images[0], threshold=found.logit + math.copysign(1, found.logit))
    assert (found.logit > 0) == (other.heat.tolist() != found.heat.tolist())


def test_the_picture_is_grey_where_nothing_was_found_and_warm_where_most() -> None:
    image = Image.fromarray(np.random.default_rng(0).integers(0, 256, (40, 60, 3), np.uint8))
    heat = np.zeros((40, 60), np.float32)
    heat[:, 30:] = 1
    picture = np.asarray(overlaid(image, heat, (0, 0, 60, 40))).astype(int)
    grey = np.asarray(image.convert("L")).astype(int)
    assert (picture[:, :29] == grey[:, :29, None]).all()
    assert (picture[:, 31:, 0] > picture[:, 31:, 2]).all()  # red above blue


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (None, "NoneType is neither an image nor several"),
        (3, "int is neither an image nor several"),
        ([3], "image 0 is of type int"),
        (np.zeros((3, 8, 8), np.uint8), r"image 0 is an array of shape \(3, 8, 8\), uint8: give"),
        (np.zeros((8, 8), np.uint8), r"an array of shape \(8, 8\), uint8"),
        (np.zeros((8, 8, 4), np.uint8), r"\(8, 8, 4\)"),
        (np.zeros((0, 8, 3), np.uint8), r"\(0, 8, 3\)"),
        ([np.zeros((8, 8, 3), np.uint8), np.zeros((8, 8, 3))], "image 1 is an array .* float64"),
        (torch.zeros(8, 8, 3, dtype=torch.uint8), r"a tensor of shape \(8, 8, 3\), uint8"),
        (torch.zeros(3, 8, 8), r"a tensor of shape \(3, 8, 8\), float32"),
        (torch.zeros(1, 1, 3, 8, 8, dtype=torch.uint8), r"\(1, 3, 8, 8\)"),
    ],
)
def test_what_is_no_image_is_refused_and_says_what_one_is(
    detector: NetworkDetector, given: object, words: str
) -> None:
    with pytest.raises(UsageError, match=words) as error:
        detector.score(given)
    assert "a path, a PIL image, an (H, W, 3) uint8 array or a (3, H, W) uint8" in str(error.value)
    assert "\n" not in str(error.value)


def test_what_cannot_be_read_is_named(
    detector: NetworkDetector, images: list[str], tmp_path: pathlib.Path
) -> None:
    (tmp_path / "junk.png").write_bytes(b"junk")
    cut = tmp_path / "cut.png"
    cut.write_bytes(pathlib.Path(images[0]).read_bytes()[:-40])
    for path, reason in (
        (tmp_path / "none.png", "No such file"),
        (tmp_path, "is no regular file"),
        (tmp_path / "junk.png", "cannot identify"),
        (cut, "cannot be read as an image"),
    ):
        with pytest.raises(UnreadableImage, match=reason) as error:
            detector.score([images[0], path])
        assert str(path) in str(error.value)
    with pytest.raises(UnreadableImage, match=r"cut\.png: cannot be read"):
        detector.score(Image.open(cut))
    with pytest.raises(UnreadableImage, match="image 0: holds floating-point values"):
        detector.score(Image.new("F", (8, 8)))


def test_a_logit_that_is_no_number_is_an_error_that_names_the_image(images: list[str]) -> None:
    detector = resizing(40)
    torch.nn.init.constant_(detector.network.fc.bias, math.nan)
    with pytest.raises(WorkError, match=r"1 of 1 logits are not finite.*00\.png"):
        detector.score(images[0])


def test_an_explanation_needs_one_image_and_a_network_with_maps(
    detector: NetworkDetector, images: list[str]
) -> None:
    with pytest.raises(UsageError, match="explain takes one"):
        detector.explain(images)
    with pytest.raises(UsageError, match="has no maps to weigh"):
        resizing(40).explain(images[0])


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"device": "gpu"}, "--device gpu must be auto, cpu, cuda, cuda:N or mps"),
        ({"precision": "fp8"}, "--precision fp8 must be one of fp32, bf16, fp16"),
    ],
)
def test_a_device_or_precision_that_is_none(
    weights: pathlib.Path, given: dict[str, str], words: str
) -> None:
    with pytest.raises(UsageError, match=words):
        load_detector(str(weights), **given)
