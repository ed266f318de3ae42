"""Score images that Python code has at hand: paths, PIL images, arrays, tensors."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from data.dataset import apply
from data.images import Pixels, open_image, pixels_of
from evaluation.predict import predict
from evaluation.predictions import probability
from evaluation.protocol import ScoringProtocol
from evaluation.scoring import Reading
from evaluation.setup import protocol_of
from networks.detector import Detector, Images, Numbers, OneImage
from networks.gradcam import gradcam, require_maps
from networks.overlay import Explanation, overlaid
from util.errors import UsageError
from util.progress import Progress

WANTED = "give a path, a PIL image, an (H, W, 3) uint8 array or a (3, H, W) uint8 tensor"


class _Prepared(NamedTuple):
    name: str  # for errors: the path, or "image 3"
    pixels: Tensor  # (3, H, W) uint8


def score(detector: Detector, images: Images, *, crop_size: int | None = None) -> Numbers:
    """Return the logit of one image, a float, or of several, a list of floats; above 0 is "fake".

    An image is a path, a PIL image, a (H, W, 3) uint8 array or a (3, H, W) uint8 tensor; several
    are an iterable of these, or an array or tensor with one more dimension, in front. Each is
    prepared as predict.py does: at the crop that the checkpoint carries (published weights carry
    none: whole images), or at `crop_size`. Raises UnreadableImage for a file that cannot be read,
    UsageError for what is no image, and WorkError for a logit that is not a finite number.
    """
    is_one = _is_one(images)
    protocol = _protocol(detector, crop_size)
    logits: list[float] = []
    for part in _windows(detector, _prepared([images] if is_one else images, protocol)):
        logits += _logits(detector, part)
    return logits[0] if is_one else logits


def probabilities(detector: Detector, images: Images, *, crop_size: int | None = None) -> Numbers:
    """Return the probability, 0 to 1, that each image is generated; else as `score`."""
    logits = score(detector, images, crop_size=crop_size)
    return [*map(probability, logits)] if isinstance(logits, list) else probability(logits)


def explain(
    detector: Detector,
    image: OneImage,
    *,
    crop_size: int | None = None,
    threshold: float = 0.0,
) -> Explanation:
    """Return Grad-CAM of the verdict on one image, given and prepared as for `score`: the evidence
    for "fake" where its logit is above `threshold`, else that for "real".

    Raises the same errors, and UsageError where the detector has no maps to weigh.
    """
    require_maps(detector)
    if not _is_one(image):
        raise UsageError(f"several images at once: explain takes one; {WANTED}")
    (prepared,) = _prepared([image], _protocol(detector, crop_size))
    (logit,) = _logits(detector, [prepared])
    heat = gradcam(detector, prepared.pixels, threshold)
    seen = Image.fromarray(prepared.pixels.permute(1, 2, 0).numpy())
    return Explanation(logit, heat, seen, overlaid(seen, heat, (0, 0, *seen.size)))


def _protocol(detector: Detector, crop_size: int | None) -> ScoringProtocol:
    return protocol_of(detector, crop_size=crop_size, usual_crop=False)


def _is_one(images: Any) -> bool:  # noqa: ANN401
    if isinstance(images, np.ndarray | Tensor):
        return images.ndim < 4
    return isinstance(images, str | bytes | os.PathLike | Image.Image)


def _prepared(images: Any, protocol: ScoringProtocol) -> Iterator[_Prepared]:  # noqa: ANN401
    (transforms,) = protocol.transforms()
    if not isinstance(images, Iterable):
        raise UsageError(f"{type(images).__name__} is neither an image nor several: {WANTED}")
    for number, image in enumerate(images):
        name, pixels = _decoded(image, number, protocol.max_pixels)
        yield _Prepared(name, apply(transforms, pixels, (0,)))  # nothing in it draws


def _decoded(image: Any, number: int, max_pixels: int) -> tuple[str, Pixels]:  # noqa: ANN401
    """Return a name for errors, and the image as (H, W, 3) uint8."""
    name = f"image {number}"
    if isinstance(image, str | bytes | os.PathLike):
        path = os.fsdecode(image)
        return path, open_image(path, max_pixels)
    if isinstance(image, Image.Image):
        name = getattr(image, "filename", "") or name
        return name, pixels_of(image, name, max_pixels)
    if not isinstance(image, np.ndarray | Tensor):
        raise UsageError(f"{name} is of type {type(image).__name__}: {WANTED}")
    pixels = image.cpu().numpy() if isinstance(image, Tensor) else image
    if isinstance(image, Tensor) and image.ndim == 3:
        pixels = pixels.transpose(1, 2, 0)
    if pixels.ndim != 3 or pixels.shape[2] != 3 or not pixels.size or pixels.dtype != np.uint8:
        what = "a tensor" if isinstance(image, Tensor) else "an array"
        kind = str(image.dtype).removeprefix("torch.")
        raise UsageError(f"{name} is {what} of shape {tuple(image.shape)}, {kind}: {WANTED}")
    return name, pixels


def _windows(detector: Detector, images: Iterable[_Prepared]) -> Iterator[list[_Prepared]]:
    """Yield the images in parts of as many as memory takes, of whatever sizes."""
    most = Reading()
    most_pixels = most.max_batch_pixels // detector.input.cost
    part: list[_Prepared] = []
    for image in images:
        held = sum(its.pixels[0].numel() for its in part) + image.pixels[0].numel()
        if part and (len(part) == most.batch_size or held > most_pixels):
            yield part
            part = []
        part.append(image)
    if part:
        yield part


def _logits(detector: Detector, part: Sequence[_Prepared]) -> list[float]:
    with Progress(None, "", unit="image", silent=True) as bar:
        (predicted,) = predict([detector], _batches(part), num_images=len(part), bar=bar)
    predicted.require_finite([its.name for its in part].__getitem__, detector.precision)
    logits: list[float] = predicted.logits.tolist()
    return logits


def _batches(part: Sequence[_Prepared]) -> Iterator[tuple[Tensor, Tensor]]:
    """Yield the images of each size as one batch, with their numbers."""
    groups: dict[torch.Size, list[int]] = {}
    for number, image in enumerate(part):
        groups.setdefault(image.pixels.shape, []).append(number)
    for numbers in groups.values():
        yield torch.tensor(numbers), torch.stack([part[number].pixels for number in numbers])
