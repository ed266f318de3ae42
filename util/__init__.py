"""Leaves: nothing here knows of image files or of networks."""
