"""A published detector: the file that its authors released -> a network with one logit.

Each is one file beside this one, called as its name for --detector, with a `RELEASE`.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from torch import Tensor, nn

from networks.architectures import Triple
from networks.input_spec import InputSpec
from networks.maps import Maps
from options.names import DETECTORS
from util.errors import UsageError

State = dict[str, Tensor]

CLIP_MEAN: Triple = (0.48145466, 0.4578275, 0.40821073)  # of OpenAI's CLIP
CLIP_STD: Triple = (0.26862954, 0.26130258, 0.27577711)


class Blueprint(NamedTuple):
    """A network, and what a released file says that it holds."""

    network: nn.Module  # (N, 3, H, W) normalized images -> (N, 1) logits; on torch's meta device
    state: State  # to be loaded into `network`, to the key
    mean: Triple  # of the pixels on [0, 1]
    std: Triple
    input: InputSpec
    maps: Maps | None = None  # where Grad-CAM may look


@dataclass(frozen=True, kw_only=True)
class Release:
    """What is known of a published detector, and how its file is read."""

    blueprint: Callable[[State], Blueprint]
    """From the state dict of the file, without prefixes such as "module.". Chooses among released
    shapes by the shapes of the tensors. What the file lacks of a frozen backbone (see `backbone`)
    it leaves out of `state`; the network holds it as its module `backbone`. A key that is not the
    detector's stays in `state`, so that loading names it."""
    backbone: str = ""  # timm's name of the network whose own weights the file lacks
    backbone_file: str = ""  # address of these, where they are not what timm fetches by that name
    paper: str  # first author, venue and year
    source: str  # address of the authors' code
    licence: str
    free: bool  # whether the licence lets anyone use the weights for any purpose
    files: Mapping[str, str] = field(default_factory=dict)  # name of a file -> its own address
    pages: Mapping[str, str] = field(default_factory=dict)
    """Name of a file that is to be got by hand -> the page, the folder or the archive with it."""
    sha256: Mapping[str, str] = field(default_factory=dict)  # name of a file -> what is known of it
    published: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    """Benchmark (evaluation/benchmark.py) -> metric -> the mean that its authors report, as a
    fraction with three decimals: papers print tenths of a per cent."""
    published_of: str = ""  # the file, of several, that these figures are of


def release(name: str) -> Release:
    """Return the published detector called `name`; raise UsageError for an unknown one."""
    if name not in DETECTORS:
        raise UsageError(f"--detector {name} is not one of {', '.join(DETECTORS)}")
    its: Release = importlib.import_module(f"networks.detectors.{name}").RELEASE
    return its
