"""What torch.hub.load gives: a detector, and an evaluation of one (docs/python.md)."""

from __future__ import annotations

import importlib
import os
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # what is callable here torch.hub lists as an entry point
    from typing import Any

    from evaluation.evaluation import Evaluation
    from networks.detector import NetworkDetector

# what an entry point imports; torch.hub names those that are missing
dependencies = ["torch", "torchvision", "numpy", "PIL", "cv2", "simplejpeg", "scipy", "sklearn"]
dependencies += ["tqdm", "matplotlib", "zstandard"]

_HERE = os.path.dirname(os.path.realpath(__file__))
_PACKAGES = ("options", "util", "data", "networks", "evaluation", "report")


def detector(
    path: str,
    *,
    detector: str = "",
    backbone: str = "",
    arch: str = "",
    device: str = "auto",
    precision: str = "fp32",
) -> NetworkDetector:
    """Return the detector whose weights are in the file `path`: a checkpoint of train.py, the
    paper's, or that of the published detector called `detector`.

    `backbone` is the file of the frozen backbone that a published one's own lacks ("": fetched),
    `arch` the architecture ("": as the file says, or else resnet50); `device` is auto, cpu, cuda,
    cuda:N or mps, `precision` fp32, bf16 or fp16.

    `.score(images)` gives logits, `.probability(images)` probabilities, `.explain(image)` Grad-CAM;
    an image is a path, a PIL image, an (H, W, 3) uint8 array or a (3, H, W) uint8 tensor.
    """
    _import_packages()
    from networks.detector import load_detector  # noqa: PLC0415

    return load_detector(
        path, name=detector, backbone=backbone, arch=arch, device=device, precision=precision
    )


def evaluate(
    model_path: str,
    dataroot: str,
    *,
    detector: str = "",
    backbone: str = "",
    arch: str = "",
    device: str = "auto",
    precision: str = "fp32",
    **options: Any,  # noqa: ANN401
) -> Evaluation:
    """Return the evaluation of a detector on the test sets in the folder `dataroot`, which a
    notebook and print show as a table. The first arguments are those of `detector`.

    `options` are those of eval.py that `evaluate_folder` takes (evaluation/evaluate.py): testsets,
    crop_size, no_crop, batch_size, num_threads, bootstrap, results_dir.
    """
    _import_packages()
    from evaluation.evaluate import evaluate_folder  # noqa: PLC0415
    from networks.detector import load_detector  # noqa: PLC0415

    loaded = load_detector(
        model_path, name=detector, backbone=backbone, arch=arch, device=device, precision=precision
    )
    return evaluate_folder(loaded, dataroot, **options)


def _import_packages() -> None:
    """Import this repository's packages, so that what they import later is found, too: torch.hub
    has the folder on the path only while it loads.

    Raises ImportError where the program has imported others of these names.
    """
    sys.path.insert(0, _HERE)  # first for now, that no other package of these names is taken
    try:
        for name in _PACKAGES:
            module = importlib.import_module(name)
            file = getattr(module, "__file__", None) or "a folder without __init__.py"
            if os.path.dirname(os.path.realpath(file)) != os.path.join(_HERE, name):
                raise ImportError(
                    f"{_HERE} has a package called {name}, and so has this program, which imported"
                    f" its own first ({file}): load the detector in a process of its own"
                )
    finally:
        sys.path.remove(_HERE)
    if _HERE not in sys.path:
        sys.path.append(_HERE)  # last: worker processes that are spawned need it
