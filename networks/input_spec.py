"""What a detector wants to be given: crops of which size, and resized how before."""

from __future__ import annotations

from typing import NamedTuple

STRIDE1_COST = 16  # of a ResNet behind a stem that keeps every pixel

Side = int | tuple[int, int]  # of the short side, or height and width


class InputSpec(NamedTuple):
    """What a detector wants to be given."""

    size: int | None  # side of the crops that it was trained on; None: not known
    usual: int = 224  # side of the crops that it is made for
    any_size: bool = True  # whether whole images will do
    whole: bool = False  # whether its authors score whole images, or the architecture wants them
    resize: Side | None = None  # before the crop; None: as it is
    interpolation: str = "bilinear"  # of that, a key of data/geometry.py's INTERPOLATIONS
    cost: int = 1  # how many times the memory for a pixel that a ResNet-50 takes

    def crop(self, asked: int | None, *, whole: bool, default: int | None) -> int | None:
        """Return the side of the crops to score, None for whole images.

        That is none for `whole`, else what is `asked` for, else what its authors do: whole images,
        or crops as in training; of weights that do not say it `default`, or what the network is
        made for where it must be a crop.
        """
        if whole or (self.whole and not asked):
            return None
        return asked or self.size or (default if self.any_size else self.usual)


ANY_INPUT = InputSpec(None)
