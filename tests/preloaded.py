"""What the server of tests/commands.py imports once for all commands."""

import matplotlib.backends.backend_agg
import matplotlib.backends.backend_pdf
import matplotlib.figure
import sklearn.metrics
import torch.utils.tensorboard

import eval
import predict
import tools.audit
import tools.manifest
import tools.serve
import tools.spectra
import tools.verify
import train
from report.web import environment

for template in environment().list_templates(extensions=["html"]):
    environment().get_template(template)

__all__ = ["eval", "matplotlib", "predict", "sklearn", "tools", "torch", "train"]
