"""Serve a local page to drop an image on: `python -m tools.serve --model_path F`.

The page is served by the standard library. Gradio, the usual choice, wants an older Pillow (6.31.0,
its newest, one below 13) than the images are decoded with here, and keeps what is dropped in files.
"""

from __future__ import annotations

import functools
import os

from evaluation.own_images import describe, own_protocol, own_threshold
from networks.detector import load_detector
from options.detector_source import detector_sources
from options.parse import parse
from options.serve_options import MAX_FILE_BYTES, ServeOptions
from report.web import rendered, script_safe
from tools.local_server import LocalServer
from tools.one_image import examine
from util.console import say
from util.errors import run


def main() -> None:
    """Serve the page until Ctrl-C."""
    options = parse(ServeOptions)
    (source,) = detector_sources([options.model_path], [options.detector])
    detector = load_detector(
        source.path,
        name=source.name,
        backbone=source.backbone,
        arch=options.arch,
        device=options.device,
    )
    protocol = own_protocol(
        detector,
        crop_size=options.cropSize,
        whole=options.no_crop,
        max_pixels=options.max_pixels,
    )
    calibration = own_threshold(options.threshold, detector, protocol)
    page = rendered(
        "serve",
        ("look.js", "serve.js"),
        detector=f"{os.path.basename(detector.weights)} ({detector.name}), {protocol.describe()}",
        verdicts=describe(calibration),
        is_calibrated=bool(calibration.calibrated_on),
        max_bytes=MAX_FILE_BYTES,
        max_pixels=options.max_pixels,
        data=script_safe(
            {
                "maxBytes": MAX_FILE_BYTES,
                "thresholds": sorted({calibration.unsure_from, calibration.unsure_to}),
            }
        ),
    )
    answer = functools.partial(
        examine, detector=detector, protocol=protocol, calibration=calibration
    )
    server = LocalServer(options.port, page=page, answer=answer, max_bytes=MAX_FILE_BYTES)
    say(f"{server.url} on this machine alone; Ctrl-C ends it")
    server.run()


if __name__ == "__main__":
    run(main)
