"""What any program needs; nothing here knows of images, networks or metrics."""
