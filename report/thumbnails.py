"""The pictures of the report: embedded while the page is small, then as files beside it."""

from __future__ import annotations

import base64
import functools
import itertools
import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

from data.augment import Transform
from data.images import Pixels, UnreadableImage, open_image
from data.packed import is_pack
from data.samples import label_folders, subfolders
from evaluation.evaluation import Evaluation
from evaluation.protocol import ScoringProtocol
from report.chosen import chosen_images, most_wrong
from report.page import Image, Mark, Picture
from report.pictures import Heat, applied, encoded, heat_over, shrunk
from util.progress import progress

EMBEDDED = 20 << 20  # characters of the page that pictures may take; the others become files
FOLDER = "thumbnails"  # beside the page
DEFAULT = 12  # images of each label in each test set; and the most that Grad-CAM is made of
AT_ONCE = 64  # images in memory

Explainer = Callable[..., Heat]  # of an image and, by keyword, the threshold of its verdict


class Request(NamedTuple):
    """An image to be shown, and the models whose Grad-CAM is wanted."""

    testset: str
    path: str
    label: int
    explained: tuple[str, ...]


def number_of(asked: str) -> int | None:
    """Return what `--thumbnails` asks for: 0 for none, None for all."""
    return {"none": 0, "all": None}[asked] if asked in ("none", "all") else int(asked)


def make_thumbnails(
    folder: str,
    evaluations: Sequence[Evaluation],
    *,
    number: int | None,
    mark: Mark,
    dataroot: str = "",
    explain: Sequence[Explainer] = (),
) -> dict[str, dict[str, Picture]]:
    """Return pictures by test set and path of the images that `chosen_images` chooses at `mark`.

    They come from `dataroot` or from where the scores say that they come from; an image that cannot
    be read there has none. `explain` are functions of an image and a threshold, one for each of the
    first evaluations: each explains the images that its own model is most wrong about. Pictures are
    embedded, the most telling first, until they take `EMBEDDED` characters of the page; the others
    are written to `folder`/thumbnails.
    """
    requests = _requests(evaluations, number, mark, explained=len(explain))
    maps = {its.name: one for its, one in zip(evaluations, explain, strict=False)}
    makers = [
        _Maker(each, dataroot, mark=mark, explain=maps.get(each.name)) for each in evaluations
    ]
    keeper = _Keeper(folder)
    pictures: dict[str, dict[str, Picture]] = {}
    with ThreadPoolExecutor(min(4, os.cpu_count() or 1)) as pool:
        bar = progress(requests, "pictures", unit="image", delay=1)
        for request, made in _each(pool, makers, bar):
            if made is not None:
                picture = made._replace(
                    image=keeper.keep(made.image),
                    heatmaps={name: keeper.keep(its) for name, its in made.heatmaps.items()},
                )
                pictures.setdefault(request.testset, {})[request.path] = picture
    return pictures


def roots_of(dataroot: str, testsets: Iterable[str]) -> dict[str, str]:
    """Return the folders of test sets in `dataroot`, which may be one itself, or a manifest."""
    if os.path.isfile(dataroot):
        return dict.fromkeys(testsets, os.path.dirname(dataroot))
    if os.path.isdir(dataroot) and (is_pack(dataroot) or label_folders(subfolders(dataroot))):
        return dict.fromkeys(testsets, dataroot)
    return {name: os.path.join(dataroot, name) for name in testsets} if dataroot else {}


def _requests(
    evaluations: Sequence[Evaluation], number: int | None, mark: Mark, *, explained: int
) -> list[Request]:
    models = {each.name: each.scores for each in evaluations}
    labels: dict[tuple[str, str], int] = {}
    wanted: dict[tuple[str, str], list[str]] = {}
    for index, each in enumerate(evaluations):
        for testset, scores in each.scores.items():
            keys = [(testset, path) for path in scores.paths]
            labels |= dict(zip(keys, scores.labels.tolist(), strict=True))
            if index < explained:
                for worst in most_wrong(scores, DEFAULT if number is None else number):
                    wanted.setdefault(keys[worst], []).append(each.name)
    chosen = chosen_images(models, number, lambda m, t: mark.logits.get(m, {}).get(t, 0.0))
    return [Request(*key, labels[key], tuple(wanted.get(key, ()))) for key in chosen]


class _Maker:
    """Shows images as one model saw them."""

    def __init__(
        self, evaluation: Evaluation, dataroot: str, *, mark: Mark, explain: Explainer | None
    ) -> None:
        origin = evaluation.provenance
        protocol = origin.protocol or ScoringProtocol()
        self.name, self.explain = evaluation.name, explain
        self.roots = roots_of(dataroot, evaluation.scores) or origin.roots
        self.testsets = set(evaluation.scores)
        self.thresholds = mark.logits.get(self.name, {})
        self.transforms: dict[int, Sequence[Transform]] = {
            label: protocol.of_label(label).transforms()[0] for label in (0, 1)
        }

    def seen(self, image: Pixels, label: int) -> Pixels:
        """Return what the network saw of an image."""
        return applied(self.transforms[label], image)

    def heatmap(self, image: Pixels, request: Request, explain: Explainer) -> bytes:
        """Return that with the map of `explain` over it."""
        threshold = self.thresholds.get(request.testset, 0.0)
        seen = self.seen(image, request.label)
        explain_it = functools.partial(explain, threshold=threshold)
        return encoded(heat_over(shrunk(seen), seen, explain_it))


def _each(
    pool: ThreadPoolExecutor, makers: Sequence[_Maker], requests: Iterable[Request]
) -> Iterator[tuple[Request, Picture | None]]:
    """Yield each request with its picture, None where its file is not at hand: in threads, but for
    Grad-CAM, which needs gigabytes.
    """

    def make(request: Request) -> Picture | None:
        return None if request.explained else _picture(makers, request)

    queue = iter(requests)
    while part := list(itertools.islice(queue, AT_ONCE)):
        for request, made in zip(part, pool.map(make, part), strict=True):
            yield request, _picture(makers, request) if request.explained else made


def _picture(makers: Sequence[_Maker], request: Request) -> Picture | None:
    mine = [maker for maker in makers if request.testset in maker.testsets]
    root = next((m.roots[request.testset] for m in mine if request.testset in m.roots), None)
    if root is None:
        return None
    try:
        image = open_image(os.path.join(root, request.path))
    except UnreadableImage:
        return None
    height, width = image.shape[:2]
    heatmaps: Mapping[str, Image] = {
        its.name: its.heatmap(image, request, its.explain)
        for its in mine
        if its.explain and its.name in request.explained
    }
    seen = mine[0].seen(image, request.label)
    return Picture(encoded(shrunk(seen)), width, height, heatmaps)


class _Keeper:
    """Counts what is embedded, and writes the rest into files with numbers for names."""

    def __init__(self, folder: str) -> None:
        self.folder, self.size, self.files = folder, 0, 0

    def keep(self, image: Image) -> Image:
        if isinstance(image, str):
            return image
        self.size += len(base64.b64encode(image))
        if self.size <= EMBEDDED:
            return image
        os.makedirs(os.path.join(self.folder, FOLDER), exist_ok=True)
        self.files += 1
        ending = "png" if image.startswith(b"\x89PNG") else "jpg"
        name = f"{FOLDER}/{self.files:06d}.{ending}"
        with open(os.path.join(self.folder, name), "wb") as file:
            file.write(image)
        return name
