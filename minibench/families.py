"""What is particular to some of the thirteen families (data/testsets.py names them all)."""

WITH_CLASS_FOLDERS = frozenset({"progan", "stylegan", "cyclegan", "stylegan2"})
"""The test sets that are divided into classes, as in the real benchmark."""

JPEG_FAMILIES = frozenset({"whichfaceisreal"})
"""The test sets whose images, real and fake, are JPEG files, as in the real benchmark."""

SHARED_REALS = {"imle": "crn"}
"""Test sets that hold the same real images as another one, as in the real benchmark."""
