"""The report as one HTML file that needs no server and no network."""

from __future__ import annotations

from report.page import Page
from report.page_data import anchors, first_mistakes, pictures_data, scores_data, testsets_of
from report.web import rendered, script_safe
from util.files import atomic_write

CARDS = 12  # pictures of a kind that are shown at once
SCRIPTS = (  # in this order, as each uses what those before it define
    *("elements.js", "scores.js", "state.js", "pictures.js", "threshold.js", "histograms.js"),
    *("rows.js", "enlarged.js", "cards.js", "mistakes.js", "disagreements.js"),
    *("predictions.js", "download.js", "start.js"),
)


def write_html(path: str, page: Page) -> None:
    """Write `page` to `path`. File names may be hostile: they are shown as text, and bytes that
    are no UTF-8 as an escape such as \\udcff.

    Raises WorkError where the file cannot be written.
    """
    mistakes = first_mistakes(page, CARDS)
    shown = {
        (part["testset"], card[0])
        for part in mistakes
        for kind in part["kinds"]
        for card in kind["cards"]
    }
    pictures = [picture for its in page.pictures.values() for picture in its.values()]
    every = [image for its in pictures for image in (its.image, *its.heatmaps.values())]
    testsets = testsets_of(page)
    content = rendered(
        "report",
        SCRIPTS,
        page=page,
        mistakes=mistakes,
        places={name: place for place, name in enumerate(testsets)},
        anchors=anchors(testsets),
        data=script_safe({**scores_data(page), "cards": CARDS}),
        pictures=script_safe(pictures_data(page, shown)),
        has_files=any(isinstance(image, str) for image in every),
        has_heatmaps=any(its.heatmaps for its in pictures),
    )
    with atomic_write(path, "wb") as file:
        file.write(content)
