"""Names that --help lists, and the version: kept here since options import nothing of the project.

Each is a copy of what another place holds, and tests compare the two.
"""

from __future__ import annotations

VERSION = "0.1.0"  # as in pyproject.toml

ARCHITECTURES = (  # --arch
    *("resnet18", "resnet34", "resnet50", "resnet101", "resnet152"),
    *("resnext50_32x4d", "wide_resnet50_2", "resnet50_2stages", "patch23"),
    *("vgg16", "mobilenet_v2", "mobilenet_v3_small", "efficientnet_b0", "convnext_tiny", "swin_t"),
)
PUBLISHED = (  # --published, as in evaluation/published_results.json; rows that train.py can repeat
    # have the names of its presets
    *("blur_jpg_prob0.5", "blur_jpg_prob0.1", "cyc_im", "cyc_spec", "auto_im", "auto_spec"),
    *("2class", "4class", "8class", "16class", "no_aug", "blur", "jpeg"),
    *("table2_blur_jpg_prob0.5", "table2_blur_jpg_prob0.1"),
)
BENCHMARKS = (  # --benchmark, as in evaluation/benchmarks.json
    *("foren11", "foren13", "foren8", "ufd19", "ltd16", "genimage8", "aigibench25", "wildrf"),
    *("synthbuster", "mini", "stylegan3", "liquify"),
)
DETECTORS = (  # --detector, each a file of networks/detectors/
    *("commfor", "resnet50_nodown", "univfd", "rine", "dda", "bfree", "npr", "safe"),
    *("clipdet", "effort", "c2pclip"),
)
STORES = ("original", "pixels", "zstd")  # tools.pack --store, as in data/packed.py
INTERPOLATIONS = ("bilinear", "bicubic", "lanczos", "nearest")  # as in data/geometry.py
TRACKERS = ("tensorboard", "wandb", "trackio")  # --tracker, as in util/trackers/together.py
STUDIES = (  # python -m studies, as in studies/catalogue.py
    *("augmentation", "diversity", "robustness", "spectra", "few_shot", "calibration", "start"),
    *("formats", "recipe"),
)
