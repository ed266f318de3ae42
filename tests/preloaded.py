"""What the server of tests/commands.py imports once for all commands."""

import matplotlib.backends.backend_agg
import matplotlib.backends.backend_pdf
import matplotlib.figure
import sklearn.metrics
import torch.utils.tensorboard

import data.audit
import data.manifest
import data.verify
import eval
import predict
import report.spectra
import train

__all__ = ["data", "eval", "matplotlib", "predict", "report", "sklearn", "torch", "train"]
