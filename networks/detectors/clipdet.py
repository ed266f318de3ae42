"""CLIPDet: a linear layer on the features of CLIP trained on CommonPool-XL, which stays as it is.

Cozzolino, Poggi, Corvi, Niessner, Verdoliva, "Raising the bar of AI-generated image detection with
CLIP", CVPR 2024 Workshops; trained on 10,000 pairs of a real image and one of latent diffusion.
"""

from __future__ import annotations

from networks.detectors.clip import INPUT, LinearProbe, clip, renamed
from networks.detectors.release import CLIP_MEAN, CLIP_STD, Blueprint, Release, State

# timm has this tower, for the weights of other data sets, but no tag for CommonPool's. It has plain
# GELU, as all that open_clip trained but a few: their open_clip_config.json asks for no QuickGELU
TOWER = "vit_large_patch14_clip_224"
COMMIT = "5bfa231e54d6371bdce344794c085dbe45f4793f"
WEIGHTS = f"https://github.com/grip-unina/ClipBased-SyntheticImageDetection/raw/{COMMIT}/weights"
COMMONPOOL = "https://huggingface.co/laion/CLIP-ViT-L-14-CommonPool.XL-s13B-b90K/resolve/main"


def blueprint(state: State) -> Blueprint:
    """Read weights.pth: `fc.weight` (1, 1024) and `fc.bias` (1,), on CLIP's class token after the
    last norm, without projection, L2-normalized. The backbone's own weights are not in the file;
    their projection has no place in the network.
    """
    network = LinearProbe(clip(TOWER, projected=False), l2=True)
    resized = INPUT._replace(resize=224, interpolation="bicubic")
    return Blueprint(network, renamed(state, "fc.", "head."), CLIP_MEAN, CLIP_STD, resized)


RELEASE = Release(
    blueprint=blueprint,
    backbone=f"{TOWER}.datacompxl",  # the same network; CommonPool's weights are not in timm
    backbone_file=f"{COMMONPOOL}/open_clip_pytorch_model.bin",
    paper="Cozzolino et al., CVPR 2024 Workshops",
    source="https://github.com/grip-unina/ClipBased-SyntheticImageDetection",
    licence="Apache-2.0",
    free=True,
    files={
        "clipdet_latent10k/weights.pth": f"{WEIGHTS}/clipdet_latent10k/weights.pth",
        "clipdet_latent10k_plus/weights.pth": f"{WEIGHTS}/clipdet_latent10k_plus/weights.pth",
    },
    # of the Git LFS pointers at that commit
    sha256={
        "clipdet_latent10k/weights.pth": (
            "04b022c6990709acb132337d7e432fc57090cec9db3869577111b031d40c19f9"
        ),
        "clipdet_latent10k_plus/weights.pth": (
            "1c9c9f48a47d975bde67e9924983aa4e4ccda96a15e7e983b6305f0c56d9ee18"
        ),
    },
)
