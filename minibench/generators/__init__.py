"""The generators by the folder names of their test sets, and their weights."""

from collections.abc import Callable
from pathlib import Path

import torch
from safetensors.torch import load_file, save

from minibench.families import family_and_class
from minibench.generators.blocks import Generator
from minibench.generators.conditional import CycleGAN, GauGAN, StarGAN
from minibench.generators.deepfake import Deepfake
from minibench.generators.lowlevel import SAN, SeeingDark
from minibench.generators.perceptual import CRN, IMLE
from minibench.generators.unconditional import BigGAN, ProGAN, StyleGAN, StyleGAN2

GENERATORS: dict[str, Callable[[], Generator]] = {
    "progan": ProGAN,
    "stylegan": StyleGAN,
    "biggan": BigGAN,
    "cyclegan": CycleGAN,
    "stargan": StarGAN,
    "gaugan": GauGAN,
    "crn": CRN,
    "imle": IMLE,
    "seeingdark": SeeingDark,
    "san": SAN,
    "deepfake": Deepfake,
    "stylegan2": StyleGAN2,
    "whichfaceisreal": StyleGAN,  # trained apart, from another seed
}


def load_generator(network: str, folder: Path) -> Generator:
    """Return a trained generator, on the CPU in float32, ready to apply.

    `network` is a name of `families.NETWORKS`.

    Raises:
        FileNotFoundError: `folder` holds no weights of the network.
    """
    generator = GENERATORS[family_and_class(network)[0]]()
    weights = load_file(folder / f"{network}.safetensors")
    generator.load_state_dict({name: value.float() for name, value in weights.items()})
    return generator.eval().requires_grad_(False)


def pack_weights(generator: Generator) -> bytes:
    """Return a generator's weights as the bytes of a safetensors file, in half precision."""
    state = generator.state_dict()
    return save({name: value.to(torch.float16).contiguous() for name, value in state.items()})
