"""Draw real beside fake, by test set: `python -m minibench.contact_sheet --data dataset/mini`."""

from pathlib import Path

from PIL import Image, ImageDraw, ImageFont, ImageOps

from minibench.families import FAMILIES
from options.minibench_options import SheetOptions
from options.parse import parse
from util.errors import UsageError, run

PAIRS = 4
ZOOM = 2
GAP = 6
LABEL = 18
"""Height of the line that names the test set."""


def pairs_of(folder: Path, number: int) -> list[tuple[Path, Path]]:
    """Return `number` pairs of a test set, (real, fake), spread over its photographs.

    Raises UsageError where the folder holds fewer.
    """
    found = [
        (real, Path(str(real).replace("0_real", "1_fake")))
        for real in folder.rglob("0_real/*")
        if not real.name.startswith(".")
    ]
    found = sorted(pair for pair in found if pair[1].is_file())
    if len(found) < number:
        raise UsageError(f"{folder} holds {len(found)} pairs, fewer than {number}")
    apart = len(found) // number  # sorted by photograph: pairs far apart show different ones
    return found[apart // 2 :: apart][:number]


def draw_sheet(test: Path) -> Image.Image:
    """Draw all test sets below `test` in two columns: the name, then real and fake of each pair.

    Raises UsageError where a test set is missing or too small.
    """
    rows = {family: pairs_of(test / family, PAIRS) for family in FAMILIES}
    with Image.open(rows[FAMILIES[0]][0][0]) as image:
        side = image.width * ZOOM
    block_width = PAIRS * (2 * side + GAP) + 3 * GAP
    row_height = LABEL + side + GAP
    lines = (len(rows) + 1) // 2
    sheet = Image.new("RGB", (2 * block_width, lines * row_height + GAP), "white")
    draw, font = ImageDraw.Draw(sheet), ImageFont.load_default(size=13)
    for number, (family, pairs) in enumerate(rows.items()):
        left = number // lines * block_width + GAP
        top = number % lines * row_height + GAP
        draw.text((left, top), f"{family}: real | fake, {PAIRS} pairs", fill="black", font=font)
        for column, pair in enumerate(pairs):
            for offset, path in enumerate(pair):
                with Image.open(path) as image:
                    big = image.convert("RGB").resize((side, side), Image.Resampling.NEAREST)
                sheet.paste(big, (left + column * (2 * side + GAP) + offset * side, top + LABEL))
    return sheet


def main() -> None:
    """Save the sheet as the command line says."""
    options = parse(SheetOptions)
    sheet = draw_sheet(Path(options.data) / "test")
    # 64 levels per channel: a third fewer bytes, and nobody sees it
    ImageOps.posterize(sheet, 6).save(options.out, "PNG", optimize=True)
    print(options.out)


if __name__ == "__main__":
    run(main)
