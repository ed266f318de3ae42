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
