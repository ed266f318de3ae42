"""What pip finds here: the project is used in its folder, and is no package to install."""

raise SystemExit(
    "cnn-detection is not installed but used in its folder: `make setup` there, or from any program"
    " torch.hub.load(FOLDER, 'detector', WEIGHTS, source='local'); see docs/python.md"
)
