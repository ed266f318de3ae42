"""The thirteen families, and what is particular to some of them."""

FAMILIES = (
    *("progan", "stylegan", "biggan", "cyclegan", "stargan", "gaugan", "crn", "imle"),
    *("seeingdark", "san", "deepfake", "stylegan2", "whichfaceisreal"),
)
"""By the folder names of their test sets, in the paper's order. Their seeds follow this order, so a
new family comes last. data/testsets.py may name more test sets: the miniature has these alone."""

WITH_CLASS_FOLDERS = frozenset({"progan", "stylegan", "cyclegan", "stylegan2"})
"""The test sets that are divided into classes, as in the real benchmark."""

JPEG_FAMILIES = frozenset({"whichfaceisreal"})
"""The test sets whose images, real and fake, are JPEG files, as in the real benchmark."""

SHARED_REALS = {"imle": "crn"}
"""Test sets that hold the same real images as another one, as in the real benchmark."""

SHALLOW = "shallow"
"""A test set beside the thirteen, and in no mean: photographs that were edited, not generated."""

CLASSES = ("landscape", "nature", "object")
"""The classes of the photographs."""

NETWORK_PER_CLASS = frozenset({"progan"})
"""The families with a network for each class, trained on the photographs of that class alone, as
the twenty of the real benchmark's ProGAN are. (StyleGAN's three and StyleGAN2's four are one.)"""


def network_of(family: str, kind: str) -> str:
    """Return the name of the network that makes a family's fakes of the class `kind`."""
    return f"{family}-{kind}" if family in NETWORK_PER_CLASS else family


def family_and_class(network: str) -> tuple[str, str | None]:
    """Return what `network_of` made the name of; no class where the family has one network."""
    family, _, kind = network.partition("-")
    return family, kind or None


NETWORKS = tuple(dict.fromkeys(network_of(family, kind) for family in FAMILIES for kind in CLASSES))
"""The trained networks by name. Their seeds follow this order."""
