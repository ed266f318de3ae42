"""Published detectors, one file each: what a released file becomes (`release.py` says how)."""
