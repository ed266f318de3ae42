"""From batches to scores. Knows nothing of image files."""
