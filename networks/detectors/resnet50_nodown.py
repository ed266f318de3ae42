"""ResNet-50 without downsampling in its stem: Gragnaniello et al. 2021, Corvi et al. 2023, and who
trained it since.

The released files hold the same keys as an ordinary ResNet-50; only the strides differ.
"""

from __future__ import annotations

import torch

from networks.architectures import IMAGENET_MEAN, IMAGENET_STD
from networks.create import build
from networks.detectors.release import Blueprint, Release, State
from networks.input_spec import STRIDE1_COST, InputSpec
from networks.maps import Maps
from networks.tiled import Tiled

CLIPBASED = "https://github.com/grip-unina/ClipBased-SyntheticImageDetection"


def blueprint(state: State) -> Blueprint:
    """Return the network for a released file; the dropout that some copies of it have before the
    last layer does nothing in evaluation, and has no key.
    """
    with torch.device("meta"):
        network = Tiled(build("resnet50-stride1"))
    return Blueprint(
        network,
        {f"network.{key}": value for key, value in state.items()},
        mean=IMAGENET_MEAN,
        std=IMAGENET_STD,
        input=InputSpec(None, whole=True, cost=STRIDE1_COST),
        maps=Maps("network.layer4"),
    )


RELEASE = Release(
    blueprint=blueprint,
    paper="Gragnaniello et al., ICME 2021; Corvi et al., ICASSP 2023",
    source="https://github.com/grip-unina/DMimageDetection",
    # of the ClipBased repository, which holds Corvi2023; the first release allows no commercial use
    licence="Apache-2.0 (Corvi2023, in the ClipBased repository); others: non-commercial",
    free=False,
    files={"weights.pth": f"{CLIPBASED}/raw/main/weights/Corvi2023/weights.pth"},
    # by the repository's pointer to the file (Git LFS), which has 282,549,121 bytes
    sha256={"weights.pth": "0168451e84a2a35d0b141ad4f2e361a74efdd06eb8d11434087f8a0bb6e3abad"},
    # No row of a benchmark as a whole: the papers report single generators (2021: accuracy .922 on
    # StyleGAN2, .935 on BigGAN, trained on ProGAN).
)
