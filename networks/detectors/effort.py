"""Effort: CLIP trained in one direction of each attention weight, and a linear layer on it.

Yan et al., "Orthogonal subspace decomposition for generalizable AI-generated image detection",
ICML 2025. The file made with UniversalFakeDetect's code (trained on ProGAN) and those made with
DeepfakeBench's (trained on GenImage's SD v1.4, Chameleon, FaceForensics++) are both read.
"""

from __future__ import annotations

import torch

from networks.detectors.clip import INPUT, LinearProbe, clip, from_transformers, renamed
from networks.detectors.release import CLIP_MEAN, CLIP_STD, Blueprint, Release, State

DRIVE = "https://drive.google.com"
# Parts of CLIP that the first kind of file carries along, and that no logit depends on
UNUSED = tuple(
    f"model.{part}"
    for part in ("text_model.", "text_projection.", "visual_projection.", "logit_scale")
)
MERGED = ("S_r", "U_r", "V_r")  # weight_main = U_r diag(S_r) V_r, kept beside it by DeepfakeBench
HEAD = ("head.weight", "head.bias")


def blueprint(state: State) -> Blueprint:
    """Read effort_clip_L14_*.pth, transformers' CLIP with a head on its pooled class token: after
    the last norm, without projection, not L2-normalized.

    Of UniversalFakeDetect's code: `model.vision_model.*` and `fc` (1, 1024), on the centre crop as
    it is. Of DeepfakeBench's: `backbone.*` and `head` (2, 1024), real and fake, whose difference
    is the logit, on the whole image squeezed to 224x224 as in the authors' demo (which uses OpenCV,
    without the antialiasing of our resize).
    """
    bench = any(key.startswith("backbone.") for key in state)
    kept = {k: v for k, v in state.items() if k.rpartition(".")[2] not in MERGED}
    if not bench:
        kept = {key: value for key, value in kept.items() if not key.startswith(UNUSED)}
    tower = from_transformers(merged(kept), "backbone." if bench else "model.vision_model.")
    rest = renamed(tower.rest, "fc.", "head.")
    for key in HEAD:
        if key in rest and rest[key].shape[:1] == (2,):
            rest[key] = rest[key][1:] - rest[key][:1]
    network = LinearProbe(clip(projected=False), l2=False)
    spec = INPUT._replace(resize=(224, 224)) if bench else INPUT
    return Blueprint(network, {**tower.backbone, **rest}, CLIP_MEAN, CLIP_STD, spec)


def merged(state: State) -> State:
    """Return `state` with one `weight` for each `weight_main` and its residual:
    weight_main + U_residual diag(S_residual) V_residual, where they fit.
    """
    whole = dict(state)
    for key, main in state.items():
        layer, _, name = key.rpartition(".")
        parts = [f"{layer}.{part}_residual" for part in "USV"]
        if name != "weight_main" or not all(part in state for part in parts):
            continue
        u, s, v = (state[part] for part in parts)
        try:
            weight = main + u @ torch.diag(s) @ v
        except RuntimeError:  # of shapes that do not fit: loading names the keys
            continue
        for old in (key, *parts):
            del whole[old]
        whole[f"{layer}.weight"] = weight
    return whole


RELEASE = Release(
    blueprint=blueprint,
    paper="Yan et al., ICML 2025",
    source="https://github.com/YZY-stack/Effort-AIGI-Detection",
    licence="CC BY-NC 4.0",
    free=False,
    pages={  # as the authors' README has them
        "effort_clip_L14_trainOn_UniversalFakeDetect.pth": (
            f"{DRIVE}/drive/folders/19kQwGDjF18uk78EnnypxxOLaG4Aa4v1h"
        ),
        "effort_clip_L14_trainOn_sdv14.pth": f"{DRIVE}/file/d/1UXf1hC9FC1yV93uKwXSkdtepsgpIAU9d",
        "effort_clip_L14_trainOn_FaceForensic.pth": (
            f"{DRIVE}/file/d/16QdtCScfOf4ZLGEX-VdlLcJQkj2e7zu2"
        ),
    },
    # The file trained on ProGAN, from the paper, with 1,000 + 1,000 images a set; a user who
    # trained it anew had a mean accuracy of 0.777 over the nineteen (issue 8 of the source)
    published={
        "foren11": {"accuracy": 0.957, "ap": 0.993},
        "ufd19": {"accuracy": 0.952, "ap": 0.993},
    },
    published_of="effort_clip_L14_trainOn_UniversalFakeDetect.pth",
)
